"""Captures, voids and refunds of a charge: the rules, without I/O."""
