"""Kill everything at random moments, and look whether anything was lost."""
