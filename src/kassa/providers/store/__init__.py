"""Accounts at providers, and calls to them: the SQL."""
