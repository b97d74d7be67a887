"""A dispute at the sandbox, as it tells it."""

import json
from datetime import UTC, datetime, timedelta
from random import Random

from kassa.connectors.base import DisputeEvent
from kassa.connectors.sandbox.translation import read_news

CONNECTOR = "sandbox"
CURRENCY = "CNY"
_BEGAN = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def life(rng: Random) -> list[DisputeEvent]:
    now = _BEGAN
    news: list[DisputeEvent] = []
    end = rng.choice(["won", "lost"])
    for kind, state in (("opened", "needs_response"), ("updated", "under_review"), ("closed", end)):
        now += timedelta(seconds=rng.choice([0, 2]))
        said = {
            "id": f"evt_{state}",
            "type": f"dispute.{kind}",
            "key": "at7_1",
            "charge": "sbc_1",
            "reference": "sbd_1",
            "stage": "chargeback",
            "state": state,
            "amount": "100.00",
            "currency": "CNY",
            "fee": "0.00" if state == "won" else "15.00",
            "reason": "fraudulent",
            "respond_by": f"{_BEGAN + timedelta(days=7):%Y-%m-%dT%H:%M:%SZ}",
            "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        }
        read = read_news(json.dumps(said).encode())
        assert isinstance(read, DisputeEvent)
        news.append(read)
    return news
