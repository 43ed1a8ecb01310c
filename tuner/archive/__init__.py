"""Writes a study to one file and imports it into another database."""
