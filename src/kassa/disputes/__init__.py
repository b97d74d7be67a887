"""Money that a payer's bank takes back."""
