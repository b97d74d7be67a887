"""What merchants are told."""
