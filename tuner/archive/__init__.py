"""Studies as one file: for another machine, another database, or a shelf."""
