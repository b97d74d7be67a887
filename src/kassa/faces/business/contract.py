"""The business face's words: payments out as protobuf and as JSON, and its errors.

Source: seed 000; moego.business.payment.v1 as published.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.rpc import status_pb2
from google.type import money_pb2
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import EXPONENT, Money
from kassa.faces import grpc_status
from kassa.orders.domain.orders import Module
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.taken_back import Taking
from kassa.payments.usecases.find_payments import View
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

STAFF = "operator:"
"""How actors begin that are people of the merchant's."""

ID_LIMIT = 64
_SCALE = {currency: (10**exponent, 10 ** (9 - exponent)) for currency, exponent in EXPONENT.items()}
"""Per currency: minor units in a unit, and nano-units in a minor unit."""


def to_money_parts(money: Money) -> tuple[int, int]:
    """Whole units, and the rest in nano-units, exactly; both carry the sign."""
    minor_per_unit, nanos_per_minor = _SCALE[money.currency]
    units, rest = divmod(abs(money.minor), minor_per_unit)
    nanos = rest * nanos_per_minor
    return (-units, -nanos) if money.minor < 0 else (units, nanos)


def to_message(view: View) -> payment_pb2.Payment:
    payment, customer = view.payment, view.order.customer
    currency = payment.amount.currency
    return payment_pb2.Payment(
        id=payment.id,
        business_id=payment.business_id,
        order_id=payment.order_id,
        customer_id=customer.id,
        customer_name=customer.name,
        method=payment.method or "",
        status=STATUS[payment.status],
        module=MODULE[payment.module],
        amount=_money_message(payment.amount),
        processing_fee=_money_message(payment.fee),
        refund_amount=_money_message(payment.returned),
        created_time=payment.created_at,
        last_updated_time=payment.updated_at,
        refunds=[_refund_message(refund) for refund in view.refunds],
        captured_amount=_money_message(Money(payment.earned_minor, currency)),
        disputed_amount=_money_message(Money(view.disputed_minor, currency)),
        overpaid_amount=_money_message(payment.surplus_amount),
        returned_amount=_money_message(Money(view.returned_minor, currency)),
        overpaid_fee=_money_message(Money(view.surplus_fee_minor, currency)),
        net_amount=_money_message(Money(view.net_minor, currency)),
        reversal_status=REVERSAL[view.taken.taking],
    )


def _refund_message(refund: Modification) -> payment_pb2.Refund:
    return payment_pb2.Refund(
        id=refund.id,
        amount=_money_message(refund.amount),
        reason=_reason(refund),
        processed_time=_processed(refund),
        staff_id=_staff(refund),
        payment_id=refund.payment_id,
    )


def _reason(refund: Modification) -> str:
    return OVERPAID if refund.surplus else refund.reason


def _processed(refund: Modification) -> datetime:
    return refund.completed_at or refund.updated_at


def _staff(refund: Modification) -> str:
    return refund.actor.removeprefix(STAFF) if refund.actor.startswith(STAFF) else ""


def _money_message(money: Money) -> money_pb2.Money:
    units, nanos = to_money_parts(money)
    return money_pb2.Money(currency_code=money.currency, units=units, nanos=nanos)


def to_json(view: View) -> dict[str, Any]:
    """What protobuf's JSON mapping makes of `to_message`, every field present, made directly.

    The general mapping is too slow for lists; a test holds the two together.
    """
    payment, customer = view.payment, view.order.customer
    currency = payment.amount.currency
    net, captured = view.net_minor, payment.earned_minor
    of_net = _minor_json(net, currency)
    return {
        "id": payment.id,
        "businessId": payment.business_id,
        "orderId": payment.order_id,
        "customerId": customer.id,
        "customerName": customer.name,
        "method": payment.method or "",
        "status": STATUS[payment.status],
        "module": MODULE[payment.module],
        "amount": _minor_json(payment.amount.minor, currency),
        "processingFee": _minor_json(payment.fee.minor, currency),
        "refundAmount": _minor_json(payment.returned.minor, currency),
        "createdTime": _timestamp(payment.created_at),
        "lastUpdatedTime": _timestamp(payment.updated_at),
        "refunds": [_refund_json(refund) for refund in view.refunds] if view.refunds else [],
        "capturedAmount": of_net if captured == net else _minor_json(captured, currency),
        "disputedAmount": _minor_json(view.disputed_minor, currency),
        "overpaidAmount": _minor_json(payment.surplus_amount.minor, currency),
        "returnedAmount": _minor_json(view.returned_minor, currency),
        "overpaidFee": _minor_json(view.surplus_fee_minor, currency),
        "netAmount": of_net,
        "reversalStatus": REVERSAL[view.taken.taking],
    }


def _refund_json(refund: Modification) -> dict[str, Any]:
    return {
        "id": refund.id,
        "amount": _money_json(refund.amount),
        "reason": _reason(refund),
        "processedTime": _timestamp(_processed(refund)),
        "staffId": _staff(refund),
        "paymentId": refund.payment_id,
    }


_NOTHING: Mapping[str, dict[str, Any]] = {
    currency: {"currencyCode": currency, "units": "0", "nanos": 0} for currency in EXPONENT
}


def _money_json(money: Money) -> dict[str, Any]:
    return _minor_json(money.minor, money.currency)


def _minor_json(minor: int, currency: str) -> dict[str, Any]:
    """As `to_money_parts`; a page has hundreds of amounts, and most of them are none."""
    if not minor:
        return _NOTHING[currency]
    minor_per_unit, nanos_per_minor = _SCALE[currency]
    units, rest = divmod(minor if minor > 0 else -minor, minor_per_unit)
    nanos = rest * nanos_per_minor
    if minor < 0:
        units, nanos = -units, -nanos
    return {"currencyCode": currency, "units": str(units), "nanos": nanos}


def _timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with 0, 3 or 6 digits of a second: as few as lose nothing."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    if utc.microsecond == 0:
        digits = "seconds"
    elif utc.microsecond % 1000 == 0:
        digits = "milliseconds"
    else:
        digits = "microseconds"
    return utc.isoformat(timespec=digits)[: -len("+00:00")] + "Z"


@dataclass(frozen=True, slots=True)
class ListedPayments:
    """A page. `changes_token` and `complete_until` are of lists of changes."""

    views: Sequence[View]
    next_page_token: str
    changes_token: str = ""
    complete_until: datetime | None = None


def to_list_message(page: ListedPayments) -> payment_pb2.ListPaymentsResponse:
    return payment_pb2.ListPaymentsResponse(
        next_page_token=page.next_page_token,
        payments=[to_message(view) for view in page.views],
        changes_token=page.changes_token,
        complete_until=page.complete_until,
    )


def to_list_json(page: ListedPayments) -> dict[str, Any]:
    """A message that is not set has no member, as in protobuf's JSON."""
    told: dict[str, Any] = {
        "nextPageToken": page.next_page_token,
        "payments": [to_json(view) for view in page.views],
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
