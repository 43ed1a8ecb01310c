"""Tests of the evaluation of predictions."""
