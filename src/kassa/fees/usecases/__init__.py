"""What providers keep: expected, then known: the verbs."""
