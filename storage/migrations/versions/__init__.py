"""One module per change of our tables, oldest first."""
