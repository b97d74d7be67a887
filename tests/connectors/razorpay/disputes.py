"""A dispute at Razorpay, as its webhooks tell it."""

import hashlib
import hmac
import json
from random import Random

from kassa.connectors.base import DisputeEvent
from kassa.connectors.razorpay.news import read_news

CONNECTOR = "razorpay"
CURRENCY = "INR"
_BEGAN = 1_790_000_000
_SECRET = "wh-secret-of-a-dispute"


def life(rng: Random) -> list[DisputeEvent]:
    """In Razorpay's order, from phase to phase; of some accounts all is deducted at once, and what
    is lost may be less than was asked for."""
    now, amount = _BEGAN, 10_000
    deducts = rng.random() < 0.5
    currency = rng.choice(["INR", "INR", "USD"])
    news: list[DisputeEvent] = []
    for phase in ("chargeback", "pre_arbitration", "arbitration")[: rng.randint(1, 3)]:
        end = rng.choice(["won", "lost", "closed"])
        for status in ("open", *(["under_review"] if rng.random() < 0.5 else []), end):
            now += rng.choice([0, 1, 86_400])
            taken = amount if deducts or status == "lost" else 0
            lost = rng.choice([taken, taken, taken // 2]) if status == "lost" else taken
            entity = {
                "id": "disp_1",
                "payment_id": "pay_1",
                "amount": amount,
                "currency": currency,
                "amount_deducted": lost,
                "reason_code": "goods_not_received",
                "respond_by": now + 600_000 if status == "open" else None,
                "status": status,
                "phase": phase,
            }
            news.append(_read(status, entity, now))
        amount = rng.choice([10_000, 6_000])
    return news


def _read(status: str, entity: dict[str, object], now: int) -> DisputeEvent:
    body = json.dumps(
        {
            "event": f"payment.dispute.{'created' if status == 'open' else status}",
            "payload": {"dispute": {"entity": entity}},
            "created_at": now,
        }
    ).encode()
    signature = hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest()
    read = read_news({"x-razorpay-signature": signature}, body, [_SECRET])
    assert isinstance(read, DisputeEvent)
    return read
