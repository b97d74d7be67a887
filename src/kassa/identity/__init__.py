"""Who asks, and on which side of which company."""
