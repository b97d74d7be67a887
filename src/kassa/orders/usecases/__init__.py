"""What a merchant wants paid: the verbs."""
