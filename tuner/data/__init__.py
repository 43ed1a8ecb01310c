"""Data sets: where they are found, what they must look like, how they are split."""
