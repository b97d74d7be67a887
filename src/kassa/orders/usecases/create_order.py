"""Create an order and the payment that will collect it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

import msgspec
import structlog

from kassa.base.domain.card_numbers import TextKind, refuse_card_data
from kassa.base.domain.errors import (
    IdempotencyMismatch,
    IllegalTransition,
    InProgress,
    InvalidRequest,
    KassaError,
)
from kassa.base.domain.fingerprints import Fingerprint, Of
from kassa.base.domain.lifecycle import UNPAID_FOR_GOOD, OrderStatus, PaymentStatus
from kassa.base.domain.money import Money, payable
from kassa.base.usecases.batch import batched
from kassa.base.usecases.bounds import within
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import millisecond, new_session_token, stable_id, stable_number
from kassa.connectors.egress import check_url
from kassa.identity.domain.principals import Company
from kassa.orders.domain.orders import Customer, Module, Order, OrderTerms, terms_of
from kassa.orders.store import orders
from kassa.orders.store.making import announced
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.domain.restrictions import METHODS_OF_WORD, methods_of, unknown_word
from kassa.routing.usecases.routing import RoutingRequest, why_impossible

_log = structlog.get_logger("kassa.payments")
# A browser is sent there: nothing but the web, and nothing that could break out of a header.
_RETURN = re.compile(r"https?://[^\s\x00-\x1f\x7f\\]{1,2000}", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder(OrderTerms):
    """What a face wants created.

    `order_id`: the merchant's own, or None to have one made. `expires_at` None: the policy's
    lifetime.
    """

    company: Company
    actor: str
    order_id: str | None = None
    customer_id: str = ""
    customer_number: int | None = None
    customer_name: str = ""
    customer_email: str = ""
    customer_phone: str = ""
    module: Module | None = None
    expires_at: datetime | None = None
    retry_allowed: bool = True
    capture_method: CaptureMethod = CaptureMethod.AUTOMATIC
    payment_extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CreatedOrder:
    """`replayed`: the same request had been made before; nothing was created now."""

    order: Order
    payment: Payment
    replayed: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order as it will be stored, unless it was made before."""

    order: Order
    wanted: NewOrder


async def create_orders(core: Core, wanted: Sequence[Prepared]) -> list[CreatedOrder | KassaError]:
    """Store each order once per (company, request id) and once per (company, order id).

    One statement for the whole list; what it did not insert had been made before, and is read.
    """
    new, made = await _insert(core, first_of_each(wanted))
    fresh = {key for key, (order, _, _) in new.items() if (order.company_id, order.id) in made}
    losers = [item.order for item in wanted if id(item) not in fresh]
    by_request: _Found = {}
    by_id: _FoundById = {}
    if losers:
        async with core.db.connection() as connection:
            by_request = await orders.by_request(
                connection,
                [
                    (order.company_id, order.request_scope, order.request_id)
                    for order in losers
                    if order.request_id is not None
                ],
            )
            by_id = await orders.by_order(
                connection, [(order.company_id, order.id) for order in losers]
            )
    return [
        CreatedOrder(item.order, new[id(item)][1], False)
        if id(item) in fresh
        else _judge(item, by_request, by_id)
        for item in wanted
    ]


_New = dict[int, tuple[Order, Payment, str]]


async def _insert(core: Core, first: Sequence[Prepared]) -> tuple[_New, set[tuple[str, str]]]:
    """What was wanted, each under the identity of its item, with payments whose ids are made now;
    and which of it is stored."""

    def made() -> _New:
        return {
            id(item): (item.order, first_payment(core, item), item.wanted.actor) for item in first
        }

    if not first:
        return {}, set()
    async with core.db.connection(writes=True) as connection:
        since, new = millisecond(), made()
        stored = await orders.insert(connection, list(new.values()), since=since)
    if stored is None:  # the machine is so busy that it has to be announced beforehand
        telling = announced(item.order.company_id for item in first)
        async with core.db.transaction(hot=True, telling=telling) as taken:
            new = made()
            stored = await orders.insert(taken, list(new.values()))
    return new, stored or set()


def first_of_each(wanted: Sequence[Prepared]) -> list[Prepared]:
    """Of several that would be one order, the first: the others are judged against it."""
    seen: set[tuple[str, ...]] = set()
    first = []
    for item in wanted:
        order = item.order
        keys = {(order.company_id, "id", order.id)}
        if order.request_id is not None:
            keys.add((order.company_id, order.request_scope, order.request_id))
        if not keys & seen and order.expires_at > order.created_at:
            first.append(item)
            seen |= keys
    # In one order everywhere, so that batches of two processes cannot lock each other out.
    return sorted(first, key=lock_order)


def lock_order(item: Prepared) -> tuple[str, str, str]:
    """What it would wait for; in the order of these all are stored."""
    order = item.order
    return order.company_id, order.request_scope, order.request_id or order.id


_Found = Mapping[tuple[str, str, str], tuple[Payment, Order]]
_FoundById = Mapping[tuple[str, str], Sequence[tuple[Payment, Order]]]


def _judge(item: Prepared, by_request: _Found, by_id: _FoundById) -> CreatedOrder | KassaError:
    """A repeat gets what the first time made; a contradiction is refused."""
    asked = item.order
    earlier = by_request.get((asked.company_id, asked.request_scope, asked.request_id or ""))
    if earlier is not None and asked.request_id is not None:
        payment, order = earlier
        if order.fingerprint != asked.fingerprint:
            return IdempotencyMismatch(
                f"{asked.request_id!r} was used before with other content", field="request_id"
            )
        return CreatedOrder(order, payment, True)
    same_id = by_id.get((asked.company_id, asked.id))
    if not same_id and asked.expires_at <= asked.created_at:
        return _too_late()
    if not same_id:
        return InProgress("the same request is being worked on; send it again shortly")
    payment, order = same_id[0]
    if order.fingerprint != asked.fingerprint:
        return IdempotencyMismatch(
            f"order id {asked.id!r} is taken by another order", reason="order_id_taken"
        )
    # Answered, the new key would stand for this order without being kept anywhere.
    keyed = asked.request_id is not None and order.request_id is not None
    if keyed and order.request_id != asked.request_id:
        return IdempotencyMismatch(
            f"order {asked.id!r} exists under another idempotency key", reason="order_id_taken"
        )
    return CreatedOrder(order, payment, True)


def _too_late() -> InvalidRequest:
    return InvalidRequest(
        "the expiry time is in the past", field="expires_at", reason="expiry_invalid"
    )


_insert_order = batched(create_orders, key=lock_order)


async def create_order(core: Core, wanted: NewOrder) -> CreatedOrder:
    """Create the order and its payment, or find them when the same request came before.

    Raises: InvalidRequest, also for an order that nobody could pay (reason nobody_takes_it);
    IdempotencyMismatch, InProgress.
    """
    item = prepare(core, wanted)
    if wanted.payment_methods and (why := await _why_unpayable(core, wanted)):
        return await _made_before(core, item, why)
    created = await _insert_order(core, item)
    if not created.replayed:
        _log.info("order created", order=created.order.id, payment=created.payment.id)
    return created


async def create_live_order(core: Core, wanted: NewOrder) -> CreatedOrder:
    """As `create_order`; what was made before without a key, and has ended since, says so.

    Raises: IllegalTransition (reason order_ended); as `create_order` does.
    """
    made = await create_order(core, wanted)
    order = made.order
    late = order.status is OrderStatus.ACTIVE and datetime.now(UTC) >= order.expires_at
    if made.replayed and wanted.request_id is None and (late or order.status in UNPAID_FOR_GOOD):
        ended = OrderStatus.EXPIRED if late else order.status
        raise IllegalTransition(
            f"order {order.id!r} has ended: it is {ended}; take another id", reason="order_ended"
        )
    return made


async def _why_unpayable(core: Core, wanted: NewOrder) -> str:
    """Why nobody can pay it in any of the ways that its merchant allows; "" when somebody can."""
    if strange := unknown_word(wanted.payment_methods):
        known = ", ".join(METHODS_OF_WORD)
        return f"payment_methods: {strange!r} names no payment method; there are {known}"
    reasons = []
    for method in sorted(methods_of(wanted.payment_methods) or ()):
        question = RoutingRequest(
            company_id=wanted.company.id,
            method=method,
            amount=wanted.amount,
            takes="",
            manual=wanted.capture_method is CaptureMethod.MANUAL,
        )
        why = await why_impossible(core, question)
        if not why:
            return ""
        reasons.append(why)
    named = wanted.payment_methods
    return "; ".join(reasons) or f"no provider takes any of the methods {named} here"


async def _made_before(core: Core, item: Prepared, why: str) -> CreatedOrder:
    """What can be paid no longer was made all the same: a repeat is answered as the first was.

    Raises: InvalidRequest, IdempotencyMismatch.
    """
    order = item.order
    async with core.db.connection() as connection:
        by_id = await orders.by_order(connection, [(order.company_id, order.id)])
        by_request: _Found = {}
        if order.request_id is not None:
            key = (order.company_id, order.request_scope, order.request_id)
            by_request = await orders.by_request(connection, [key])
    if not by_id and not by_request:
        raise InvalidRequest(why, field="payment_methods", reason="nobody_takes_it")
    judged = _judge(item, by_request, by_id)
    if isinstance(judged, KassaError):
        raise judged
    return judged


async def check_order(core: Core, wanted: NewOrder) -> None:
    """Refuse what `create_order` would refuse, and store nothing.

    Raises: InvalidRequest, IdempotencyMismatch.
    """
    item = prepare(core, wanted)
    order, key = item.order, (item.order.company_id, wanted.request_scope, wanted.request_id or "")
    by_request: _Found = {}
    if wanted.request_id is not None:
        async with core.db.connection() as connection:
            by_request = await orders.by_request(connection, [key])
    if key not in by_request and order.expires_at <= order.created_at:
        raise _too_late()
    if key in by_request and isinstance(refused := _judge(item, by_request, {}), KassaError):
        raise refused


_TEXTS: Mapping[str, TextKind] = {
    **dict.fromkeys(
        ("customer_name", "customer_email", "description", "note", "tags"), TextKind.FREE
    ),
    "customer_phone": TextKind.PHONE,
    **dict.fromkeys(
        ("order_id", "request_id", "customer_id", "return_url", "notify_url"), TextKind.ID
    ),
    **dict.fromkeys(("extra", "payment_extra"), TextKind.FREE),
}
"""What a caller may write, in every interface, and what each is."""
_texts = attrgetter(*_TEXTS)


def prepare(core: Core, wanted: NewOrder) -> Prepared:
    """Raises: InvalidRequest."""
    payable(within(core, wanted.amount))
    refuse_card_data(dict(zip(_TEXTS, _texts(wanted), strict=True)), _TEXTS)
    if wanted.notify_url:
        check_url(
            wanted.notify_url,
            allow_loopback=core.policy.allow_loopback,
            live=wanted.company.is_live,
            field="notify_url",
        )
    if wanted.return_url and not _RETURN.fullmatch(wanted.return_url):
        raise InvalidRequest(
            "the return address must be an http or https address",
            field="return_url",
            reason="return_url_invalid",
        )
    now = datetime.now(UTC)
    expires_at = wanted.expires_at or now + _lifetime(core, wanted.face)
    company = wanted.company
    person = (company.id, wanted.customer_name, wanted.customer_email, wanted.customer_phone)
    number = wanted.customer_number
    if number is None:
        number = stable_number(*person, *filter(None, [wanted.customer_id]))
    customer = Customer(
        id=wanted.customer_id or stable_id("cus", *person),
        number=number,
        name=wanted.customer_name,
        email=wanted.customer_email,
        phone=wanted.customer_phone,
    )
    order = Order(
        **terms_of(wanted),
        company_id=company.id,
        id=wanted.order_id or core.new_id("order"),
        status=OrderStatus.ACTIVE,
        module=wanted.module or Module.RETAIL,
        customer=customer,
        org_number=company.number,
        session_token=new_session_token(company.number),
        fingerprint=_fingerprint(wanted),
        created_at=now,
        updated_at=now,
        expires_at=expires_at,
    )
    return Prepared(order, wanted)


def _lifetime(core: Core, face: str) -> timedelta:
    return core.policy.wallet_order_lifetime if face == "wallet" else core.policy.order_lifetime


def first_payment(core: Core, item: Prepared) -> Payment:
    """The payment that is made with an order; its id tells that it is made now."""
    order, wanted = item.order, item.wanted
    nothing = Money(0, order.amount.currency)
    return Payment(
        company_id=order.company_id,
        id=core.new_id("py"),
        order_id=order.id,
        business_id=order.business_id,
        amount=order.amount,
        status=PaymentStatus.CREATED,
        method=None,
        module=order.module,
        authorized=nothing,
        captured=nothing,
        refunded=nothing,
        refund_reserved=nothing,
        fee=nothing,
        surplus_amount=nothing,
        retry_allowed=wanted.retry_allowed,
        capture_method=wanted.capture_method,
        subject=wanted.description,
        face=order.face,
        request_scope=order.request_scope,
        request_id=order.request_id,
        notify_kind=order.notify_kind,
        notify_url=order.notify_url,
        created_at=order.created_at,
        updated_at=order.updated_at,
        expires_at=order.expires_at,
        extra=wanted.payment_extra,
    )


_FINGERPRINT = Fingerprint(
    NewOrder,
    "face",
    "order_id",
    "business_id",
    Of("amount", lambda amount: amount.minor),
    Of("amount", lambda amount: amount.currency),
    ("customer_id", "customer_number"),
    ("customer_name", "customer_email", "customer_phone"),
    ("module", "description", "note"),
    Of("tags", lambda tags: sorted(tags.items())),
    ("return_url", "notify_url", "payment_methods"),
    Of("expires_at", lambda at: at and at.astimezone(UTC)),
    "extra",
    "payment_extra",
    later=(Of("capture_method", lambda method: method),),
    left_out={
        "company": "an earlier request is looked for within the company",
        "actor": "whoever repeats it for the merchant repeats it",
        "request_scope": "an earlier request is found by it",
        "request_id": "an earlier request is found by it",
        "notify_kind": "each face has one",
        "retry_allowed": "each face has one",
    },
)


def _fingerprint(wanted: NewOrder) -> str:
    """A hash of everything that was asked, so that a repeat is known from a contradiction."""
    asked = _FINGERPRINT.content(wanted)
    try:
        text = msgspec.json.encode(asked, order="sorted")
        key = (wanted.request_id or "").encode()
    except UnicodeEncodeError:
        raise _no_text() from None
    if b"\x00" in key or (b"\\u0000" in text and _holds_nul(asked)):
        raise _no_text()
    return hashlib.sha256(text).hexdigest()


def _no_text() -> InvalidRequest:
    return InvalidRequest("a text holds NUL or half a character", reason="text_invalid")


def _holds_nul(value: object) -> bool:
    """PostgreSQL keeps every character but this one."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, Sequence) and any(map(_holds_nul, value))
