"""Finds, downloads, checks and splits data sets."""
