"""Who asks, and on which side of which company: the rules, without I/O."""
