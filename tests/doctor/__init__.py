"""Tests of tuner.doctor."""
