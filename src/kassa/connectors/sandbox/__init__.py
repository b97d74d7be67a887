"""A pretend card provider with books and money code of its own; the core meets it only in
`connector.py`, as it would meet any company outside."""
