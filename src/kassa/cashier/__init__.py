"""The hosted page on which a payer pays."""
