"""Rows to nouns and back: the one place that knows both the columns and the dataclasses."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from kassa.domain.disputes import Dispute
from kassa.domain.lifecycle import (
    AttemptStatus,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.domain.modifications import Modification
from kassa.domain.money import Money
from kassa.domain.orders import Customer, Module, Order
from kassa.domain.payments import Attempt, CaptureMethod, Method, Payment
from kassa.store.connection import Cells

ORDER_COLUMNS = (
    "company_id, id, business_id, amount_minor, currency, status, module, customer_id,"
    " customer_number, customer_name, customer_email, customer_phone, org_number, description,"
    " note, tags, return_url, notify_url, notify_kind, payment_methods, session_token, face,"
    " request_scope, request_id, fingerprint, extra, created_at, updated_at, expires_at"
).split(", ")

PAYMENT_COLUMNS = (
    "company_id, id, order_id, business_id, amount_minor, currency, status, method, module,"
    " authorized_minor, captured_minor, refunded_minor, refund_reserved_minor, fee_minor, surplus,"
    " surplus_minor, retry_allowed, payer, subject, description, number, connector,"
    " provider_reference, instrument, redirect_url, redirect_expires_at, failure_code,"
    " failure_message, extra, created_at, updated_at, captured_at, expires_at, version,"
    " released_minor, surplus_returned_minor, surplus_reserved_minor, disputed_minor,"
    " double_paid_minor, settled_minor, expected_fee_minor, fee_known, capture_method,"
    " authorization_expires_at, modifications, disputes"
).split(", ")

ATTEMPT_COLUMNS = (
    "company_id, id, payment_id, number, connector, method, status, amount_minor, currency,"
    " instrument, provider_reference, failure_code, failure_message, query_count, next_query_at,"
    " last_query_at, created_at, updated_at, surplus, undecided_since"
).split(", ")

MODIFICATION_COLUMNS = (
    "company_id, id, payment_id, attempt_id, number, kind, status, amount_minor, currency,"
    " connector, surplus, is_last, reason, actor, face, request_scope, request_id, fingerprint,"
    " provider_reference, fee_minor, failure_code, failure_message, query_count, next_query_at,"
    " last_query_at, created_at, updated_at, completed_at, extra, undecided_since"
).split(", ")

DISPUTE_COLUMNS = (
    "company_id, id, payment_id, attempt_id, number, connector, provider_reference, stage, status,"
    " reason, amount_minor, fee_minor, currency, withdrawn, double_paid_minor, respond_by,"
    " opened_at, updated_at, closed_at"
).split(", ")


def whole(number: Decimal | int) -> int:
    """A sum of whole numbers as the database gives it: numeric, since it may be beyond 64 bits.

    Raises: ValueError when it is not whole.
    """
    exact = int(number)
    if exact != number:
        raise ValueError(f"{number} is not whole")
    return exact


def columns(alias: str, names: Sequence[str]) -> str:
    """`names` for a select list, each qualified by `alias`."""
    return ", ".join(f"{alias}.{name}" for name in names)


def json_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as one JSON array, for `json_populate_recordset`: one parameter for a whole set."""
    return msgspec.json.encode(rows).decode()


def read_order(row: Cells) -> Order:
    """`row`: the values of ORDER_COLUMNS, in their order."""
    customer = Customer(id=row[7], number=row[8], name=row[9], email=row[10], phone=row[11])
    return Order(
        company_id=row[0],
        id=row[1],
        business_id=row[2],
        amount=Money(row[3], row[4]),
        status=OrderStatus(row[5]),
        module=Module(row[6]),
        customer=customer,
        org_number=row[12],
        description=row[13],
        note=row[14],
        tags=row[15],
        return_url=row[16],
        notify_url=row[17],
        notify_kind=row[18],
        payment_methods=row[19],
        session_token=row[20],
        face=row[21],
        request_scope=row[22],
        request_id=row[23],
        fingerprint=row[24],
        extra=row[25],
        created_at=row[26],
        updated_at=row[27],
        expires_at=row[28],
    )


def read_payment(row: Cells, order: Order) -> Payment:
    """`row`: the values of PAYMENT_COLUMNS, in their order; `order`: the order it is for."""
    currency = row[5]
    nothing = Money(0, currency)
    return Payment(
        company_id=row[0],
        id=row[1],
        order_id=row[2],
        business_id=row[3],
        amount=Money(row[4], currency),
        status=PaymentStatus(row[6]),
        method=Method(row[7]) if row[7] else None,
        module=Module(row[8]),
        authorized=Money(row[9], currency) if row[9] else nothing,
        captured=Money(row[10], currency) if row[10] else nothing,
        refunded=Money(row[11], currency) if row[11] else nothing,
        refund_reserved=Money(row[12], currency) if row[12] else nothing,
        fee=Money(row[13], currency) if row[13] else nothing,
        surplus=row[14],
        surplus_amount=Money(row[15], currency) if row[15] else nothing,
        retry_allowed=row[16],
        payer=row[17],
        subject=row[18],
        description=row[19],
        number=row[20],
        connector=row[21],
        provider_reference=row[22],
        instrument=row[23],
        redirect_url=row[24],
        redirect_expires_at=row[25],
        failure_code=row[26],
        failure_message=row[27],
        extra=row[28],
        created_at=row[29],
        updated_at=row[30],
        captured_at=row[31],
        expires_at=row[32],
        version=row[33],
        released_minor=row[34],
        surplus_returned_minor=row[35],
        surplus_reserved_minor=row[36],
        disputed_minor=row[37],
        double_paid_minor=row[38],
        settled_minor=row[39],
        expected_fee_minor=row[40],
        fee_known=row[41],
        capture_method=CaptureMethod(row[42]),
        authorization_expires_at=row[43],
        modifications=row[44],
        disputes=row[45],
        face=order.face,
        request_scope=order.request_scope,
        request_id=order.request_id,
        notify_kind=order.notify_kind,
        notify_url=order.notify_url,
    )


def read_attempt(row: Cells) -> Attempt:
    """`row`: the values of ATTEMPT_COLUMNS, in their order."""
    return Attempt(
        company_id=row[0],
        id=row[1],
        payment_id=row[2],
        number=row[3],
        connector=row[4],
        method=Method(row[5]),
        status=AttemptStatus(row[6]),
        amount=Money(row[7], row[8]),
        instrument=row[9],
        provider_reference=row[10],
        failure_code=row[11],
        failure_message=row[12],
        query_count=row[13],
        next_query_at=row[14],
        last_query_at=row[15],
        created_at=row[16],
        updated_at=row[17],
        surplus=row[18],
        undecided_since=row[19],
    )


def read_modification(row: Cells) -> Modification:
    """`row`: the values of MODIFICATION_COLUMNS, in their order."""
    named = dict(zip(MODIFICATION_COLUMNS, row, strict=False))
    amount = Money(named.pop("amount_minor"), named.pop("currency"))
    named["kind"] = ModificationKind(named["kind"])
    named["status"] = ModificationStatus(named["status"])
    return Modification(amount=amount, **named)


def read_dispute(row: Cells) -> Dispute:
    """`row`: the values of DISPUTE_COLUMNS, in their order."""
    named = dict(zip(DISPUTE_COLUMNS, row, strict=False))
    currency = named.pop("currency")
    amount = Money(named.pop("amount_minor"), currency)
    fee = Money(named.pop("fee_minor"), currency)
    named["stage"] = DisputeStage(named["stage"])
    named["status"] = DisputeStatus(named["status"])
    return Dispute(amount=amount, fee=fee, **named)


def order_row(order: Order) -> dict[str, Any]:
    customer = order.customer
    return {
        "company_id": order.company_id,
        "id": order.id,
        "business_id": order.business_id,
        "amount_minor": order.amount.minor,
        "currency": order.amount.currency,
        "status": order.status,
        "module": order.module,
        "customer_id": customer.id,
        "customer_number": customer.number,
        "customer_name": customer.name,
        "customer_email": customer.email,
        "customer_phone": customer.phone,
        "org_number": order.org_number,
        "description": order.description,
        "note": order.note,
        "tags": order.tags,
        "return_url": order.return_url,
        "notify_url": order.notify_url,
        "notify_kind": order.notify_kind,
        "payment_methods": order.payment_methods,
        "session_token": order.session_token,
        "face": order.face,
        "request_scope": order.request_scope,
        "request_id": order.request_id,
        "fingerprint": order.fingerprint,
        "extra": order.extra,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "expires_at": order.expires_at,
    }


def payment_row(payment: Payment) -> dict[str, Any]:
    return {
        "company_id": payment.company_id,
        "id": payment.id,
        "order_id": payment.order_id,
        "business_id": payment.business_id,
        "amount_minor": payment.amount.minor,
        "currency": payment.amount.currency,
        "status": payment.status,
        "method": payment.method,
        "module": payment.module,
        "authorized_minor": payment.authorized.minor,
        "captured_minor": payment.captured.minor,
        "refunded_minor": payment.refunded.minor,
        "refund_reserved_minor": payment.refund_reserved.minor,
        "fee_minor": payment.fee.minor,
        "surplus": payment.surplus,
        "surplus_minor": payment.surplus_amount.minor,
        "retry_allowed": payment.retry_allowed,
        "payer": payment.payer,
        "subject": payment.subject,
        "description": payment.description,
        "number": payment.number,
        "connector": payment.connector,
        "provider_reference": payment.provider_reference,
        "instrument": payment.instrument,
        "redirect_url": payment.redirect_url,
        "redirect_expires_at": payment.redirect_expires_at,
        "failure_code": payment.failure_code,
        "failure_message": payment.failure_message,
        "extra": payment.extra,
        "created_at": payment.created_at,
        "updated_at": payment.updated_at,
        "captured_at": payment.captured_at,
        "expires_at": payment.expires_at,
        "version": payment.version,
        "released_minor": payment.released_minor,
        "surplus_returned_minor": payment.surplus_returned_minor,
        "surplus_reserved_minor": payment.surplus_reserved_minor,
        "disputed_minor": payment.disputed_minor,
        "double_paid_minor": payment.double_paid_minor,
        "settled_minor": payment.settled_minor,
        "expected_fee_minor": payment.expected_fee_minor,
        "fee_known": payment.fee_known,
        "capture_method": payment.capture_method,
        "authorization_expires_at": payment.authorization_expires_at,
        "modifications": payment.modifications,
        "disputes": payment.disputes,
    }


def attempt_row(attempt: Attempt) -> dict[str, Any]:
    return {
        "company_id": attempt.company_id,
        "id": attempt.id,
        "payment_id": attempt.payment_id,
        "number": attempt.number,
        "connector": attempt.connector,
        "method": attempt.method,
        "status": attempt.status,
        "amount_minor": attempt.amount.minor,
        "currency": attempt.amount.currency,
        "instrument": attempt.instrument,
        "provider_reference": attempt.provider_reference,
        "failure_code": attempt.failure_code,
        "failure_message": attempt.failure_message,
        "query_count": attempt.query_count,
        "next_query_at": attempt.next_query_at,
        "last_query_at": attempt.last_query_at,
        "created_at": attempt.created_at,
        "updated_at": attempt.updated_at,
        "surplus": attempt.surplus,
        "undecided_since": attempt.undecided_since,
    }


def modification_row(modification: Modification) -> dict[str, Any]:
    row = {
        name: getattr(modification, name)
        for name in MODIFICATION_COLUMNS
        if name not in ("amount_minor", "currency")
    }
    amount = modification.amount
    return row | {"amount_minor": amount.minor, "currency": amount.currency}


def dispute_row(dispute: Dispute) -> dict[str, Any]:
    row = {
        name: getattr(dispute, name)
        for name in DISPUTE_COLUMNS
        if name not in ("amount_minor", "fee_minor", "currency")
    }
    return row | {
        "amount_minor": dispute.amount.minor,
        "fee_minor": dispute.fee.minor,
        "currency": dispute.amount.currency,
    }
