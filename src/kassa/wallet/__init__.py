"""Balances of users, and codes that pay from them."""
