"""Whether it runs well: the SQL."""
