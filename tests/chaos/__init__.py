"""Tests that kill processes at random moments and check that no result is lost."""
