"""The orders interface (seed 001): create an order, ask whether it was paid, read its parts."""
