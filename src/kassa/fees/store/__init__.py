"""What providers keep: expected, then known: the SQL."""
