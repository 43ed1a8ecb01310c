"""Tests of tuner.report."""
