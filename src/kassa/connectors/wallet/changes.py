"""Captures, voids and refunds at the wallet: what is asked, and what its answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    Declined,
    Done,
    InDoubt,
    ModificationEvent,
    ModificationOutcome,
    ModificationRequest,
    Pending,
    Unknown,
)
from kassa.connectors.wallet.payments import named, write_amount
from kassa.connectors.wallet.said import F, S, WalletAnswer
from kassa.connectors.wallet.words import ACCEPTED, IN_PROCESS, NO_REFUND, change_refused
from kassa.modifications.domain.captures import is_key

_MAX_REASON = 256
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class WalletChange:
    """One kind of change in the family's words: its interfaces, and its members' names."""

    apis: tuple[str, ...]
    request_id: str
    id: str
    amount: str


CAPTURE = WalletChange(("capture",), "captureRequestId", "captureId", "captureAmount")
VOID = WalletChange(("void",), "voidRequestId", "voidId", "")
REFUND = WalletChange(("refund", "refundApply"), "refundRequestId", "refundId", "refundAmount")
"""The wallets of the family have one of the two names; a request under the other does nothing."""


def check_key(request: ModificationRequest) -> None:
    """Raises: ValueError for a key that the wallet cannot hold."""
    if not 0 < len(request.key) <= _MAX_ID or not request.key.isprintable():
        raise ValueError(f"a key for the wallet is 1 to {_MAX_ID} printable characters")


def content(change: WalletChange, request: ModificationRequest) -> dict[str, Any]:
    """What the wallet is asked; a repeat is the same to the letter."""
    asked: dict[str, Any] = {change.request_id: request.key, **_payment(request)}
    if change.amount:
        asked[change.amount] = write_amount(request.amount)
    if change is CAPTURE:
        asked["isLastCapture"] = request.is_last
    if change is REFUND and request.reason:
        reason = "".join(mark if mark.isprintable() else " " for mark in request.reason)
        asked["refundReason"] = reason[:_MAX_REASON]
    return asked


def _payment(request: ModificationRequest) -> Mapping[str, str]:
    if request.charge_reference:
        return {"paymentId": request.charge_reference}
    return named(request.charge_key)


def told(
    change: WalletChange, said: WalletAnswer, request: ModificationRequest
) -> ModificationOutcome:
    """What the answer means for the change under `request.key`.

    Declined is not the last word: see `WalletConnector.refund`.
    """
    if said.code in IN_PROCESS:
        return Pending(reference=said.id(change.id))
    if said.status != S or said.code not in ACCEPTED:
        return change_refused(said)
    reference = said.id(change.id)
    if not reference or said.id(change.request_id) not in ("", request.key):
        return InDoubt(reason="the wallet answered about another request")
    return _done(said, change.amount, reference, request)


def _done(
    said: WalletAnswer, name: str, reference: str, request: ModificationRequest
) -> Done | InDoubt:
    """Done with the amount that the wallet names, or ours where it names none."""
    if not name or name not in said.members:
        return Done(reference=reference, amount=request.amount)
    amount = said.amount(name)
    if amount is None:
        return InDoubt(reason="the wallet sent an amount that cannot be read")
    return Done(reference=reference, amount=amount)


def refund_inquiry_told(said: WalletAnswer, request: ModificationRequest) -> ModificationOutcome:
    """What the answer to inquiryRefund means for the refund under `request.key`."""
    if said.status == F and said.code == NO_REFUND:
        return Unknown(reason="the wallet knows no refund under this key")
    if said.status != S or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    reference = said.id("refundId")
    if not reference or said.id("refundRequestId") != request.key:
        return InDoubt(reason="the wallet answered about another refund")
    if said.amount("refundAmount") is None and said.word("refundStatus") == "SUCCESS":
        return InDoubt(reason="the wallet made a refund and did not say of how much")
    return status_told(
        said,
        said.word("refundStatus"),
        reference,
        request,
        amount="refundAmount",
    )


def transaction_told(said: WalletAnswer, request: ModificationRequest) -> ModificationOutcome:
    """What a payment's own list says of the change under `request.key`.

    Unknown where it is not in it, or where this wallet has no such list: a repeat under the same
    key is the same request to the wallet.
    """
    if said.status != S or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    if said.id("paymentRequestId") != request.charge_key:
        return InDoubt(reason="the wallet answered about another payment")
    for one in said.parts("transactions"):
        if one.id("transactionRequestId") == request.key:
            return status_told(
                one,
                one.word("transactionStatus"),
                one.id("transactionId"),
                request,
                amount="transactionAmount",
            )
    names = ("transactionRequestId", "transactionId")
    if not all(any(map(one.id, names)) for one in said.parts("transactions")):
        return InDoubt(reason="the wallet lists a transaction that cannot be read")
    return Unknown(reason="the wallet knows nothing under this key")


def listed_refunds(said: WalletAnswer, charge_key: str) -> list[ModificationEvent] | InDoubt:
    """The refunds in a payment's own list, by whomever they were asked for."""
    if said.status != S or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    if said.id("paymentRequestId") != charge_key:
        return InDoubt(reason="the wallet answered about another payment")
    found = []
    for one in said.parts("transactions"):
        if one.word("transactionType") == "REFUND":
            found.append(_listed_refund(one, said.id("paymentId")))
    return found


def _listed_refund(one: WalletAnswer, charge_reference: str) -> ModificationEvent:
    key, reference = one.id("transactionRequestId"), one.id("transactionId")
    ours, amount = is_key(key, ModificationKind.REFUND), one.amount("transactionAmount")
    outcome: ModificationOutcome
    match one.word("transactionStatus"):
        case "SUCCESS" if amount is not None and reference:
            outcome = Done(reference=reference, amount=amount)
        case "FAIL":
            outcome = _FAILED
        case "PROCESSING":
            outcome = Pending(reference=reference)
        case _:
            outcome = InDoubt(reason="the wallet lists a refund that cannot be read")
    return ModificationEvent(
        dedupe_key=reference or key,
        key=key if ours else "",
        outcome=outcome,
        reference=reference or key,
        charge_reference=charge_reference,
    )


_FAILED = Declined(code="refused", message="The wallet refused.", provider_code="FAIL")


def status_told(
    said: WalletAnswer, status: str, reference: str, request: ModificationRequest, *, amount: str
) -> ModificationOutcome:
    """What PROCESSING, SUCCESS and FAIL mean."""
    if status == "SUCCESS" and reference:
        return _done(said, amount, reference, request)
    if status == "PROCESSING":
        return Pending(reference=reference)
    if status == "FAIL":
        return Declined(
            code="refused", message="The wallet refused.", reference=reference, provider_code=status
        )
    return InDoubt(reason="the wallet sent an unknown status")
