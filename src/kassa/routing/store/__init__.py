"""Which account takes a payment: the SQL."""
