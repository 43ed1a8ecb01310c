"""Tests of tuner.delivery and of the commands that use it."""
