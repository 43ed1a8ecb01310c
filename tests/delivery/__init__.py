"""Tests of tuner.delivery and of the verbs that use it."""
