"""A search as validated data."""
