"""A payer's visit, from session to submitted payment: the verbs."""
