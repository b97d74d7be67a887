"""The tables whose rows are whole nouns, read and written by all of their columns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from kassa.base.store.mapping import Names, reader, table
from kassa.orders.domain.orders import Order
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.store.personal import reveal, reveal_in

# What a payment knows of its order stands in the order's row only.
_OF_ORDER = ("face", "request_scope", "request_id", "notify_kind", "notify_url")
_SURPLUS = {"surplus_amount": "surplus_minor"}

ORDER = table(Order)
WHOLE_ORDER = reader(Order, opened=reveal)
ALONE = reader(Payment, called=_SURPLUS)
PAYMENT = table(Payment, Names(called=_SURPLUS, unstored=_OF_ORDER))
ATTEMPT = table(Attempt)
MODIFICATION = table(Modification)
_OF_DISPUTES = dict.fromkeys(("fee", "taken"), "booked_currency")
DISPUTE = table(Dispute, Names(currencies=_OF_DISPUTES))


class PaymentRow(NamedTuple):
    """A payment, and the order that it is for."""

    payment: Payment
    order: Order


_PREFIXES = {"payment": "", "order": "order_"}
_CALLED = {**_SURPLUS, **{name: f"order_{name}" for name in _OF_ORDER}}
_CURRENCIES = {"order_amount": "order_currency"}
VIEW = reader(
    PaymentRow,
    called=_CALLED,
    prefixes=_PREFIXES,
    currencies=_CURRENCIES,
    opened=reveal_in,
)


class LockedRow(NamedTuple):
    """A payment with one of its attempts, if it has any; see LockedPayment."""

    moment: datetime
    is_held: bool
    payment: Payment
    order: Order
    elsewhere: bool
    closed: bool
    attempt: Attempt | None


LOCKED = reader(
    LockedRow,
    called=_CALLED,
    prefixes=_PREFIXES,
    currencies={**_CURRENCIES, "attempt_amount": "attempt_currency"},
    opened=reveal_in,
)


def _view() -> str:
    """The columns of a payment `p` and of its order `o`, under the names that VIEW reads."""
    # The payment names its order's id.
    of_order = [f"o.{name} as order_{name}" for name in ORDER.columns if name != "id"]
    return ", ".join([PAYMENT.listed("p"), *of_order])


WORDS: Mapping[str, str] = {
    "view": _view(),
    "payments": "payment p join orders o on o.company_id = p.company_id and o.id = p.order_id",
    "order_columns": ORDER.listed(),
    "payment_columns": PAYMENT.listed(),
    "payment_w": PAYMENT.listed("w"),
    "payment_p": PAYMENT.listed("p"),
    "of_order": ", ".join(f"o.{name}" for name in _OF_ORDER),
    "attempt_columns": ATTEMPT.listed(),
    "modification_columns": MODIFICATION.listed(),
    "dispute_columns": DISPUTE.listed(),
    "attempt_a": ATTEMPT.listed("a"),
    "attempt_of": ", ".join(f"a.{name} as attempt_{name}" for name in ATTEMPT.columns),
    "modification_m": MODIFICATION.listed("m"),
    "modification_d": MODIFICATION.listed("d"),
    "dispute_d": DISPUTE.listed("d"),
}
"""What their columns are called in statements."""


def json_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one JSON array, for `json_populate_recordset`: one parameter for a whole set."""
    return msgspec.json.encode(rows).decode()
