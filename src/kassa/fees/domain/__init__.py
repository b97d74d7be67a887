"""What providers keep: expected, then known: the rules, without I/O."""
