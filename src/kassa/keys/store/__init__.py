"""Counting what was made with which version of a key."""
