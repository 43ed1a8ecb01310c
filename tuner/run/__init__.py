"""One run of a study."""
