"""The command line: Click parses, :mod:`tuner.study` does the work, and these modules print the results."""
