"""Tests of tuner.config."""
