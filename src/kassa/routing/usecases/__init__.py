"""Which account takes a payment: the verbs."""
