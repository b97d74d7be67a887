"""What a merchant wants paid: the rules, without I/O."""
