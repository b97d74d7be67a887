"""Webhooks: what happened, signed with the webhook's secret over the very bytes."""

import json
from typing import Any

from kassa_simulator.frame import Letter, Merchant, Told
from kassa_simulator.razorpay.wire import account_id, hex_mac, seconds

_WRONG_SECRET = "not-the-secret"


def write(merchant: Merchant, told: Told, *, forged: bool) -> Letter:
    """Source: https://razorpay.com/docs/webhooks/validate-test/"""
    payload: Any = told.data["payload"]
    if forged:
        payload = {name: {"entity": _forged(item["entity"])} for name, item in payload.items()}
    event = {
        "entity": "event",
        "account_id": account_id(merchant),
        "event": told.event,
        "contains": told.data["contains"],
        "payload": payload,
        "created_at": seconds(told.at),
    }
    body = told.written(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
    secret = _WRONG_SECRET if forged else merchant.credentials["webhook_secret"]
    headers = {
        "content-type": "application/json",
        "user-agent": "Razorpay-Webhook/v1",
        "x-razorpay-signature": hex_mac(secret, body),
        "x-razorpay-event-id": told.id,
    }
    return Letter(url=told.url or merchant.notify_url, headers=headers, body=body)


def _forged(entity: dict[str, Any]) -> dict[str, Any]:
    """Twice the money, and paid."""
    amount = entity.get("amount")
    changed = {**entity, "amount": amount * 2} if isinstance(amount, int) else dict(entity)
    if entity.get("entity") == "payment":
        changed |= {"status": "captured", "captured": True}
    return changed
