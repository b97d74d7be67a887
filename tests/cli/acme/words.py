"""Acme's words in ours, and what is the same in every answer about a charge or a refund."""

from collections.abc import Mapping
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.base import ActionNeeded, Captured, Declined, Done, InDoubt, Outcome, Unknown

OPEN, PAID, REFUSED = "OPEN", "PAID", "REFUSED"
STATUSES = frozenset({OPEN, PAID, REFUSED})


def told(charge: Mapping[str, Any], key: str, amount: Money | None) -> Outcome:
    """What `charge` says of ours under `key`. `amount`: what we asked for, if we know it."""
    said, reference = _amount(charge), charge.get("id")
    if charge.get("reference") != key or not isinstance(reference, str) or said is None:
        return InDoubt(reason="Acme answered about another charge")
    status = charge.get("state")
    if status == PAID:
        return Captured(reference=reference, amount=said)
    if amount is not None and said != amount:
        return InDoubt(reason="Acme's charge is not for the amount that was asked")
    if status == REFUSED:
        return Declined(code="card_declined", message="It was declined.", reference=reference)
    page = charge.get("page")
    if status == OPEN and isinstance(page, str) and page.startswith(("https://", "http://")):
        return ActionNeeded(reference=reference, url=page)
    return InDoubt(reason="Acme sent an unknown state")


def refund_told(found: Mapping[str, Any], key: str) -> Done | InDoubt | Unknown:
    """What a refund says of ours under `key`."""
    if found.get("error") == "unknown":
        return Unknown(reason="Acme has no refund under this key")
    said, reference = _amount(found), found.get("id")
    if found.get("reference") != key or not isinstance(reference, str) or said is None:
        return InDoubt(reason="Acme answered about another refund")
    return Done(reference=reference, amount=said)


def _amount(of: Mapping[str, Any]) -> Money | None:
    value, currency = of.get("value"), of.get("currency")
    if not isinstance(value, str) or not isinstance(currency, str):
        return None
    try:
        return Money.from_major(value, currency)
    except InvalidRequest:
        return None
