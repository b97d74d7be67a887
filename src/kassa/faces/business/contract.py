"""The business face's words: payments out as protobuf and as JSON, and its errors.

Source: seed 000; moego.business.payment.v1 as published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from google.rpc import status_pb2
from google.type.money_pb2 import Money
from msgspec import Raw
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import EXPONENT
from kassa.faces import grpc_status
from kassa.orders.domain.orders import Module
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.summaries import Summary
from kassa.payments.domain.taken_back import Taking
from moego.business.payment.v1 import payment_pb2

STATUS: Mapping[PaymentStatus, str] = {
    PaymentStatus.CREATED: "CREATED",
    PaymentStatus.REQUIRES_ACTION: "CREATED",
    PaymentStatus.PROCESSING: "PROCESSING",
    PaymentStatus.AUTHORIZED: "PROCESSING",
    PaymentStatus.CAPTURED: "PAID",
    PaymentStatus.SETTLED: "COMPLETED",
    PaymentStatus.CANCELED: "FAILED",
    PaymentStatus.FAILED: "FAILED",
    PaymentStatus.EXPIRED: "FAILED",
}

MODULE: Mapping[Module, str] = {
    Module.GROOMING: "GROOMING",
    Module.RETAIL: "RETAIL",
    Module.MEMBERSHIP: "MEMBERSHIP",
}

REVERSAL: Mapping[Taking | None, str] = {
    None: "",
    **{taking: taking.value.upper() for taking in Taking},
}
"""How a bank has what is disputed; the status says that it was paid, as it was."""

OVERPAID = "overpaid"
"""The reason of a return that nobody asked for."""

STAFF = ("operator:", "staff:")
"""How actors begin that are people of the merchant's."""

ID_LIMIT = 64
_SCALE = {currency: (10**exponent, 10 ** (9 - exponent)) for currency, exponent in EXPONENT.items()}
"""Per currency: minor units in a unit, and nano-units in a minor unit."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS = {status: getattr(payment_pb2.Payment, word) for status, word in STATUS.items()}
_MODULE = {module: getattr(payment_pb2.Payment, word) for module, word in MODULE.items()}


def to_money_parts(minor: int, currency: str) -> tuple[int, int]:
    """Whole units, and the rest in nano-units, exactly; both carry the sign."""
    minor_per_unit, nanos_per_minor = _SCALE[currency]
    units, rest = divmod(minor if minor >= 0 else -minor, minor_per_unit)
    nanos = rest * nanos_per_minor
    return (-units, -nanos) if minor < 0 else (units, nanos)


def to_message(payment: Summary) -> payment_pb2.Payment:
    message = payment_pb2.Payment()
    _write(payment, message)
    return message


def _write(payment: Summary, message: payment_pb2.Payment) -> None:
    """Into a message that is empty: to make one and copy it into a list takes longer than this, as
    do constructors that are given messages."""
    currency = payment.currency
    message.MergeFromString(_IN_CURRENCY[currency])
    message.id = payment.id
    message.business_id = payment.business_id
    message.order_id = payment.order_id
    message.customer_id = payment.customer_id
    message.customer_name = payment.customer_name
    message.method = payment.method or ""
    message.status = _STATUS[payment.status]
    message.module = _MODULE[payment.module]
    if payment.taken.taking is not None:
        word = REVERSAL[payment.taken.taking]
        message.MergeFrom(payment_pb2.Payment(reversal_status=word))
    _write_time(message.created_time, payment.created_at)
    _write_time(message.last_updated_time, payment.updated_at)
    for name, minor in (
        ("amount", payment.amount_minor),
        ("processing_fee", payment.fee_minor),
        ("refund_amount", payment.back_minor),
        ("captured_amount", payment.earned_minor),
        ("disputed_amount", payment.by_banks_minor),
        ("overpaid_amount", payment.surplus_minor),
        ("returned_amount", payment.returned_minor),
        ("overpaid_fee", payment.surplus_fee_minor),
        ("net_amount", payment.net_minor),
        ("unapplied_amount", payment.unapplied_minor),
    ):
        if minor:
            money = getattr(message, name)
            money.units, money.nanos = to_money_parts(minor, currency)
    for refund in payment.refunds:
        units, nanos = to_money_parts(refund.amount.minor, refund.amount.currency)
        message.refunds.add(
            id=refund.id,
            amount=Money(currency_code=refund.amount.currency, units=units, nanos=nanos),
            reason=_reason(refund),
            processed_time=_processed(refund),
            staff_id=_staff(refund),
            payment_id=refund.payment_id,
        )


_IN_CURRENCY: Mapping[str, bytes] = {
    currency: payment_pb2.Payment(
        **{
            field.name: Money(currency_code=currency)
            for field in payment_pb2.Payment.DESCRIPTOR.fields
            if field.message_type is Money.DESCRIPTOR
        }
    ).SerializeToString()
    for currency in EXPONENT
}
"""A payment with nothing but its amounts, each of nothing: most amounts are, and to make each such
message by itself takes longer than all the rest."""


def _write_time(message: timestamp_pb2.Timestamp, moment: datetime) -> None:
    """As protobuf's own `FromDatetime`, which takes five times as long."""
    since = moment - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1000


def _reason(refund: Modification) -> str:
    return OVERPAID if refund.surplus else refund.reason


def _processed(refund: Modification) -> datetime:
    return refund.completed_at or refund.updated_at


def _staff(refund: Modification) -> str:
    return refund.actor.partition(":")[2] if refund.actor.startswith(STAFF) else ""


def to_json(payment: Summary) -> dict[str, Any]:
    """What protobuf's JSON mapping makes of `to_message`, every field present, made directly.

    The general mapping is too slow for lists; a test holds the two together.
    """
    currency = payment.currency
    return {
        "id": payment.id,
        "businessId": payment.business_id,
        "orderId": payment.order_id,
        "customerId": payment.customer_id,
        "customerName": payment.customer_name,
        "method": payment.method or "",
        "status": STATUS[payment.status],
        "module": MODULE[payment.module],
        "amount": _money_json(payment.amount_minor, currency),
        "processingFee": _money_json(payment.fee_minor, currency),
        "refundAmount": _money_json(payment.back_minor, currency),
        "createdTime": _timestamp(payment.created_at),
        "lastUpdatedTime": _timestamp(payment.updated_at),
        "refunds": [_refund_json(refund) for refund in payment.refunds],
        "capturedAmount": _money_json(payment.earned_minor, currency),
        "disputedAmount": _money_json(payment.by_banks_minor, currency),
        "overpaidAmount": _money_json(payment.surplus_minor, currency),
        "returnedAmount": _money_json(payment.returned_minor, currency),
        "overpaidFee": _money_json(payment.surplus_fee_minor, currency),
        "netAmount": _money_json(payment.net_minor, currency),
        "reversalStatus": REVERSAL[payment.taken.taking],
        "unappliedAmount": _money_json(payment.unapplied_minor, currency),
    }


def _refund_json(refund: Modification) -> dict[str, Any]:
    return {
        "id": refund.id,
        "amount": _money_json(refund.amount.minor, refund.amount.currency),
        "reason": _reason(refund),
        "processedTime": _timestamp(_processed(refund)),
        "staffId": _staff(refund),
        "paymentId": refund.payment_id,
    }


def _money_json(minor: int, currency: str) -> Raw:
    """A page has hundreds of amounts, and most of them are none."""
    if not minor:
        return _NOTHING[currency]
    return Raw(_MONEY % (currency.encode(), *to_money_parts(minor, currency)))


_MONEY = b'{"currencyCode":"%b","units":"%d","nanos":%d}'
_NOTHING = {currency: Raw(_MONEY % (currency.encode(), 0, 0)) for currency in EXPONENT}


def _timestamp(moment: datetime) -> datetime | str:
    """RFC 3339 in UTC with 0, 3 or 6 digits of a second: as few as lose nothing. The encoder writes
    0 or 6 by itself, in a tenth of the time."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    if utc.microsecond % 1000 or not utc.microsecond:
        return utc
    return f"{utc.isoformat()[: -len('000+00:00')]}Z"


@dataclass(frozen=True, slots=True)
class ListedPayments:
    """A page. `changes_token` and `complete_until` are of lists of changes."""

    payments: Sequence[Summary]
    next_page_token: str
    changes_token: str = ""
    complete_until: datetime | None = None


def to_list_message(page: ListedPayments) -> payment_pb2.ListPaymentsResponse:
    message = payment_pb2.ListPaymentsResponse(
        next_page_token=page.next_page_token,
        changes_token=page.changes_token,
        complete_until=page.complete_until,
    )
    for payment in page.payments:
        _write(payment, message.payments.add())
    return message


def to_list_json(page: ListedPayments) -> dict[str, Any]:
    """A message that is not set has no member, as in protobuf's JSON."""
    told: dict[str, Any] = {
        "nextPageToken": page.next_page_token,
        "payments": [to_json(payment) for payment in page.payments],
        "changesToken": page.changes_token,
    }
    if page.complete_until is not None:
        told["completeUntil"] = _timestamp(page.complete_until)
    return told


def read_id(text: str, field: str) -> str:
    """An id that may exist: 1 to 64 printable characters. Its shape is nobody's business.

    Raises: InvalidRequest.
    """
    if not text:
        raise InvalidRequest(f"{field} must not be empty", field=field, reason="id_invalid")
    if len(text) > ID_LIMIT or not text.isprintable():
        raise InvalidRequest(
            f"{field} must be at most {ID_LIMIT} printable characters",
            field=field,
            reason="id_invalid",
        )
    return text


def _worded(error: KassaError) -> KassaError:
    """The seed's own sentence where it has one."""
    if error.code == NotFound.code:
        return NotFound("Specified payment ID does not exist.", reason="payment_not_found")
    return error


def status_of(error: KassaError) -> status_pb2.Status:
    return grpc_status.status_of(_worded(error))


def write_error(request: Request, error: KassaError) -> Response:
    return grpc_status.write_error(request, _worded(error))
