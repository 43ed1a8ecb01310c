"""One module per migration, the oldest first."""
