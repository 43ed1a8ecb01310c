"""Reads tables (CSV, Parquet, frames) and says what is in each column."""
