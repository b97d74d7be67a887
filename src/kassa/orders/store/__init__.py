"""What a merchant wants paid: the SQL."""
