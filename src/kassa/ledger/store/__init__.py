"""Double entry, and the books for an accountant: the SQL."""
