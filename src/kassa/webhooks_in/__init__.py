"""What providers tell."""
