"""Razorpay as a merchant sees it: orders, payments, refunds, links, settlements, checkout."""

from kassa_simulator.razorpay.protocol import Razorpay

__all__ = ["PROTOCOL"]

PROTOCOL = Razorpay()
