"""A dispute at Cashfree, as its webhooks tell it."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

from kassa.connectors.base import DisputeEvent
from kassa.connectors.cashfree.news import read_news, signature_of

CONNECTOR = "cashfree"
CURRENCY = "INR"
_BEGAN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
_SECRET = "cf-secret-of-a-dispute"


def life(rng: Random) -> list[DisputeEvent]:
    """In Cashfree's order, from type to type; only what is lost takes money."""
    now = _BEGAN
    news: list[DisputeEvent] = []
    for kind in ("DISPUTE", "CHARGEBACK", "PRE_ARBITRATION")[: rng.randint(1, 3)]:
        end = rng.choice(["MERCHANT_WON", "MERCHANT_LOST", "MERCHANT_ACCEPTED"])
        amount = rng.choice([100, 60.5])
        for status in ("CREATED", *(["DOCS_RECEIVED"] if rng.random() < 0.5 else []), end):
            now += timedelta(seconds=rng.choice([0, 1, 86_400]))
            news.append(_read(kind, status, amount, now))
    return news


def _read(kind: str, status: str, amount: float, now: datetime) -> DisputeEvent:  # as JSON has it
    dispute = {
        "dispute_id": "433475258",
        "dispute_type": kind,
        "reason_code": "4855",
        "dispute_amount": amount,
        "dispute_amount_currency": "INR",
        "updated_at": now.isoformat(),
        "respond_by": (now + timedelta(days=7)).isoformat() if status == "CREATED" else None,
        "dispute_status": f"{kind}_{status}",
    }
    order = {"order_id": "at7_1", "order_currency": "INR", "cf_payment_id": 5}
    body = json.dumps(
        {"data": {"dispute": dispute, "order_details": order}, "type": "DISPUTE_UPDATED"}
    ).encode()
    stamp = str(int(now.timestamp() * 1000))
    headers = {
        "x-webhook-timestamp": stamp,
        "x-webhook-signature": signature_of(_SECRET, stamp, body),
    }
    read = read_news(headers, body, [_SECRET], now)
    assert isinstance(read, DisputeEvent)
    return read
