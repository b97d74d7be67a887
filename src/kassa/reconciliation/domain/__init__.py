"""Reports of providers and banks against the ledger: the rules, without I/O."""
