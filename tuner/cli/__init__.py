"""The command line: Click parses, the facade works, and one module per group of verbs prints."""
