"""The order: what a merchant wants paid, by whom, until when."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Any

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import OrderStatus, next_order_status
from kassa.base.domain.money import Money


class Module(StrEnum):
    """The area of the merchant's business an order belongs to (seed 000)."""

    GROOMING = "grooming"
    RETAIL = "retail"
    MEMBERSHIP = "membership"


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """Who the merchant says is buying. `number`: a 32-bit alias of `id`, for show."""

    id: str
    number: int
    name: str = ""
    email: str = ""
    phone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderTerms:
    """What is asked for and kept as it was asked: a field here is one of the request, and of the
    order that is made by it.

    `request_id`: the caller's idempotency key within `request_scope`. `tags`: the merchant's own
    words. `notify_kind`: "standard" or "wallet" (who words the notification).
    """

    business_id: str
    amount: Money
    face: str
    request_scope: str = ""
    request_id: str | None = None
    description: str = ""
    note: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    return_url: str = ""
    notify_url: str = ""
    notify_kind: str = "standard"
    payment_methods: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """What a face keeps to show again (a wallet's display order); no rule reads it."""


_TERMS = tuple(one.name for one in fields(OrderTerms))
_terms = attrgetter(*_TERMS)


def terms_of(asked: OrderTerms) -> dict[str, Any]:
    """By their names."""
    return dict(zip(_TERMS, _terms(asked), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(OrderTerms):
    """One order. `fingerprint`: a hash of what was asked, to know a repeat from a contradiction.
    `session_token` opens the cashier. `personal`, `personal_key`: how the store keeps
    what it says of a person.
    """

    company_id: str
    id: str
    status: OrderStatus
    module: Module
    customer: Customer
    org_number: int
    fingerprint: str = ""
    session_token: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    personal: str = field(default="", repr=False)
    personal_key: str = field(default="", repr=False)

    def become(self, status: OrderStatus, *, at: datetime) -> "Order":
        """This order in another status, since `at`: the only way that it changes.

        Raises: IllegalTransition.
        """
        return replace(self, status=next_order_status(self.status, status), updated_at=at)
