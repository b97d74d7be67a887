"""An order as the API's clients ask for it."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any

import msgspec

from kassa.base.domain.errors import IdempotencyMismatch
from kassa.base.domain.money import Money, payable
from kassa.faces import edge
from kassa.faces.orders.contract import (
    CAPTURE_METHODS,
    EMAIL,
    FACE,
    METHOD_WORDS,
    ORDER_ID,
    UNREADABLE,
    is_address,
    wrong,
)
from kassa.identity.domain.principals import Principal
from kassa.orders.usecases.answer_once import Turn
from kassa.orders.usecases.create_order import NewOrder
from kassa.payments.domain.payments import CaptureMethod

SCOPE = "orders.pg.create"
LEAST, MOST = Decimal(1), Decimal(1_000_000)
"""order_amount, in major units of any currency."""
SOONEST, LATEST = timedelta(minutes=15), timedelta(days=30)
"""order_expiry_time lies between these from now; neither is inside."""
MOST_TAGS = 10
CAPTURE_TAG = "capture_method"
"""The tag by which an official client says what is an account's setting at its own provider."""

_CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{3,50}")
_PHONE = re.compile(r"[0-9]{10}|\+[0-9]{7,15}")
_BANK_ACCOUNT = re.compile(r"[A-Za-z0-9]{3,20}")
_IFSC = re.compile(r"[A-Za-z0-9]{1,11}")
_LOOPBACK = re.compile(r"http://(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/?#]|\Z)", re.IGNORECASE)

Name = Annotated[str, msgspec.Meta(min_length=3, max_length=100)]
Url = Annotated[str, msgspec.Meta(max_length=250)]
Note = Annotated[str, msgspec.Meta(min_length=3, max_length=200)]
Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class PgCustomerDetails(msgspec.Struct, kw_only=True):
    customer_id: str
    customer_phone: str
    customer_email: Name | None = None
    customer_name: Name | None = None
    customer_bank_account_number: str | None = None
    customer_bank_ifsc: str | None = None
    customer_bank_code: edge.Number | None = None
    customer_uid: Annotated[str, msgspec.Meta(max_length=100)] | None = None


class PgOrderMeta(msgspec.Struct, kw_only=True):
    return_url: Url | None = None
    notify_url: Url | None = None
    payment_methods: Tag | None = None


class PgCreateOrder(msgspec.Struct, kw_only=True):
    """CreateOrderRequest. What it does not name is not looked at, as the API does; a member that
    is null is absent."""

    order_amount: edge.Number
    order_currency: str
    customer_details: PgCustomerDetails
    order_id: str | None = None
    order_meta: PgOrderMeta | None = None
    order_expiry_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    order_note: Note | None = None
    order_tags: dict[str, Tag] | None = None
    order_splits: list[Any] | None = None
    capture_method: str | None = None
    business_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class TerminateOrder(msgspec.Struct):
    order_status: str


_NO_META = PgOrderMeta()


def read_create(
    wanted: PgCreateOrder, principal: Principal, turn: Turn, *, allow_loopback: bool
) -> NewOrder:
    """The order that is asked for, checked as far as no database is needed.

    `allow_loopback`: a notify_url may be http on this machine.
    Raises: InvalidRequest.
    """
    company, customer = principal.company, wanted.customer_details
    meta, tags = wanted.order_meta or _NO_META, wanted.order_tags or {}
    _check_customer(customer)
    _check_order(wanted, tags)
    _check_meta(meta, allow_loopback=allow_loopback)
    return NewOrder(
        company=company,
        business_id=wanted.business_id or principal.business_id,
        actor=principal.actor,
        face=FACE,
        amount=_amount(wanted.order_amount, wanted.order_currency or company.currency),
        order_id=wanted.order_id,
        request_scope=SCOPE,
        request_id=turn.request_id,
        customer_id=customer.customer_id,
        customer_name=customer.customer_name or "",
        customer_email=customer.customer_email or "",
        customer_phone=customer.customer_phone,
        note=wanted.order_note or "",
        tags=tags,
        return_url=meta.return_url or "",
        notify_url=meta.notify_url or "",
        payment_methods=meta.payment_methods or "",
        expires_at=_expiry(wanted.order_expiry_time, turn.at),
        capture_method=_capture_method(wanted, tags),
        extra=_kept(customer),
    )


def _amount(said: edge.Number, currency: str) -> Money:
    if not LEAST <= said <= MOST:
        raise wrong("order_amount", f"{LEAST} to {MOST} are possible, with at most two decimals")
    return payable(Money.from_major(said, currency))


def _check_customer(customer: PgCustomerDetails) -> None:
    if not _CUSTOMER_ID.fullmatch(customer.customer_id):
        raise wrong("customer_details.customer_id", "3 to 50 letters, digits, _ and - are needed")
    if not _PHONE.fullmatch(customer.customer_phone):
        raise wrong("customer_details.customer_phone", "10 digits, or + and 7 to 15, are needed")
    if customer.customer_email is not None and not EMAIL.fullmatch(customer.customer_email):
        raise wrong("customer_details.customer_email", "an address with @ is needed")
    for field, said, shape in (
        ("customer_bank_account_number", customer.customer_bank_account_number, _BANK_ACCOUNT),
        ("customer_bank_ifsc", customer.customer_bank_ifsc, _IFSC),
    ):
        if said is not None and not shape.fullmatch(said):
            raise wrong(f"customer_details.{field}", "letters and digits are needed")
    for field in ("customer_name", "customer_email", "customer_uid"):
        _refuse_unreadable(f"customer_details.{field}", getattr(customer, field))


def _check_order(wanted: PgCreateOrder, tags: dict[str, str]) -> None:
    if wanted.order_id is not None and not ORDER_ID.fullmatch(wanted.order_id):
        raise wrong("order_id", "3 to 45 of letters, digits, _ and - are needed")
    _refuse_unreadable("order_note", wanted.order_note)
    if len(tags) > MOST_TAGS:
        raise wrong("order_tags", f"at most {MOST_TAGS} tags are possible")
    for name, said in tags.items():
        if not 1 <= len(name) <= 255:
            raise wrong("order_tags", "a tag's name has 1 to 255 characters")
        _refuse_unreadable("order_tags", name + said)
    if wanted.order_splits:
        raise wrong("order_splits", "this gateway does not split an order among vendors")


def _check_meta(meta: PgOrderMeta, *, allow_loopback: bool) -> None:
    if meta.return_url and not is_address(meta.return_url):
        raise wrong("order_meta.return_url", "an absolute address without spaces is needed")
    if meta.payment_methods and not METHOD_WORDS.fullmatch(meta.payment_methods):
        raise wrong("order_meta.payment_methods", "words with commas between them are needed")
    if meta.notify_url:
        at_home = allow_loopback and _LOOPBACK.match(meta.notify_url)
        if not at_home and not meta.notify_url.lower().startswith("https://"):
            raise wrong("order_meta.notify_url", "an https address is needed")
        _refuse_unreadable("order_meta.notify_url", meta.notify_url)


def _refuse_unreadable(field: str, said: str | None) -> None:
    if said and UNREADABLE.search(said):
        raise wrong(field, "control characters are not allowed")


def _expiry(said: datetime | None, asked_at: datetime) -> datetime | None:
    """Measured from when it was asked for first, so that a repeat is the same request."""
    if said is None:
        return None
    if not asked_at + SOONEST < said < asked_at + LATEST:
        raise wrong(
            "order_expiry_time", "more than 15 minutes and less than 30 days from now are needed"
        )
    return said.astimezone(UTC)


def _capture_method(wanted: PgCreateOrder, tags: dict[str, str]) -> CaptureMethod:
    found = CaptureMethod.AUTOMATIC
    said = {"capture_method": wanted.capture_method, "order_tags": tags.get(CAPTURE_TAG)}
    given = {field: word.lower() for field, word in said.items() if word is not None}
    for field, word in given.items():
        method = CAPTURE_METHODS.get(word)
        if method is None:
            raise wrong(field, f"{CAPTURE_TAG} is automatic or manual")
        found = method
    if len(set(given.values())) > 1:
        raise wrong("order_tags", f"its {CAPTURE_TAG} differs from the order's")
    return found


def _kept(customer: PgCustomerDetails) -> dict[str, Any]:
    """What of the customer's bank is shown again; no account number is kept whole."""
    account, code = customer.customer_bank_account_number, customer.customer_bank_code
    kept: dict[str, Any] = {
        "customer_bank_account_number": account and "X" * (len(account) - 2) + account[-2:],
        "customer_bank_ifsc": customer.customer_bank_ifsc,
        "customer_bank_code": None if code is None else _whole(code),
        "customer_uid": customer.customer_uid,
    }
    return {member: said for member, said in kept.items() if said is not None}


def _whole(code: edge.Number) -> int:
    if code != code.to_integral_value() or not 0 <= code < 10**9:
        raise wrong("customer_details.customer_bank_code", "a whole number is needed")
    return int(code)


def read_end(wanted: TerminateOrder) -> None:
    """Raises: InvalidRequest for any other status than TERMINATED."""
    if wanted.order_status != "TERMINATED":
        raise wrong("order_status", "TERMINATED is the one status that can be asked for")


def already_exists() -> IdempotencyMismatch:
    """To be raised where an order of this id is there, whatever it holds."""
    return IdempotencyMismatch("order with same id is already present", reason="order_id_taken")
