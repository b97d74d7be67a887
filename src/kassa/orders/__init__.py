"""What a merchant wants paid."""
