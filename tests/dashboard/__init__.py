"""Tests of the dashboard: its note, its figure, its server, and a browser in front of it."""
