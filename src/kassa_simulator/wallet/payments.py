"""A wallet's payments: ordered, paid by agreement or in the cashier, asked about, cancelled.

A charge's `key` is its paymentRequestId, its `id` the paymentId. Source: the Mini Program
Platform's documents on /v1/payments/pay, inquiryPayment and cancel.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.frame import Books, Change, Charge
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
    moment_of,
    packed,
    required,
    result,
    succeeded,
    text_of,
)

ONLINE, AUTHORIZE, AGREEMENT = (
    "51051000101000000011",
    "51051000101000000012",
    "51051000101000100031",
)
CASHIER = "/wallet/cashier/"
AUTHORIZED_FOR = timedelta(days=7)
_DEFAULT_LIFETIME = timedelta(minutes=14)
_MOST_MINOR = 10**12
_KNOWN_USERS = "28"
"""What the auth codes of this wallet's users begin with."""
_ENDINGS = {"0001": "USER_BALANCE_NOT_ENOUGH", "0002": "USER_STATUS_ABNORMAL"}
_IN_DOUBT = "0009"
"""What the code of a user ends with whose payments take until a person decides."""

_STATUSES = {
    "waiting": "PROCESSING",
    "authorized": "AUTH_SUCCESS",
    "captured": "SUCCESS",
    "declined": "FAIL",
    "closed": "CANCELLED",
    "voided": "CANCELLED",
}
_IDENTITY = ("productCode", "paymentAmount", "order", "paymentAuthCode")


def pay(case: Case) -> Body:
    """POST /v1/payments/pay. Raises: Ended."""
    if "refundRequestId" in case.body or "captureRequestId" in case.body:
        raise failed("FUNCTION_NOT_MATCH")
    key = required(case.body, "paymentRequestId")
    product = required(case.body, "productCode", 32)
    if product not in (ONLINE, AUTHORIZE, AGREEMENT):
        raise illegal("productCode")
    minor, currency = amount_of(case.body, "paymentAmount")
    if not isinstance(case.body.get("order"), dict):
        raise illegal("order")
    code = text_of(case.body, "paymentAuthCode", 128)
    if product == AGREEMENT and not code:
        raise illegal("paymentAuthCode")
    data = _data(case, product, code)
    earlier = case.books.charge_by_key(NAME, case.merchant.name, key)
    if earlier is not None:
        return _repeated(case, earlier, data["fingerprint"])
    charge = Charge(
        provider=NAME,
        merchant=case.merchant.name,
        id=f"{case.now:%Y%m%d}{case.books.digits(20, NAME, case.merchant.name, key)}",
        key=key,
        amount_minor=minor,
        currency=currency,
        status="waiting",
        created_at=case.now,
        updated_at=case.now,
        data=data,
    )
    case.books.add_charge(charge)
    if minor > _MOST_MINOR:
        charge = declined(case.books, charge, "PAYMENT_AMOUNT_EXCEED_LIMIT", now=case.now)
    elif code:
        charge = _by_agreement(case, charge, code)
    return _told(case, charge)


def _data(case: Case, product: str, code: str) -> JsonObject:
    said = {name: case.body.get(name) for name in _IDENTITY}
    expires_at = moment_of(case.body, "paymentExpiryTime") or case.now + _DEFAULT_LIFETIME
    redirect_url = text_of(case.body, "paymentRedirectUrl", 2048)
    return {
        "product": product,
        "by_agreement": bool(code),
        "fingerprint": hashlib.sha256(packed(said)).hexdigest(),
        "description": text_of(case.body["order"], "orderDescription", 256),
        "expires_at": expires_at.isoformat(),
        "notify_url": text_of(case.body, "paymentNotifyUrl", 1024),
        "redirect_url": redirect_url or text_of(case.body, "paymentReturnUrl", 1024),
    }


def _by_agreement(case: Case, charge: Charge, code: str) -> Charge:
    if not code.startswith(_KNOWN_USERS):
        return declined(case.books, charge, "USER_NOT_EXIST", now=case.now)
    refusal = _ENDINGS.get(code[-4:], "USER_BALANCE_NOT_ENOUGH" if case.call.decline else "")
    if refusal:
        return declined(case.books, charge, refusal, now=case.now)
    return charge if code.endswith(_IN_DOUBT) else paid(case.books, charge, now=case.now)


def _repeated(case: Case, charge: Charge, fingerprint: str) -> Body:
    if charge.data["fingerprint"] != fingerprint:
        raise failed("REPEAT_REQ_INCONSISTENT")
    charge = current(case.books, charge, now=case.now)
    told = _told(case, charge)
    if charge.status == "waiting" and not charge.data["by_agreement"]:
        message = f"repeat order create request, merchantTransId = {charge.key}"
        return {**told, "result": result("S", "REPEAT_REQUEST", message)}
    return told


def _told(case: Case, charge: Charge) -> Body:
    """How the order stands, in the words of an answer to pay."""
    if charge.status == "declined":
        return failed(charge.data["failure"], paymentId=charge.id).content
    if charge.status in ("closed", "voided"):
        return failed("ORDER_STATUS_INVALID", paymentId=charge.id).content
    if charge.status != "waiting":
        return succeeded(paymentId=charge.id, paymentTime=charge.data["paid_at"])
    if charge.data["by_agreement"]:
        return {"result": result("U", "UNKNOWN_EXCEPTION"), "paymentId": charge.id}
    address = f"{case.call.origin}{CASHIER}{charge.id}"
    form = {"method": "GET", "redirectionUrl": address, "redirectUrl": address}
    return succeeded(paymentId=charge.id, redirectActionForm=form)


def current(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payment as it is now: time ends what nobody paid, and what nobody captured."""
    expires_at = datetime.fromisoformat(charge.data["expires_at"])
    if charge.status == "waiting" and not charge.data["by_agreement"] and now >= expires_at:
        return declined(books, charge, "PROCESS_FAIL", now=expires_at, why="The order expired.")
    if charge.status == "authorized":
        lapses_at = datetime.fromisoformat(charge.data["paid_at"]) + AUTHORIZED_FOR
        if now >= lapses_at:
            return _ended(books, charge, "voided", {"lapsed": True}, now=lapses_at)
    return charge


def paid(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The payer's money is taken, or reserved where the product says so."""
    held = charge.data["product"] == AUTHORIZE
    charge = replace(
        charge,
        status="authorized" if held else "captured",
        authorized_minor=charge.amount_minor,
        captured_minor=0 if held else charge.amount_minor,
        updated_at=now,
        data={**charge.data, "paid_at": iso(now)},
    )
    books.save_charge(charge)
    if not held:
        books.move(charge, "charge", charge.amount_minor, at=now)
    tell(books, charge)
    return charge


def declined(books: Books, charge: Charge, code: str, *, now: datetime, why: str = "") -> Charge:
    failure = {"failure": code, "fail_reason": why or result("F", code)["resultMessage"]}
    charge = _ended(books, charge, "declined", failure, now=now)
    tell(books, charge)
    return charge


def _ended(
    books: Books, charge: Charge, status: str, more: Mapping[str, Any], *, now: datetime
) -> Charge:
    data = {**charge.data, **more, "ended_at": iso(now)}
    charge = replace(charge, status=status, updated_at=now, data=data)
    books.save_charge(charge)
    return charge


def tell(books: Books, charge: Charge) -> None:
    """Queue notifyPayment: how the payment ended."""
    merchant = books.merchant(NAME, charge.merchant)
    if merchant is None:
        return
    failure = charge.data.get("failure")
    data: JsonObject = {
        "paymentId": charge.id,
        "paymentRequestId": charge.key,
        "paymentAmount": amount(charge.amount_minor, charge.currency),
        "paymentCreateTime": iso(charge.created_at),
        "paymentStatus": _STATUSES[charge.status],
        "paymentResult": result("F", failure) if failure else result("S", "SUCCESS"),
    }
    if failure:
        data["paymentFailReason"] = charge.data["fail_reason"]
    else:
        data["paymentTime"] = charge.data["paid_at"]
    url = charge.data["notify_url"]
    books.tell(merchant, "notifyPayment", charge_id=charge.id, data=data, url=url)


def found(case: Case) -> Charge:
    """The payment a request names; paymentId counts before paymentRequestId. Raises: Ended."""
    payment_id = text_of(case.body, "paymentId", 64)
    key = text_of(case.body, "paymentRequestId", 64)
    if payment_id:
        charge = case.books.charge(NAME, payment_id)
    elif key:
        charge = case.books.charge_by_key(NAME, case.merchant.name, key)
    else:
        raise illegal("paymentId")
    if charge is None or charge.merchant != case.merchant.name:
        raise no_such_order()
    return current(case.books, charge, now=case.now)


def no_such_order() -> Ended:
    return failed("ORDER_NOT_EXIST")


def inquire(case: Case) -> Body:
    """POST /v1/payments/inquiryPayment. Raises: Ended."""
    charge = found(case)
    changes = case.books.changes_of(NAME, charge.id)
    moved = [_transaction(change, charge) for change in changes if change.kind != "void"]
    held = charge.status == "authorized"
    lapses_at = datetime.fromisoformat(charge.data["paid_at"]) + AUTHORIZED_FOR if held else None
    return succeeded(
        paymentId=charge.id,
        paymentRequestId=charge.key,
        paymentAmount=amount(charge.amount_minor, charge.currency),
        paymentTime=charge.data.get("paid_at"),
        paymentStatus=_STATUSES[charge.status],
        paymentFailReason=charge.data.get("fail_reason"),
        authExpiryTime=iso(lapses_at) if lapses_at else None,
        transactions=moved or None,
    )


def _transaction(change: Change, charge: Charge) -> JsonObject:
    code = change.data["code"]
    return {
        "transactionResult": result("S" if code == "SUCCESS" else "F", code),
        "transactionType": change.kind.upper(),
        "transactionRequestId": change.key,
        "transactionId": change.id,
        "transactionStatus": "SUCCESS" if code == "SUCCESS" else "FAIL",
        "transactionAmount": amount(change.amount_minor, charge.currency),
        "transactionTime": iso(change.created_at),
    }


def cancel(case: Case) -> Body:
    """POST /v1/payments/cancel: nobody pays it any more; a hold goes back. Raises: Ended."""
    charge = found(case)
    if charge.status == "waiting":
        charge = _ended(case.books, charge, "closed", {}, now=case.now)
    elif charge.status == "authorized" and not charge.captured_minor:
        charge = _ended(case.books, charge, "voided", {}, now=case.now)
    elif charge.status not in ("closed", "voided"):
        raise failed("ORDER_STATUS_INVALID")
    return succeeded(
        paymentId=charge.id, paymentRequestId=charge.key, cancelTime=charge.data["ended_at"]
    )


def void(case: Case) -> Body:
    """POST /v1/payments/void: give a hold back. Raises: Ended."""
    key = required(case.body, "voidRequestId")
    charge = found(case)
    earlier = case.books.change_by_key(NAME, case.merchant.name, "void", key)
    if earlier is not None and earlier.charge_id != charge.id:
        raise failed("REPEAT_REQ_INCONSISTENT")
    if earlier is None:
        if charge.status != "authorized" or charge.captured_minor:
            raise failed("ORDER_STATUS_INVALID")
        earlier = change_of(case, charge, "void", key, charge.authorized_minor)
        case.books.add_change(earlier)
        _ended(case.books, charge, "voided", {}, now=case.now)
    return succeeded(voidId=earlier.id, paymentId=charge.id, voidTime=iso(earlier.created_at))


def change_of(
    case: Case, charge: Charge, kind: str, key: str, minor: int, code: str = "SUCCESS", **data: Any
) -> Change:
    return Change(
        provider=NAME,
        merchant=charge.merchant,
        id=f"{case.now:%Y%m%d}{case.books.digits(20, NAME, charge.merchant, kind, key)}",
        key=key,
        charge_id=charge.id,
        kind=kind,
        amount_minor=minor,
        status="done" if code == "SUCCESS" else "failed",
        created_at=case.now,
        data={"code": code, "currency": charge.currency, **data},
    )
