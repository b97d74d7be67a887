"""A dispute at Stripe, as its events tell it."""

import json
from random import Random
from typing import Any

from kassa.connectors.base import DisputeEvent
from kassa.connectors.stripe.notifications import read_event

CONNECTOR = "stripe"
CURRENCY = "EUR"
_BEGAN = 1_790_000_000


def life(rng: Random) -> list[DisputeEvent]:
    """All that is told of one, in Stripe's order: an inquiry or a chargeback, answered, of another
    amount later on, with money and fee that leave and come back, in the account's currency or in
    another; often several events of the same second."""
    told = _Telling(rng)
    asked = rng.random() < 0.5
    told.say("created", "warning_needs_response" if asked else "needs_response")
    if asked and rng.random() < 0.3:
        return told.say("closed", "warning_closed").news
    if rng.random() < 0.5:
        told.dispute["amount"] = rng.choice([6_000, 12_000])
        told.say("updated", "needs_response")
    amount = told.dispute["amount"]
    told.say("funds_withdrawn", "needs_response", moved=(-amount, 1_500))
    if rng.random() < 0.5:
        told.dispute["evidence_details"] = {"due_by": _BEGAN + rng.randrange(10**6)}
        told.say("updated", "under_review")
    if rng.random() < 0.5:
        return told.say("closed", "lost").news
    told.say("closed", "won")
    fee = rng.choice([0, -1_500])
    return told.say("funds_reinstated", "won", moved=(amount, fee)).news


class _Telling:
    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._now = _BEGAN
        self._currency = rng.choice(["eur", "eur", "usd"])
        self.news: list[DisputeEvent] = []
        self.dispute: dict[str, Any] = {
            "id": "du_1",
            "amount": 10_000,
            "balance_transactions": [],
            "currency": rng.choice(["eur", "eur", "jpy"]),
            "evidence_details": {"due_by": _BEGAN + 600_000},
            "payment_intent": "pi_1",
            "reason": "fraudulent",
        }

    def say(self, event: str, status: str, moved: tuple[int, int] | None = None) -> "_Telling":
        self.dispute["status"] = status
        if moved is not None:
            entries = self.dispute["balance_transactions"]
            entry = {"id": f"txn_{len(entries)}", "currency": self._currency}
            amount, fee = moved
            self.dispute["balance_transactions"] = [
                *entries,
                {**entry, "amount": amount, "fee": fee},
            ]
        self._now += self._rng.choice([0, 0, 1, 86_400])
        body = {
            "id": f"evt_{len(self.news)}",
            "type": f"charge.dispute.{event}",
            "created": self._now,
            "livemode": False,
            "data": {"object": self.dispute},
        }
        read = read_event(json.dumps(body).encode(), live=False)
        assert isinstance(read, DisputeEvent)
        self.news.append(read)
        return self
