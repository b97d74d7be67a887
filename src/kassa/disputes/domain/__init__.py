"""Money that a payer's bank takes back: the rules, without I/O."""
