"""Exports trained models as checked folders; predicts and evaluates from such a folder alone."""
