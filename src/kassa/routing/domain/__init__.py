"""Which account takes a payment: the rules, without I/O."""
