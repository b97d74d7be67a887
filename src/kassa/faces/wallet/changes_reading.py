"""Read what is asked after pay: capture, void, refund, cancel, and inquiries about refunds."""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.wallet.reading import (
    NOT_THIS_API,
    Id,
    Shape,
    Url,
    WalletAmount,
    read_amount,
    read_id,
    require,
    require_amount,
)


class CaptureRequest(Shape):
    capture_request_id: Id
    payment_id: Id
    capture_amount: WalletAmount | UnsetType = UNSET
    is_last_capture: bool = True


class VoidRequest(Shape):
    void_request_id: Id
    payment_id: Id


class WalletRefund(Shape):
    refund_request_id: Id
    refund_amount: WalletAmount
    payment_id: Id | UnsetType = UNSET
    payment_request_id: Id | UnsetType = UNSET
    refund_reason: Annotated[str, Meta(max_length=256)] = ""
    refund_notify_url: Url = ""


class RefundInquiryRequest(Shape):
    refund_id: Id | UnsetType = UNSET
    refund_request_id: Id | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Capture:
    """`amount` None: all that is reserved."""

    request_id: str
    payment_id: str
    amount: Money | None
    is_last: bool


@dataclass(frozen=True, slots=True)
class Void:
    request_id: str
    payment_id: str


@dataclass(frozen=True, slots=True)
class Refund:
    """One of `payment_id` and `payment_request_id` is given, or both for the same payment."""

    request_id: str
    payment_id: str | None
    payment_request_id: str | None
    amount: Money
    reason: str
    notify_url: str


@dataclass(frozen=True, slots=True)
class RefundInquiry:
    """`refund_id` wins over `request_id`; one is given."""

    refund_id: str | None
    request_id: str | None


def read_capture(members: dict[str, Any]) -> Capture:
    """Raises: InvalidRequest, with reason NOT_THIS_API when the shape is not one of capture."""
    require(members, ("captureRequestId", "paymentId"))
    require_amount(members, "captureAmount")
    sent = edge.convert(members, CaptureRequest)
    wanted = sent.capture_amount
    return Capture(
        request_id=read_id(sent.capture_request_id, "captureRequestId"),
        payment_id=sent.payment_id,
        amount=None if wanted is UNSET else read_amount(wanted, "captureAmount"),
        is_last=sent.is_last_capture,
    )


def read_void(members: dict[str, Any]) -> Void:
    """Raises: InvalidRequest, with reason NOT_THIS_API when the shape is not one of void."""
    require(members, ("voidRequestId", "paymentId"))
    sent = edge.convert(members, VoidRequest)
    return Void(read_id(sent.void_request_id, "voidRequestId"), sent.payment_id)


def read_refund(members: dict[str, Any]) -> Refund:
    """Raises: InvalidRequest, with reason NOT_THIS_API when the shape is not one of refund."""
    require(members, ("refundRequestId", "refundAmount"))
    require_amount(members, "refundAmount")
    sent = edge.convert(members, WalletRefund)
    if sent.payment_id is UNSET and sent.payment_request_id is UNSET:
        raise InvalidRequest("paymentId or paymentRequestId is required", reason=NOT_THIS_API)
    return Refund(
        request_id=read_id(sent.refund_request_id, "refundRequestId"),
        payment_id=sent.payment_id or None,
        payment_request_id=sent.payment_request_id or None,
        amount=read_amount(sent.refund_amount, "refundAmount"),
        reason=sent.refund_reason,
        notify_url=sent.refund_notify_url,
    )


def read_refund_inquiry(members: dict[str, Any]) -> RefundInquiry:
    """Raises: InvalidRequest, with reason NOT_THIS_API when nothing names a refund."""
    sent = edge.convert(members, RefundInquiryRequest)
    if sent.refund_id is UNSET and sent.refund_request_id is UNSET:
        raise InvalidRequest("refundId or refundRequestId is required", reason=NOT_THIS_API)
    return RefundInquiry(sent.refund_id or None, sent.refund_request_id or None)
