"""One request, with the account that sent it and the books it is answered from."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kassa_simulator.frame import Books, Call, Merchant
from kassa_simulator.stripe.forms import Params

NAME = "stripe"
REFERENCES = ("kassa_key", "kassa_attempt", "refund_id", "order_id", "reference")
"""The metadata that says what a call is about, the most exact first."""


@dataclass(frozen=True, slots=True)
class Asked:
    books: Books
    merchant: Merchant
    call: Call
    params: Params

    @property
    def now(self) -> datetime:
        return self.call.now

    def tell(self, event: str, charge_id: str, thing: Mapping[str, Any]) -> None:
        tell(self.books, self.merchant, event, charge_id, thing, self.call)


def tell(
    books: Books,
    merchant: Merchant,
    event: str,
    charge_id: str,
    thing: Mapping[str, Any],
    call: Call | None = None,
) -> None:
    key = call.headers.get("idempotency-key") if call else None
    data = {"object": dict(thing), "idempotency_key": key}
    books.tell(merchant, event, charge_id=charge_id, data=data)


def reference_in(metadata: Mapping[str, Any], *others: str) -> str:
    """The merchant's own reference, as far as the metadata, or else `others`, tell one."""
    named = [metadata.get(name) for name in REFERENCES]
    return next((each for each in [*named, *others] if isinstance(each, str) and each), "")


def seconds(at: datetime) -> int:
    return int(at.timestamp())


def numbered(books: Books, *about: str) -> str:
    """How manieth of its kind this is, as text from "1"; counted in the books."""
    name = "/".join(about)
    count = int((books.get(NAME, "count", name) or {"n": 0})["n"]) + 1
    books.put(NAME, "count", name, {"n": count})
    return str(count)
