"""PostgreSQL: the only SQL in the house; every function takes and gives sets."""
