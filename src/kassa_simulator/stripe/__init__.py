"""Stripe as its API reference describes it: cards at once, or on a hosted page."""

from kassa_simulator.stripe.protocol import PROTOCOL

__all__ = ["PROTOCOL"]
