"""Seals, the chain, and everything recomputed: the verbs."""
