"""What every room stands on: the SQL."""
