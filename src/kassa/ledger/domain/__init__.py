"""Double entry, and the books for an accountant: the rules, without I/O."""
