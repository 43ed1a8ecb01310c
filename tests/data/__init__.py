"""Tests for finding, reading, checking and splitting data."""
