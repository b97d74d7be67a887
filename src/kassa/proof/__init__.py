"""Seals, the chain, and everything recomputed."""
