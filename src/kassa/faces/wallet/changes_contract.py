"""The words for what follows pay: captures, voids, refunds and cancels, and how they stand."""

from collections.abc import Mapping
from datetime import datetime

from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.faces.wallet.contract import (
    FACE,
    MAX_MESSAGE,
    Answer,
    WalletResult,
    write_amount,
    write_result,
    write_time,
)
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment

_K, _M = ModificationKind, ModificationStatus

CAPTURE_RESULT: Mapping[str, str] = {
    "not_found": "AUTH_NOT_FOUND",
    "not_authorized": "AUTH_NOT_FOUND",
    "already_voided": "AUTH_CANCELLED",
    "authorization_expired": "AUTH_EXPIRED",
    "already_captured": "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
    "capture_amount": "CAPTURE_AMOUNT_EXCEED_AUTH_LIMIT",
    "capture_once": "PROCESS_FAIL",
    "claim_in_progress": "CAPTURE_IN_PROCESS",
    "currency_mismatch": "CURRENCY_NOT_SUPPORT",
    "provider_cannot": "PROCESS_FAIL",
}
VOID_RESULT: Mapping[str, str] = {
    "not_found": "AUTH_NOT_FOUND",
    "not_authorized": "AUTH_NOT_FOUND",
    "already_voided": "AUTH_CANCELLED",
    "authorization_expired": "AUTH_EXPIRED",
    "already_captured": "ORDER_STATUS_INVALID",
    "claim_in_progress": "UNKNOWN_EXCEPTION",
    "provider_cannot": "PROCESS_FAIL",
}
REFUND_RESULT: Mapping[str, str] = {
    "not_paid": "ORDER_STATUS_INVALID",
    "surplus": "ORDER_STATUS_INVALID",
    "refund_amount": "REFUND_AMOUNT_EXCEED",
    "refund_in_progress": "REFUND_IN_PROCESS",
    "currency_mismatch": "CURRENCY_NOT_SUPPORT",
    "provider_cannot": "REFUND_NOT_ALLOWED",
}
REFUND_INQUIRY_RESULT: Mapping[str, str] = {"not_found": "REFUND_NOT_EXIST"}
CANCEL_RESULT: Mapping[str, str] = {
    "payment_paid": "ORDER_STATUS_INVALID",
    "void_refused": "PROCESS_FAIL",
}
"""Each API's own codes, by the reason of a refusal; contract.py has those of all APIs."""

IN_PROCESS: Mapping[ModificationKind, str] = {
    _K.CAPTURE: "CAPTURE_IN_PROCESS",
    _K.VOID: "UNKNOWN_EXCEPTION",
    _K.REFUND: "REFUND_IN_PROCESS",
}
STATUS: Mapping[ModificationStatus, str] = {
    _M.REQUESTED: "PROCESSING",
    _M.PROCESSING: "PROCESSING",
    _M.SUCCEEDED: "SUCCESS",
    _M.FAILED: "FAIL",
}
"""refundStatus, and transactionStatus of all three."""


def change_result(change: Modification) -> WalletResult:
    """What a capture, void or refund came to, as far as it is known."""
    if change.is_open:
        return WalletResult(IN_PROCESS[change.kind])
    if change.status is _M.FAILED:
        return WalletResult("PROCESS_FAIL", detail=_why(change))
    return WalletResult("SUCCESS")


def _why(change: Modification) -> str:
    return change.failure_message or change.failure_code


def write_capture(capture: Modification) -> Answer:
    written = write_result(change_result(capture)) | {
        "captureRequestId": capture.request_id,
        "captureId": capture.id,
        "paymentId": capture.payment_id,
        "captureAmount": write_amount(capture.amount),
    }
    return written | _done_at(capture, "captureTime")


def write_void(void: Modification) -> Answer:
    written = write_result(change_result(void)) | {
        "voidRequestId": void.request_id,
        "voidId": void.id,
        "paymentId": void.payment_id,
    }
    return written | _done_at(void, "voidTime")


def write_refund(refund: Modification) -> Answer:
    written = write_result(change_result(refund)) | {
        "refundId": refund.id,
        "refundRequestId": refund.request_id,
    }
    return written | _done_at(refund, "refundTime")


def _done_at(change: Modification, name: str) -> Answer:
    """Only what is done has a time; what was refused never happened."""
    if change.status is not _M.SUCCEEDED or change.completed_at is None:
        return {}
    return {name: write_time(change.completed_at)}


def write_refund_inquiry(refund: Modification, own_scope: str) -> Answer:
    """Its S says that the inquiry worked. `own_scope`: where the asking client's ids are kept."""
    return write_result(WalletResult("SUCCESS")) | _refund(refund, own_scope)


def write_refund_state(refund: Modification, own_scope: str) -> Answer:
    """The refund as a notification tells it: refundStatus and refundResult, whichever is read."""
    return _refund(refund, own_scope) | {"refundResult": change_result(refund).write()}


def _refund(refund: Modification, own_scope: str) -> Answer:
    written: Answer = {"refundId": refund.id}
    if refund.request_id and refund.request_scope == own_scope:
        written["refundRequestId"] = refund.request_id
    written |= {
        "paymentId": refund.payment_id,
        "refundAmount": write_amount(refund.amount),
        "refundStatus": STATUS[refund.status],
    }
    if refund.reason:
        written["refundReason"] = refund.reason[:MAX_MESSAGE]
    if refund.status is _M.FAILED:
        written["refundFailReason"] = _why(refund)[:MAX_MESSAGE]
    return written | _done_at(refund, "refundTime")


def write_cancel(payment: Payment, at: datetime) -> Answer:
    written = write_result(WalletResult("SUCCESS")) | {"paymentId": payment.id}
    if payment.face == FACE and payment.request_id:
        written["paymentRequestId"] = payment.request_id
    return written | {"cancelTime": write_time(at)}


def write_transaction(change: Modification, own_scopes: frozenset[str]) -> Answer:
    """One entry of an inquiry's list. `own_scopes`: where the asking client's ids are kept."""
    written: Answer = {
        "transactionResult": change_result(change).write(),
        "transactionType": change.kind.value.upper(),
    }
    if change.request_id and change.request_scope in own_scopes:
        written["transactionRequestId"] = change.request_id
    written |= {
        "transactionId": change.id,
        "transactionStatus": STATUS[change.status],
        "transactionAmount": write_amount(change.amount),
    }
    if change.kind is _K.CAPTURE:
        written["isLastCapture"] = "true" if change.is_last else "false"
    return written | _done_at(change, "transactionTime")
