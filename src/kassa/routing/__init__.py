"""Which account takes a payment."""
