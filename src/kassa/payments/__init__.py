"""What a payer owes, and what became of it."""
