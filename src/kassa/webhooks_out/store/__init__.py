"""What merchants are told: the SQL."""
