"""Accounts at providers, and calls to them: the rules, without I/O."""
