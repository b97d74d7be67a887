"""The words of the orders interface's first two calls: what may come in, and what goes out."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from starlette.datastructures import Headers

from kassa.base.domain.errors import InvalidRequest, Unauthenticated
from kassa.base.domain.money import Money, payable
from kassa.faces import edge
from kassa.faces.orders.resources import deciding_payment, message_of, order_word
from kassa.identity.domain.principals import Company, Principal
from kassa.orders.domain.orders import Module, Order
from kassa.orders.usecases.create_order import CreatedOrder, NewOrder
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

FACE = "orders"
CREATE_SCOPE = "orders.create"
LATEST_EXPIRY = timedelta(days=366)  # longer than any shop waits, short enough to catch a typo
EARLIEST_EXPIRY = datetime(2026, 1, 1, tzinfo=UTC)  # older than any request worth repeating
REPLAYED = {"idempotent-replayed": "true"}


class PaymentVerdict(msgspec.Struct, frozen=True):
    """VerifyPaymentResponse. `code` is an HTTP number as text; the seed prints it so."""

    message: str
    code: str
    status: str


VERDICT: Mapping[str, PaymentVerdict] = {
    "created": PaymentVerdict("Payment pending", "202", "pending"),
    "pending": PaymentVerdict("Payment is being processed", "202", "pending"),
    "paid": PaymentVerdict("Payment successful", "200", "success"),
    "failed": PaymentVerdict("Payment failed", "402", "failed"),
    "expired": PaymentVerdict("Order expired", "410", "failed"),
    "canceled": PaymentVerdict("Order canceled", "410", "failed"),
}
"""By order_status; a failure adds its reason to the message."""


UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
ORDER_ID = re.compile(r"[A-Za-z0-9_-]{3,45}")
EMAIL = re.compile(r"[^\s@<>,;]{1,64}+@[^\s@<>,;.]{1,255}+(?>(?:\.[^\s@<>,;.]{1,255}+){1,127})")
_PHONE = re.compile(r"\+?[0-9(][0-9 ().-]{0,99}+")
METHOD_WORDS = re.compile(r"[A-Za-z0-9_-]{1,99}+(?>(?: {0,9}+, {0,9}+[A-Za-z0-9_-]{1,99}+){0,99})")
_DECIMAL = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?")
_URL = re.compile(r"https?://[^/?#@\\\s]{1,300}+(?:[/?#][\x21-\x7e]*+)?", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\x7e]{1,255}")

_HEADERS = ("x-client-id", "x-client-secret", "idempotency-key", "x-idempotency-key")

CAPTURE_METHODS = {method.value: method for method in CaptureMethod}
_MODULES = {module.value: module for module in Module}

Uint32 = Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Email = Annotated[str, msgspec.Meta(max_length=100)]
Phone = Annotated[str, msgspec.Meta(min_length=5, max_length=20)]
Tag = Annotated[str, msgspec.Meta(max_length=255)]
Url = Annotated[str, msgspec.Meta(max_length=1024)]


class CustomerDetails(msgspec.Struct, forbid_unknown_fields=True):
    """What is said here a second time must be the same as at the top of the request."""

    customer_id: Uint32 | None = None
    org_id: Uint32 | None = None
    customer_name: str | None = None
    customer_email: str | None = None
    customer_phone: str | None = None


class OrderMeta(msgspec.Struct, forbid_unknown_fields=True):
    return_url: Url | None = None
    notify_url: Url | None = None
    payment_methods: Tag | None = None


class OrderTags(msgspec.Struct, forbid_unknown_fields=True):
    name: Tag | None = None
    age: Tag | None = None


class CreateOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """CreateOrderRequest; `order_amount` is in major units. A member that is null is absent."""

    customer_name: Name
    customer_email: Email
    customer_phone: Phone
    order_amount: edge.Number
    order_id: str | None = None
    order_currency: str | None = None
    customer_details: CustomerDetails | None = None
    order_meta: OrderMeta | None = None
    order_expiry_time: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    order_note: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    order_tags: OrderTags | None = None
    module: str | None = None
    capture_method: str | None = None
    business_id: Annotated[str, msgspec.Meta(max_length=64)] | None = None


class VerifyPayment(msgspec.Struct, forbid_unknown_fields=True):
    """VerifyPaymentRequest."""

    order_id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


_NO_DETAILS, _NO_META, _NO_TAGS = CustomerDetails(), OrderMeta(), OrderTags()


def read_headers(headers: Headers) -> dict[str, str]:
    """Who asks, and the idempotency key. What was sent twice is joined as RFC 9110, 5.3 says, with
    a blank, which neither a credential nor a key can hold: so it is refused where it is read."""
    return {name: ", ".join(headers.getlist(name)) for name in _HEADERS if name in headers}


def read_credentials(headers: Mapping[str, str]) -> tuple[str, str]:
    """The client's id and secret.

    Raises: Unauthenticated when one is missing or was sent twice.
    """
    client_id, secret = headers.get("x-client-id", ""), headers.get("x-client-secret", "")
    if not _KEY.fullmatch(client_id) or not _KEY.fullmatch(secret):
        raise Unauthenticated("x-client-id and x-client-secret are needed, once each")
    return client_id, secret


def read_key(headers: Mapping[str, str]) -> str | None:
    """The idempotency key, under either of its two header names.

    Raises: InvalidRequest.
    """
    key, other = headers.get("idempotency-key"), headers.get("x-idempotency-key")
    if key is not None and other is not None and key != other:
        raise _wrong_key("it differs from x-idempotency-key")
    key = other if key is None else key
    if key is not None and not _KEY.fullmatch(key):
        raise _wrong_key("1 to 255 visible ASCII characters are needed, once")
    return key


def _wrong_key(why: str) -> InvalidRequest:
    """Named as the header that it is; its code is of the form of a member's."""
    said = f"Idempotency-Key: {why}"
    return InvalidRequest(said, field="idempotency_key", reason="value")


def with_one_amount(members: Any) -> Any:
    """The request with `order_amount` alone, where `order_amount_decimal` says it as text.

    Raises: InvalidRequest where the two differ.
    """
    if not isinstance(members, dict) or "order_amount_decimal" not in members:
        return members
    rest = dict(members)
    text = rest.pop("order_amount_decimal")
    if text is None:
        return rest
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        raise wrong("order_amount_decimal", 'decimal text such as "299.99" is needed')
    amount, other = Decimal(text), rest.get("order_amount")
    if other is not None and not _says(other, amount):
        raise wrong(
            "order_amount_decimal", f"it says {amount}, and order_amount says {other}; give one"
        )
    rest["order_amount"] = amount
    return rest


def _says(number: Any, amount: Decimal) -> bool:
    """A double says what a client makes of the same text; all others say it exactly."""
    if type(number) in (int, Decimal):
        return bool(number == amount)
    return not isinstance(number, str | bool | list | dict) and type(number)(amount) == number


def read_create(
    wanted: CreateOrder, principal: Principal, *, request_id: str | None, now: datetime
) -> NewOrder:
    """The order that is asked for, checked as far as no database is needed.

    Raises: InvalidRequest.
    """
    company = principal.company
    meta, tags = wanted.order_meta or _NO_META, wanted.order_tags or _NO_TAGS
    number = (wanted.customer_details or _NO_DETAILS).customer_id
    _check_customer(wanted, company)
    _check_order(wanted, meta, tags)
    currency = company.currency if wanted.order_currency is None else wanted.order_currency
    return NewOrder(
        company=company,
        business_id=wanted.business_id or principal.business_id,
        actor=principal.actor,
        face=FACE,
        amount=payable(Money.from_major(wanted.order_amount, currency)),
        order_id=wanted.order_id,
        request_scope=CREATE_SCOPE,
        request_id=request_id,
        customer_id=str(number) if number else "",
        customer_number=number,
        customer_name=wanted.customer_name,
        customer_email=wanted.customer_email,
        customer_phone=wanted.customer_phone,
        module=_module(wanted.module),
        note=wanted.order_note or "",
        tags={name: said for name, said in (("name", tags.name), ("age", tags.age)) if said},
        return_url=meta.return_url or "",
        notify_url=meta.notify_url or "",
        payment_methods=meta.payment_methods or "",
        expires_at=_expiry(wanted, now),
        capture_method=_capture_method(wanted.capture_method),
    )


def _check_customer(wanted: CreateOrder, company: Company) -> None:
    if not wanted.customer_name.strip() or UNREADABLE.search(wanted.customer_name):
        raise wrong("customer_name", "a name without control characters is needed")
    if not EMAIL.fullmatch(wanted.customer_email) or UNREADABLE.search(wanted.customer_email):
        raise wrong("customer_email", "an address such as alice@example.com is needed")
    digits = sum(character.isdecimal() for character in wanted.customer_phone)
    if not _PHONE.fullmatch(wanted.customer_phone) or digits < 5:
        raise wrong("customer_phone", "5 to 20 digits are needed, with + in front if you like")
    details = wanted.customer_details
    if details is None:
        return
    if details.org_id is not None and details.org_id != company.number:
        raise wrong("customer_details.org_id", "this is not your organization")
    for field in ("customer_name", "customer_email", "customer_phone"):
        if getattr(details, field) not in (None, getattr(wanted, field)):
            raise wrong(f"customer_details.{field}", f"it differs from {field}")


def _check_order(wanted: CreateOrder, meta: OrderMeta, tags: OrderTags) -> None:
    if wanted.order_id is not None and not ORDER_ID.fullmatch(wanted.order_id):
        raise wrong("order_id", "3 to 45 of letters, digits, _ and - are needed")
    if meta.return_url and not is_address(meta.return_url):
        raise wrong(
            "order_meta.return_url", "an absolute http or https address without spaces is needed"
        )
    if meta.payment_methods and not METHOD_WORDS.fullmatch(meta.payment_methods):
        raise wrong("order_meta.payment_methods", "words with commas between them are needed")
    for field, said in (
        ("order_note", wanted.order_note),
        ("order_meta.notify_url", meta.notify_url),
        ("order_tags.name", tags.name),
        ("order_tags.age", tags.age),
    ):
        if said and UNREADABLE.search(said):
            raise wrong(field, "control characters are not allowed")


def is_address(text: str) -> bool:
    """Whether a browser can be sent there."""
    try:
        parts = urlsplit(text)
        return bool(_URL.fullmatch(text) and parts.hostname) and parts.port != 0
    except ValueError:  # brackets that hold no IPv6 address, a port beyond 65535
        return False


def _expiry(wanted: CreateOrder, now: datetime) -> datetime | None:
    """The expiry in UTC, so that a repeat with another offset is the same request.

    That it lies ahead is not asked here: a repeat that comes after it is still answered as the
    first was, and only the use case knows a repeat.
    """
    expiry = wanted.order_expiry_time
    if expiry is None:
        return None
    if expiry > now + LATEST_EXPIRY:
        raise wrong("order_expiry_time", f"at most {LATEST_EXPIRY.days} days ahead are possible")
    if expiry < EARLIEST_EXPIRY:
        raise wrong("order_expiry_time", "a moment in the future is needed")
    return expiry.astimezone(UTC)


def _module(word: str | None) -> Module | None:
    if word is None:
        return None
    module = _MODULES.get(word.lower())
    if module is None:
        raise wrong("module", "GROOMING, RETAIL or MEMBERSHIP is needed")
    return module


def _capture_method(word: str | None) -> CaptureMethod:
    method = CAPTURE_METHODS.get("automatic" if word is None else word.lower())
    if method is None:
        raise wrong("capture_method", "automatic or manual is needed")
    return method


def wrong(field: str, why: str) -> InvalidRequest:
    """What is wrong with the member `field`, to be raised."""
    return InvalidRequest(f"{field}: {why}", field=field, reason="value")


class OrderCreated(msgspec.Struct, frozen=True):
    """CreateOrderResponse. `payment_link`, where the payer pays, is an addition of ours."""

    payment_session_id: str
    return_url: str
    order_id: str
    payment_link: str


def write_created(created: CreatedOrder, base_url: str) -> OrderCreated:
    """Without an address of the merchant's own, `return_url` is the order's page at the cashier."""
    order = created.order
    link = f"{base_url}/pay/{order.session_token}"
    return OrderCreated(order.session_token, order.return_url or link, order.id, link)


def _paid(verdict: PaymentVerdict, payment: Payment, taken: TakenBack) -> PaymentVerdict:
    """It was paid; where a bank has all of it since, nobody may deliver on that."""
    message = message_of(payment, taken)
    if not taken.leaves_nothing(payment):
        return PaymentVerdict(message, verdict.code, verdict.status)
    other = VERDICT["failed" if taken.is_final else "pending"]
    return PaymentVerdict(message, other.code, other.status)


def write_verdict(
    order: Order,
    payments: Sequence[Payment],
    taken: Mapping[str, TakenBack] = MappingProxyType({}),
) -> PaymentVerdict:
    """What VerifyPayment says of an order. `taken`: what banks have, by payment."""
    word = order_word(order, payments)
    verdict = VERDICT[word]
    deciding = deciding_payment(payments)
    if word == "paid" and deciding is not None and deciding.is_paid:
        return _paid(verdict, deciding, taken.get(deciding.id, NOTHING_TAKEN))
    if word == "failed" and deciding is not None and deciding.failure_message:
        message = f"{verdict.message}: {deciding.failure_message}"
        return PaymentVerdict(message, verdict.code, verdict.status)
    if word != "paid" and deciding is not None and deciding.unapplied_minor:
        return PaymentVerdict(message_of(deciding), verdict.code, verdict.status)
    return verdict
