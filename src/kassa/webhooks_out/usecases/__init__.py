"""What merchants are told: the verbs."""
