"""The checkout face's words: its one request, its Payment, its statuses and its errors."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

STATUS: Mapping[PaymentStatus, str] = {
    PaymentStatus.CREATED: "PENDING",
    PaymentStatus.REQUIRES_ACTION: "PENDING",
    PaymentStatus.PROCESSING: "PENDING",
    PaymentStatus.AUTHORIZED: "PENDING",
    PaymentStatus.CAPTURED: "CONFIRMED",
    PaymentStatus.SETTLED: "CONFIRMED",
    PaymentStatus.CANCELED: "INVALID",
    PaymentStatus.FAILED: "INVALID",
    PaymentStatus.EXPIRED: "TIMEOUT",
}
"""Of a payment whose money, when any came, is still there."""

_TOO_LATE = frozenset({"closed", "payer_too_late"})
"""Of failed payments: nobody refused, the provider closed what was not paid in its time."""

HTTP = edge.HTTP_STATUS
_STATUS_OF_REASON = {"body_too_large": 413, "method_not_allowed": 405}

NOT_YOURS = "no such payment or order of yours"
"""Said for what is missing and for what is somebody else's, so that nobody can tell them apart."""

_NO_STORE = {"Cache-Control": "no-store"}
_NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_MAX_NUMBER = 2**63 - 1
_LONGEST_NAME = 255
# Line breaks and tabs are text. Other control characters and lone surrogates are not: neither
# the database nor a payment page can show them.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class CreatePayment(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of POST /api/v1/payments. Lengths are in characters."""

    orderId: Annotated[str, Meta(min_length=1, max_length=64)]  # noqa: N815 - the wire's word
    subject: Annotated[str, Meta(min_length=1, max_length=256)]
    description: Annotated[str, Meta(max_length=400)] | None = None
    channel: Literal["page", "wap", "app", "qr"] = "page"


class PaymentJson(msgspec.Struct, frozen=True):
    """The seed's Payment entity: these members, in this order; then those of ours, where there is
    an address that runs out, or where a part came by bank transfer."""

    id: int
    order: str
    orderString: str | None  # noqa: N815 - the wire's words, here and below
    createdAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    payer: str
    subject: str
    description: str | None
    totalAmount: Decimal  # noqa: N815
    status: str
    vendorTradeId: str | None  # noqa: N815
    confirmedAt: str | None  # noqa: N815
    confirmed: bool
    valid: bool
    orderStringExpiresAt: str | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    unappliedAmount: Decimal | msgspec.UnsetType = msgspec.UNSET  # noqa: N815
    missingAmount: Decimal | msgspec.UnsetType = msgspec.UNSET  # noqa: N815


def check_create(wanted: CreatePayment) -> CreatePayment:
    """`wanted` itself, when its texts can be kept and shown.

    Raises: InvalidRequest; NotFound for an order id no order can have.
    """
    if not wanted.subject.strip():
        raise InvalidRequest("subject: it must say something", field="subject")
    for field, text in (("subject", wanted.subject), ("description", wanted.description or "")):
        if _NOT_TEXT.search(text):
            raise InvalidRequest(f"{field}: it has characters that are not text", field=field)
    if not wanted.orderId.isascii() or not wanted.orderId.isprintable():
        raise NotFound(NOT_YOURS)
    return wanted


def is_username(text: str) -> bool:
    """Whether the database can keep it, and a page show it, as a payer's name."""
    return len(text) <= _LONGEST_NAME and text.isprintable()


def read_number(text: str) -> int:
    """A payment id from a path. Whatever is not a positive 64-bit integer names no payment.

    Raises: NotFound.
    """
    if _NUMBER.fullmatch(text) and int(text) <= _MAX_NUMBER:
        return int(text)
    raise NotFound(NOT_YOURS)


def date_text(moment: datetime) -> str:
    """The seed's date format, in UTC: 2019-04-19T15:31:20.807+0000."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def is_confirmed(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> bool:
    """Whether money has come, and some of it is still there: not all given back to the payer, nor
    taken back by the payer's bank."""
    gone = payment.away_minor
    is_there = gone == 0 or gone < payment.captured.minor
    return payment.is_paid and is_there and not taken.leaves_nothing(payment)


def status_of(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> str:
    """One of the four words."""
    if payment.is_paid and not is_confirmed(payment, taken):
        return "INVALID"
    if payment.status is PaymentStatus.FAILED and payment.failure_code in _TOO_LATE:
        return "TIMEOUT"
    return STATUS[payment.status]


def write_payment(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> PaymentJson:
    if payment.number is None:
        raise ValueError(f"payment {payment.id} was never opened here: it has no number")
    return PaymentJson(
        id=payment.number,
        order=payment.order_id,
        orderString=payment.redirect_url or None,
        createdAt=date_text(payment.created_at),
        updatedAt=date_text(payment.updated_at),
        payer=payment.payer,
        subject=payment.subject,
        description=payment.description or None,
        totalAmount=payment.amount.major,
        status=status_of(payment, taken),
        vendorTradeId=payment.provider_reference or None,
        confirmedAt=date_text(payment.captured_at) if payment.captured_at else None,
        confirmed=is_confirmed(payment, taken),
        valid=is_confirmed(payment, taken) and not payment.surplus,
        orderStringExpiresAt=_runs_out(payment),
        unappliedAmount=payment.unapplied.major if payment.unapplied_minor else msgspec.UNSET,
        missingAmount=payment.missing.major if payment.unapplied_minor else msgspec.UNSET,
    )


def _runs_out(payment: Payment) -> str | msgspec.UnsetType:
    ends = payment.redirect_expires_at
    return date_text(ends) if payment.redirect_url and ends is not None else msgspec.UNSET


def write_data(value: PaymentJson | bool) -> Response:
    """The seed's envelope. Never kept by a cache: it is one person's, and it changes."""
    return edge.answer({"data": value}, headers=_NO_STORE)


def write_error(_request: Request, error: KassaError) -> Response:
    """`data` null, and an `error` with the stable code and a sentence."""
    said = NOT_YOURS if isinstance(error, NotFound) else error.message
    status = _STATUS_OF_REASON.get(error.reason, HTTP[error.code])
    headers = dict(_NO_STORE)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="kassa"'
    pause = pause_of(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    body = {"data": None, "error": {"code": error.code, "message": said}}
    return edge.answer(body, status, headers)
