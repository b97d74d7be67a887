"""Seals, the chain, and everything recomputed: the SQL."""
