"""Smoke tests of the benchmarks: each script runs to its end and prints its result; no figure is checked."""
