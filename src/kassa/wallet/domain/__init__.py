"""Balances of users, and codes that pay from them: the rules, without I/O."""
