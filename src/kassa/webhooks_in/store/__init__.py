"""What providers tell: the SQL."""
