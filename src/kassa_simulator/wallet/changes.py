"""A wallet's captures and refunds, each of one request id once.

Source: the Mini Program Platform's documents on /v1/payments/capture, refund and inquiryRefund.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from kassa_simulator.frame import Books, Change, Charge
from kassa_simulator.wallet import payments
from kassa_simulator.wallet.wire import (
    NAME,
    Body,
    Case,
    Ended,
    JsonObject,
    amount,
    amount_of,
    failed,
    illegal,
    iso,
    required,
    succeeded,
    text_of,
)

_REFUNDABLE_FOR = timedelta(days=365)


def refund(case: Case) -> Body:
    """POST /v1/payments/refund and refundApply. What once failed stays failed. Raises: Ended."""
    key = required(case.body, "refundRequestId")
    minor, currency = amount_of(case.body, "refundAmount")
    reason = text_of(case.body, "refundReason", 256)
    notify_url = text_of(case.body, "refundNotifyUrl", 1024)
    charge = payments.found(case)
    change = case.books.change_by_key(NAME, case.merchant.name, "refund", key)
    if change is None:
        code = _refusal(charge, minor, currency, case.now)
        change = payments.change_of(
            case, charge, "refund", key, minor, code, reason=reason, asked_in=currency
        )
        case.books.add_change(change)
        if code == "SUCCESS":
            give_back(case.books, charge, change, notify_url, now=case.now)
    asked = (change.charge_id, change.amount_minor, change.data["asked_in"])
    if asked != (charge.id, minor, currency):
        raise failed("REPEAT_REQ_INCONSISTENT")
    if change.status == "failed":
        raise failed(change.data["code"])
    return succeeded(refundId=change.id, refundTime=iso(change.created_at))


def _refusal(charge: Charge, minor: int, currency: str, now: datetime) -> str:
    if not charge.captured_minor:
        return "ORDER_STATUS_INVALID"
    if currency != charge.currency:
        return "CURRENCY_NOT_SUPPORT"
    if minor > charge.captured_minor - charge.refunded_minor:
        return "REFUND_AMOUNT_EXCEED"
    paid_at = datetime.fromisoformat(charge.data["paid_at"])
    return "REFUND_WINDOW_EXCEED" if now >= paid_at + _REFUNDABLE_FOR else "SUCCESS"


def give_back(
    books: Books, charge: Charge, change: Change, notify_url: str, *, now: datetime
) -> None:
    charge = replace(
        charge, refunded_minor=charge.refunded_minor + change.amount_minor, updated_at=now
    )
    books.save_charge(charge)
    books.move(charge, "refund", change.amount_minor, at=now)
    tell_refund(books, charge, change, notify_url)


def tell_refund(books: Books, charge: Charge, change: Change, notify_url: str) -> None:
    merchant = books.merchant(NAME, charge.merchant)
    if notify_url and merchant is not None:
        books.tell(
            merchant,
            "notifyRefund",
            charge_id=charge.id,
            data={"paymentId": charge.id, **_told(change)},
            url=notify_url,
        )


def inquire_refund(case: Case) -> Body:
    """POST /v1/payments/inquiryRefund; refundId counts before refundRequestId. Raises: Ended."""
    refund_id = text_of(case.body, "refundId", 64)
    key = text_of(case.body, "refundRequestId", 64)
    if refund_id:
        change = case.books.change(NAME, refund_id)
    elif key:
        change = case.books.change_by_key(NAME, case.merchant.name, "refund", key)
    else:
        raise illegal("refundId")
    if change is None or change.kind != "refund" or change.merchant != case.merchant.name:
        raise no_such_refund()
    return succeeded(**_told(change))


def no_such_refund() -> Ended:
    return failed("REFUND_NOT_EXIST")


def _told(change: Change) -> JsonObject:
    told: JsonObject = {
        "refundId": change.id,
        "refundRequestId": change.key,
        "refundAmount": amount(change.amount_minor, change.data["asked_in"]),
        "refundReason": change.data["reason"],
        "refundStatus": "SUCCESS" if change.status == "done" else "FAIL",
    }
    if change.status == "done":
        return {**told, "refundTime": iso(change.created_at)}
    return {**told, "refundFailReason": change.data["code"]}


def capture(case: Case) -> Body:
    """POST /v1/payments/capture: all of what is held unless it says less. Raises: Ended."""
    key = required(case.body, "captureRequestId")
    required(case.body, "paymentId")
    last = case.body.get("isLastCapture", True)
    if not isinstance(last, bool):
        raise illegal("isLastCapture")
    charge = payments.found(case)
    minor, currency = charge.authorized_minor, charge.currency
    if "captureAmount" in case.body:
        minor, currency = amount_of(case.body, "captureAmount")
    change = case.books.change_by_key(NAME, case.merchant.name, "capture", key)
    if change is None:
        _check_capture(charge, minor, currency)
        change = payments.change_of(case, charge, "capture", key, minor)
        case.books.add_change(change)
        _take(case, charge, minor, last=last)
    elif (change.charge_id, change.amount_minor, charge.currency) != (charge.id, minor, currency):
        raise failed("REPEAT_REQ_INCONSISTENT")
    return succeeded(
        captureRequestId=key,
        captureId=change.id,
        paymentId=charge.id,
        captureAmount=amount(change.amount_minor, charge.currency),
        captureTime=iso(change.created_at),
    )


def _check_capture(charge: Charge, minor: int, currency: str) -> None:
    if charge.status == "voided":
        raise failed("AUTH_EXPIRED" if charge.data.get("lapsed") else "AUTH_CANCELLED")
    if charge.status != "authorized":
        held = charge.data["product"] == payments.AUTHORIZE
        raise failed("ORDER_STATUS_INVALID" if held else "AUTH_NOT_FOUND")
    if currency != charge.currency:
        raise failed("CURRENCY_NOT_SUPPORT")
    if minor > charge.authorized_minor - charge.captured_minor:
        raise failed("CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT")


def _take(case: Case, charge: Charge, minor: int, *, last: bool) -> None:
    captured = charge.captured_minor + minor
    over = last or captured == charge.authorized_minor
    charge = replace(
        charge,
        captured_minor=captured,
        status="captured" if over else "authorized",
        updated_at=case.now,
    )
    case.books.save_charge(charge)
    case.books.move(charge, "charge", minor, at=case.now)
