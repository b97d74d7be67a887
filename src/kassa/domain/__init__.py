"""The ground floor: money, nouns, state tables and ledger rules; the standard library only."""
