"""Tests of finding, reading, validating and splitting data."""
