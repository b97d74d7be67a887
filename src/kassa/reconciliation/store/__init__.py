"""Reports of providers and banks against the ledger: the SQL."""
