"""Tests for reading tables and for saying what is in each column."""
