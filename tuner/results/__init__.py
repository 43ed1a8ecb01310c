"""Reads the results of a study: trials, importance, best regions, and whether a trial can be reproduced."""
