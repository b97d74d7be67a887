"""The gateway face's words: its request, its boolean result, and what `error` says."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import ModificationStatus, PaymentStatus
from kassa.base.usecases.admission import pause_of
from kassa.checkout.usecases.request_payment import PAY_TO
from kassa.faces import edge
from kassa.faces.taken import taken_in_words
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack, Taking

PENDING, UNKNOWN, FAILED = "PENDING", "UNKNOWN", "FAILED"

RESULT: Mapping[PaymentStatus, str | None] = {
    PaymentStatus.CREATED: PENDING,
    PaymentStatus.REQUIRES_ACTION: PENDING,
    PaymentStatus.PROCESSING: UNKNOWN,
    PaymentStatus.AUTHORIZED: PENDING,
    PaymentStatus.CAPTURED: None,
    PaymentStatus.SETTLED: None,
    PaymentStatus.CANCELED: FAILED,
    PaymentStatus.FAILED: FAILED,
    PaymentStatus.EXPIRED: FAILED,
}
"""The first word of `error`; None where `paymentResult` is true."""

HTTP = edge.HTTP_STATUS
_STATUS_OF_REASON = {"body_too_large": 413, "method_not_allowed": 405}

REFUND_RESULT: Mapping[ModificationStatus, str | None] = {
    ModificationStatus.REQUESTED: PENDING,
    ModificationStatus.PROCESSING: UNKNOWN,
    ModificationStatus.SUCCEEDED: None,
    ModificationStatus.FAILED: FAILED,
}
"""The first word of a refund's `error`; None where `refundResult` is true."""

NOT_YOURS = "no such payment request of yours"
NO_REFUND = "no such payment request or refund of yours"

_NO_STORE = {"Cache-Control": "no-store"}
# Control characters and lone surrogates: neither the database nor a page can show them.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

_REFUNDS = re.compile(r"/gateway/payment-requests/[^/]{0,200}+/refunds(?:/|\Z)")
_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{3,45}", re.ASCII)
_ACCOUNT_TYPE = re.compile(r"[A-Za-z][A-Za-z _-]{0,31}", re.ASCII)

Text = Annotated[str, Meta(min_length=1, max_length=128)]


class Account(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One side of the payment. `accountType` has no digits, so that no number hides in it."""

    accountType: str  # noqa: N815 - the wire's words, here and below
    accountNumber: Text  # noqa: N815
    accountName: Text | None = None  # noqa: N815
    bankName: Text | None = None  # noqa: N815

    def __repr__(self) -> str:
        return f"Account({self.accountType})"


class PaymentRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of POST /gateway/payment-requests."""

    userId: Annotated[str, Meta(min_length=1, max_length=64)]  # noqa: N815
    orderId: str  # noqa: N815
    amount: edge.Number
    paymentMethod: Text  # noqa: N815
    payeeAccount: Account  # noqa: N815
    payerAccount: Account | None = None  # noqa: N815
    module: Literal["GROOMING", "RETAIL", "MEMBERSHIP"] | None = None
    businessId: Annotated[str, Meta(min_length=1, max_length=64)] | None = None  # noqa: N815


class RefundRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The body of POST /gateway/payment-requests/{id}/refunds. No amount: all that is left."""

    refundId: str  # noqa: N815
    amount: edge.Number | None = None
    reason: Text | None = None


class PaymentRequestCreated(msgspec.Struct, frozen=True):
    """The seed's three outputs of creating."""

    paymentRequestId: str | None  # noqa: N815
    paymentResult: bool  # noqa: N815
    error: str | None


class PaymentRequestResult(msgspec.Struct, frozen=True):
    """The seed's two outputs of asking."""

    paymentResult: bool  # noqa: N815
    error: str | None


class Refunded(msgspec.Struct, frozen=True):
    """What both operations of refunds answer."""

    refundId: str | None  # noqa: N815
    refundResult: bool  # noqa: N815
    error: str | None


def read_request_id(text: str) -> str:
    """A payment request id from a path.

    Raises: NotFound for what cannot be one.
    """
    if _REQUEST_ID.fullmatch(text):
        return text
    raise NotFound(NOT_YOURS)


def result_of(
    payment: Payment, cashier_url: str, taken: TakenBack = NOTHING_TAKEN
) -> PaymentRequestResult:
    """Whether the money is certain, and if not, what is known: `KIND: …`, or
    `FAILED: code: …`. Each part ends at the first `": "` that follows.
    """
    match RESULT[payment.status]:
        case None if taken.taking is not None:
            said = _taken_back(taken.taking, taken)
        case None if not payment.surplus:
            return PaymentRequestResult(paymentResult=True, error=None)
        case None:
            said = (
                f"{FAILED}: surplus: the money came when it was no longer owed;"
                f" it {_surplus_goes(payment)} back to the payer, so do not deliver on it"
            )
        case "FAILED":
            said = f"{FAILED}: {_failure(payment)}"
        case "UNKNOWN" if payment.provider_reference:
            said = f"{PENDING}: the provider has accepted it and has not decided yet; ask again"
        case "UNKNOWN":
            said = (
                f"{UNKNOWN}: the provider has not said whether it took the money;"
                " ask again, and do not collect it in another way meanwhile"
            )
        case _:
            said = f"{PENDING}: {_what_is_missing(payment, cashier_url)}"
    return PaymentRequestResult(paymentResult=False, error=said)


def _taken_back(taking: Taking, taken: TakenBack) -> str:
    """Of money that had come, and is not certain any more."""
    said = "; ".join(taken_in_words(taken))
    if not taken.is_final:
        return f"{PENDING}: it was paid, and {said}; ask again"
    return f"{FAILED}: {taking}: it was paid, and {said}"


def is_final(payment: Payment, taken: TakenBack = NOTHING_TAKEN) -> bool:
    """Whether what is said of it under this request stays so."""
    held = taken.taking is not None and not taken.is_final
    return RESULT[payment.status] in (None, FAILED) and not held


def _surplus_goes(payment: Payment) -> str:
    done = payment.surplus_amount.minor <= payment.surplus_returned_minor > 0
    return "went" if done else "goes"


def _failure(payment: Payment) -> str:
    match payment.status:
        case PaymentStatus.EXPIRED:
            return "expired: nobody paid in time"
        case PaymentStatus.CANCELED:
            return "canceled: it was canceled before any money moved"
        case _:
            code = payment.failure_code or "declined"
            return f"{code}: {payment.failure_message or 'the payment was refused'}"


def _what_is_missing(payment: Payment, cashier_url: str) -> str:
    match payment.status:
        case PaymentStatus.REQUIRES_ACTION if payment.method is Method.BANK_TRANSFER:
            came = f"{payment.unapplied} of {payment.amount} came; {payment.missing} are missing: "
            return (
                f"{came if payment.unapplied_minor else ''}"
                f"the payer has to transfer {payment.missing} to the account"
                f" {payment.extra.get(PAY_TO, '')} with the reference"
                f" {payment.provider_reference}; it is paid when the bank's statement says so"
            )
        case PaymentStatus.AUTHORIZED:
            return "the money is reserved and has not been claimed yet"
        case PaymentStatus.REQUIRES_ACTION:
            return f"the payer has to confirm it, starting at {cashier_url}"
        case _:
            return f"the payer has not paid yet, and can at {cashier_url}"


def refund_of(refund: Modification) -> Refunded:
    """Whether the money is certainly given back, and if not, what is known, as `result_of`."""
    match REFUND_RESULT[refund.status]:
        case None:
            return Refunded(refund.request_id, refundResult=True, error=None)
        case "FAILED":
            code = refund.failure_code or "refused"
            said = f"{FAILED}: {code}: {refund.failure_message or 'the refund was refused'}"
        case "UNKNOWN" if refund.provider_reference:
            said = f"{PENDING}: the provider has accepted it and has not decided yet; ask again"
        case "UNKNOWN":
            said = (
                f"{UNKNOWN}: the provider has not said whether it gave the money back;"
                " ask again, and do not give it back in another way meanwhile"
            )
        case _:
            said = f"{PENDING}: it has not reached the provider yet and will be sent again"
    return Refunded(refund.request_id, refundResult=False, error=said)


def write_refund(refund: Modification) -> Response:
    return edge.answer(refund_of(refund), headers=_NO_STORE)


def write_created(payment: Payment, cashier_url: str, taken: TakenBack = NOTHING_TAKEN) -> Response:
    result = result_of(payment, cashier_url, taken)
    created = PaymentRequestCreated(
        payment.id, paymentResult=result.paymentResult, error=result.error
    )
    return edge.answer(created, headers=_NO_STORE)


def write_result(payment: Payment, cashier_url: str, taken: TakenBack = NOTHING_TAKEN) -> Response:
    return edge.answer(result_of(payment, cashier_url, taken), headers=_NO_STORE)


def write_error(request: Request, error: KassaError) -> Response:
    """The operation's own members: nothing was paid, and `error` is `CODE: sentence`."""
    of_refund = _REFUNDS.match(request.scope["path"]) is not None
    said = error.message
    if isinstance(error, NotFound):
        said = NO_REFUND if of_refund else NOT_YOURS
    elif isinstance(error, InvalidRequest) and error.reason.startswith("amount_"):
        said = f"amount: {said}"
    elif error.field == "request_id":
        said = f"refundId: {said}"
    text = f"{error.code.upper()}: {said}"
    status = _STATUS_OF_REASON.get(error.reason, HTTP[error.code])
    headers = dict(_NO_STORE)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="kassa"'
    pause = pause_of(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    body: PaymentRequestCreated | Refunded | PaymentRequestResult = PaymentRequestResult(
        paymentResult=False, error=text
    )
    if of_refund:
        body = Refunded(None, refundResult=False, error=text)
    elif request.method == "POST":
        body = PaymentRequestCreated(None, paymentResult=False, error=text)
    return edge.answer(body, status, headers)


def check_texts(wanted: PaymentRequest) -> PaymentRequest:
    """`wanted` itself, when its words are well formed, and its texts can be stored and shown.

    Raises: InvalidRequest, which never repeats them.
    """
    if not _ORDER_ID.fullmatch(wanted.orderId):
        said = "orderId: 3 to 45 letters, digits, _ or - are needed"
        raise InvalidRequest(said, field="orderId")
    texts = {"userId": wanted.userId}
    for side, account in (("payer", wanted.payerAccount), ("payee", wanted.payeeAccount)):
        if account is not None and not _ACCOUNT_TYPE.fullmatch(account.accountType):
            field = f"{side}Account.accountType"
            said = "1 to 32 letters, spaces, _ or - are needed, a letter first"
            raise InvalidRequest(f"{field}: {said}", field=field)
        for member in ("accountNumber", "accountName", "bankName"):
            texts[f"{side}Account.{member}"] = getattr(account, member, None) or ""
    for field, text in texts.items():
        if _NOT_TEXT.search(text):
            raise InvalidRequest(f"{field}: it has characters that are not text", field=field)
    return wanted


def check_refund(wanted: RefundRequest) -> RefundRequest:
    """`wanted` itself, when its id can be one and its reason can be stored and shown.

    Raises: InvalidRequest, which never repeats them.
    """
    if not _REQUEST_ID.fullmatch(wanted.refundId):
        said = "refundId: 1 to 64 letters, digits, _ or - are needed"
        raise InvalidRequest(said, field="refundId")
    if _NOT_TEXT.search(wanted.reason or ""):
        raise InvalidRequest("reason: it has characters that are not text", field="reason")
    return wanted


def read_refund_id(text: str) -> str:
    """A refund id from a path.

    Raises: NotFound for what cannot be one.
    """
    if _REQUEST_ID.fullmatch(text):
        return text
    raise NotFound(NO_REFUND)
