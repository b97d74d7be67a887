"""Who asks, and on which side of which company: the SQL."""
