"""What providers keep: expected, then known."""
