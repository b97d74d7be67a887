"""What providers tell: the verbs."""
