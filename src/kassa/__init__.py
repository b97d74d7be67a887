"""Kassa: a payment gateway with one truth and five documented interfaces."""
