"""What every room stands on: the verbs."""
