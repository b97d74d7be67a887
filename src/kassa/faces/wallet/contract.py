"""The wallet face's words: result codes, what each status and error is called, answers written."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import OPEN, PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces.taken import taken_in_words
from kassa.faces.wallet.reading import NOT_THIS_API
from kassa.payments.domain.payments import CaptureMethod, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack

FACE = "wallet"
CONTENT_TYPE = "application/json; charset=UTF-8"
MAX_MESSAGE = 256  # characters of resultMessage and paymentFailReason

S, U, F, A = "S", "U", "F", "A"

PRINTED: Mapping[str, tuple[str, str]] = {
    "SUCCESS": (S, "Success"),
    "REPEAT_REQUEST": (S, "repeat order create request, merchantTransId = {request_id}"),
    "UNKNOWN_EXCEPTION": (U, "An API calling is failed, which is caused by unknown reasons."),
    "NO_INTERFACE_DEF": (F, "API is not defined."),
    "MSG_PARSE_ERROR": (F, "Message parsed error."),
    "FUNCTION_NOT_MATCH": (F, "Function parameter does not match API."),
    "INVALID_CLIENT": (F, "Invalid client."),
    "INVALID_SIGNATURE": (F, "Signature is invalid."),
    "INVALID_CLIENT_STATUS": (F, "Invalid client status."),
    "PAYMENT_AMOUNT_EXCEED_LIMIT": (F, "Payment amount exceeds limit."),
    "USER_NOT_EXIST": (F, "User not exist."),
    "USER_STATUS_ABNORMAL": (F, "The user status is abnormal."),
    "USER_BALANCE_NOT_ENOUGH": (F, "User balance is not enough for this payment."),
    "PARTNER_NOT_EXIST": (F, "Partner not exist."),
}
"""resultStatus and resultMessage of every code that seed 003 prints, letter for letter."""

FAMILY: Mapping[str, tuple[str, str]] = {
    "ACCEPT": (A, "Accepted; act on the form."),
    "REQUEST_TRAFFIC_EXCEED_LIMIT": (U, "Too many requests; send the same request again later."),
    "PARAM_ILLEGAL": (F, "A parameter is illegal."),
    "REPEAT_REQ_INCONSISTENT": (F, "The request id was used with other content before."),
    "ACCESS_DENIED": (F, "Access denied."),
    "PROCESS_FAIL": (F, "The payment failed."),
    "ORDER_NOT_EXIST": (F, "The order does not exist."),
    "ORDER_IS_CLOSED": (F, "The order is closed."),
    "ORDER_STATUS_INVALID": (F, "The order is not in a state that allows this."),
    "AUTH_NOT_FOUND": (F, "Nothing is authorized under this payment."),
    "AUTH_CANCELLED": (F, "The authorization was canceled."),
    "AUTH_EXPIRED": (F, "The authorization has expired."),
    "CAPTURE_IN_PROCESS": (U, "The capture is in process; ask again with the same id."),
    "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT": (F, "More than what is still authorized."),
    "CURRENCY_NOT_SUPPORT": (F, "The payment is in another currency."),
    "REFUND_IN_PROCESS": (U, "The refund is in process; ask again with the same id."),
    "REFUND_AMOUNT_EXCEED": (F, "More than what can still be refunded."),
    "REFUND_NOT_ALLOWED": (F, "This payment cannot be refunded here."),
    "REFUND_NOT_EXIST": (F, "The refund does not exist."),
    "INVALID_ACCESS_TOKEN": (F, "The access token is invalid."),
    "EXPIRED_ACCESS_TOKEN": (F, "The access token is expired."),
    "AUTH_CLIENT_UNSUPPORTED_GRANT_TYPE": (F, "This grant type is not supported."),
    "INVALID_CODE": (F, "The authorization code is invalid."),
    "USED_CODE": (F, "The authorization code has been used."),
    "EXPIRED_CODE": (F, "The authorization code is expired."),
    "INVALID_REFRESH_TOKEN": (F, "The refresh token is invalid."),
    "USED_REFRESH_TOKEN": (F, "The refresh token has been used."),
    "EXPIRED_REFRESH_TOKEN": (F, "The refresh token is expired."),
}
"""Codes of the seed's documentation family, for what the seed has no word for."""

RESULTS: Mapping[str, tuple[str, str]] = {**PRINTED, **FAMILY}

_P = PaymentStatus

PAY_RESULT: Mapping[PaymentStatus, str] = {
    _P.CREATED: "SUCCESS",  # accepted: the payer goes to the cashier
    _P.REQUIRES_ACTION: "SUCCESS",
    _P.AUTHORIZED: "SUCCESS",  # "need to wait for the capture operation": no paymentTime yet
    _P.PROCESSING: "UNKNOWN_EXCEPTION",
    _P.CAPTURED: "SUCCESS",
    _P.SETTLED: "SUCCESS",
    _P.FAILED: "PROCESS_FAIL",  # unless FAILURE_RESULT knows better
    _P.CANCELED: "ORDER_IS_CLOSED",
    _P.EXPIRED: "ORDER_IS_CLOSED",
}

FAILURE_RESULT: Mapping[str, str] = {
    "user_not_exist": "USER_NOT_EXIST",
    "access_token_invalid": "INVALID_ACCESS_TOKEN",
    "access_token_expired": "EXPIRED_ACCESS_TOKEN",
    "user_status_abnormal": "USER_STATUS_ABNORMAL",
    "user_balance_not_enough": "USER_BALANCE_NOT_ENOUGH",
    "amount_exceeds_limit": "PAYMENT_AMOUNT_EXCEED_LIMIT",
    "amount_exceeds_daily_limit": "PAYMENT_AMOUNT_EXCEED_LIMIT",
}
"""By the core's failure code; every other failure is PROCESS_FAIL."""

PAYMENT_STATUS: Mapping[PaymentStatus, str] = {
    _P.CREATED: "PROCESSING",
    _P.REQUIRES_ACTION: "PROCESSING",
    _P.PROCESSING: "PROCESSING",
    _P.AUTHORIZED: "AUTH_SUCCESS",
    _P.CAPTURED: "SUCCESS",
    _P.SETTLED: "SUCCESS",
    _P.FAILED: "FAIL",
    _P.CANCELED: "CANCELLED",
    _P.EXPIRED: "CANCELLED",
}
"""What inquiryPayment and notifications call a status."""

ERROR_RESULT: Mapping[str, str] = {
    "internal": "UNKNOWN_EXCEPTION",
    "invalid_request": "PARAM_ILLEGAL",
    "unauthenticated": "INVALID_SIGNATURE",
    "permission_denied": "ACCESS_DENIED",
    "not_found": "ORDER_NOT_EXIST",
    "idempotency_mismatch": "REPEAT_REQ_INCONSISTENT",
    "in_progress": "UNKNOWN_EXCEPTION",
    "illegal_transition": "ORDER_IS_CLOSED",
    "amount_too_large": "PAYMENT_AMOUNT_EXCEED_LIMIT",
    "unsupported": "FUNCTION_NOT_MATCH",
    "rate_limited": "REQUEST_TRAFFIC_EXCEED_LIMIT",
    "overloaded": "REQUEST_TRAFFIC_EXCEED_LIMIT",
    "provider_unavailable": "UNKNOWN_EXCEPTION",
    "ambiguous_commit": "UNKNOWN_EXCEPTION",
}
"""By the error's code, unless REASON_RESULT, or an API's own table, knows its reason."""

REASON_RESULT: Mapping[str, str] = {
    "no_interface": "NO_INTERFACE_DEF",
    "unknown_client": "INVALID_CLIENT",
    "client_disabled": "INVALID_CLIENT_STATUS",
    "no_partner": "PARTNER_NOT_EXIST",
    NOT_THIS_API: "FUNCTION_NOT_MATCH",
    "json_malformed": "MSG_PARSE_ERROR",
    "body_incomplete": "MSG_PARSE_ERROR",
    "body_too_large": "MSG_PARSE_ERROR",
    "body_encoded": "MSG_PARSE_ERROR",
}

NO_REASONS: Mapping[str, str] = MappingProxyType({})

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class WalletResult:
    """A result object; `detail` says more for people where the message is a printed one."""

    code: str
    request_id: str = ""
    detail: str = ""

    @property
    def status(self) -> str:
        return RESULTS[self.code][0]

    @property
    def message(self) -> str:
        if self.detail and self.code not in PRINTED:
            return self.detail[:MAX_MESSAGE]
        return RESULTS[self.code][1].format(request_id=self.request_id)[:MAX_MESSAGE]

    def write(self) -> Answer:
        """The members in the order that the seed prints."""
        return {
            "resultCode": self.code,
            "resultStatus": self.status,
            "resultMessage": self.message,
        }


def write_result(result: WalletResult) -> Answer:
    """Printed messages stay as printed, so what else is to say goes into extendInfo."""
    written: Answer = {"result": result.write()}
    if result.detail and result.code in PRINTED:
        written["extendInfo"] = extend_info(result.detail)
    return written


MEMBERS: Mapping[str, Mapping[str, str]] = {
    "payment": {
        "amount": "paymentAmount.value",
        "customer_id": "order.buyer.referenceBuyerId",
        "description": "order.orderDescription",
        "extra": "order",
        "expires_at": "paymentExpiryTime",
        "notify_url": "paymentNotifyUrl",
        "request_id": "paymentRequestId",
    },
    "capture": {"amount": "captureAmount.value", "request_id": "captureRequestId"},
    "void": {"request_id": "voidRequestId"},
    "refund": {
        "amount": "refundAmount.value",
        "notify_url": "refundNotifyUrl",
        "request_id": "refundRequestId",
    },
}
"""What rules inside call otherwise than the members of an API, by what it makes."""


def write_error(
    error: KassaError,
    own: Mapping[str, str] = NO_REASONS,
    members: Mapping[str, str] = NO_REASONS,
) -> Answer:
    """`own`: an API's codes by reason, which win. `members`: what it calls what is at fault."""
    code = own.get(error.reason) or REASON_RESULT.get(error.reason) or ERROR_RESULT[error.code]
    member = members.get(error.field or "")
    detail = f"{member}: {error.message}" if member else error.message
    return write_result(WalletResult(code, detail=detail))


def pay_result(payment: Payment) -> WalletResult:
    """What the pay request came to, as far as it is known.

    Surplus reads as the closed order it came after: this API's F is for ever, and a merchant who
    read a late S would deliver for money that goes back to the payer.
    """
    if payment.surplus:
        return WalletResult(
            "ORDER_IS_CLOSED",
            detail="The order was closed when its money arrived; the money goes back to the payer.",
        )
    if payment.status is PaymentStatus.FAILED:
        return WalletResult(FAILURE_RESULT.get(payment.failure_code, PAY_RESULT[payment.status]))
    return WalletResult(PAY_RESULT[payment.status])


def write_pay(
    payment: Payment,
    *,
    request_id: str,
    cashier_url: str,
    replayed: bool,
    at_once: bool,
    accepts: bool = False,
) -> Answer:
    """The answer to pay. `at_once`: by auth code, where "accepted" would be read as "paid".
    `accepts`: the client knows A, and gets it for what waits for its payer."""
    result = pay_result(payment)
    is_waiting = payment.status in OPEN
    if is_waiting and at_once:
        result = WalletResult("UNKNOWN_EXCEPTION")
    elif is_waiting and accepts:
        result = WalletResult("ACCEPT")
    elif is_waiting and replayed:
        result = WalletResult("REPEAT_REQUEST", request_id)
    written = write_result(result) | {"paymentId": payment.id}
    if payment.is_paid and result.status == S:
        written["paymentTime"] = _paid_at(payment)
    written |= _write_authorization(payment)
    if is_waiting and not at_once:
        written["redirectActionForm"] = {
            "method": "POST",
            "redirectionUrl": cashier_url,
            "redirectUrl": cashier_url,
        }
    return written


def write_evaluation(failure_code: str) -> Answer:
    """What pay would come to, by the core's failure code. It names no payment: there is none."""
    return write_result(WalletResult(FAILURE_RESULT[failure_code] if failure_code else "SUCCESS"))


def write_inquiry(
    payment: Payment,
    transactions: Sequence[Answer] = (),
    taken: TakenBack = NOTHING_TAKEN,
) -> Answer:
    """The answer to inquiryPayment: its S says that the inquiry worked, not that money moved."""
    written = write_result(WalletResult("SUCCESS")) | write_state(payment, taken)
    if transactions:
        written["transactions"] = list(transactions)
    return written


def write_state(payment: Payment, taken: TakenBack) -> Answer:
    """The members that say how a payment stands, alike in inquiries and notifications."""
    result = pay_result(payment)
    status = "CANCELLED" if payment.surplus else PAYMENT_STATUS[payment.status]
    written: Answer = {"paymentId": payment.id}
    if payment.face == FACE and payment.request_id:
        written["paymentRequestId"] = payment.request_id
    written |= {
        "paymentAmount": write_amount(payment.amount),
        "paymentCreateTime": write_time(payment.created_at),
        "paymentStatus": status,
    }
    if status == "SUCCESS":
        written["paymentTime"] = _paid_at(payment)
    written |= _write_authorization(payment) | _write_moved(payment, taken)
    written |= _write_taken(payment, taken)
    if result.status == F:
        written["paymentFailReason"] = f"{result.code}: {result.message}"[:MAX_MESSAGE]
    return written


def _write_authorization(payment: Payment) -> Answer:
    """Until when the rest of a reservation can be captured."""
    ends = payment.authorization_expires_at
    held = payment.held.minor > 0
    return {} if ends is None or not held else {"authExpiryTime": write_time(ends)}


def _write_moved(payment: Payment, taken: TakenBack) -> Answer:
    """What the amount alone does not tell: how much was captured of it, and what went back."""
    written: Answer = {}
    if payment.capture_method is CaptureMethod.MANUAL and payment.is_paid:
        written["capturedAmount"] = write_amount(payment.captured)
    refunded = taken.refunded_of(payment)
    if refunded.minor:
        written["refundedAmount"] = write_amount(refunded)
    return written


def _write_taken(payment: Payment, taken: TakenBack) -> Answer:
    """What a bank has of it, or has brought of it so far. The family has no words for that, so
    ours are in extendInfo."""
    own = taken.own(payment)
    if payment.unapplied_minor:
        came = f"{payment.unapplied} of {payment.amount} came by transfer"
        return {"extendInfo": extend_info(f"{came}; {payment.missing} are missing")}
    if not own.amounts:
        return {}
    written: Answer = {"extendInfo": extend_info("; ".join(taken_in_words(own)))}
    disputed = Money(payment.disputed_minor, payment.amount.currency)
    if payment.surplus:
        disputed += taken.of_surplus(payment)
    if disputed.minor:
        written["disputedAmount"] = write_amount(disputed)
    return written


def extend_info(detail: str) -> str:
    """In this family always a text that holds JSON."""
    return json.dumps({"detail": detail[:MAX_MESSAGE]}, ensure_ascii=False)


def write_amount(amount: Money) -> Answer:
    return {"currency": amount.currency, "value": str(amount.minor)}


def _paid_at(payment: Payment) -> str:
    return write_time(payment.captured_at or payment.updated_at)


def write_time(moment: datetime) -> str:
    """ISO 8601 to the second, in UTC: 2026-11-22T02:00:00+00:00."""
    return moment.astimezone(UTC).isoformat(timespec="seconds")
