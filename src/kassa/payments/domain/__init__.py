"""What a payer owes, and what became of it: the rules, without I/O."""
