"""The customers' payment resource: create, look, retry, verify (seed 002)."""
