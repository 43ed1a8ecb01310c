"""Puts the encoding of raw columns in front of a model for tables, in the graph of each format."""
