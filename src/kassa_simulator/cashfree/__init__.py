"""Cashfree as a merchant sees it: orders, sessions, payments, refunds, settlements, checkout."""

from kassa_simulator.cashfree.protocol import Cashfree

__all__ = ["PROTOCOL"]

PROTOCOL = Cashfree()
