"""The one-call payment request: create it, ask for its result (seed 004)."""
