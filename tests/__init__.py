"""Tests, in the layout of the code that they hold to its word."""
