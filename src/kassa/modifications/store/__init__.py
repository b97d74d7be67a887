"""Captures, voids and refunds of a charge: the SQL."""
