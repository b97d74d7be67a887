"""The wallet's notifications: the family has several bodies, and either dialect is read."""

import hashlib

from kassa.base.domain.lifecycle import ModificationKind
from kassa.connectors.base import (
    AnyNews,
    Captured,
    ChargeEvent,
    Declined,
    Done,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    ModificationOutcome,
    Outcome,
    Pending,
)
from kassa.connectors.unread import unread
from kassa.connectors.wallet.payments import state_told
from kassa.connectors.wallet.said import F, S, WalletAnswer
from kassa.connectors.wallet.words import ACCEPTED, CHANGE_DECLINES, pay_refused
from kassa.modifications.domain.captures import is_key

_ENDED = ("FAIL", "CANCELLED")


def read_news(said: WalletAnswer, body: bytes) -> AnyNews | IrrelevantEvent:
    """The news in a body that the wallet signed. It has no id, and what is sent again is the
    same to the byte: so it is known by its content."""
    dedupe_key = hashlib.sha256(body).hexdigest()
    if said.id("refundRequestId") and "refundStatus" in said.members:
        return told_refund(said, dedupe_key, _refund(said))
    key, reference = said.id("paymentRequestId"), said.id("paymentId")
    if not key:
        return IrrelevantEvent(event="no payment")
    if not reference:
        return unread(body, "it does not name the payment")
    return ChargeEvent(
        dedupe_key=dedupe_key, key=key, outcome=_payment(said), charge_reference=reference
    )


def told_refund(
    said: WalletAnswer, dedupe_key: str, outcome: ModificationOutcome
) -> ModificationEvent | IrrelevantEvent:
    """Any refund, by whomever it was asked for. One without an id of ours is of ours only by the
    payment that it names."""
    key, reference = said.id("refundRequestId"), said.id("paymentId")
    if is_key(key, ModificationKind.REFUND):
        return ModificationEvent(dedupe_key=dedupe_key, key=key, outcome=outcome)
    if not reference:
        return IrrelevantEvent(event="a refund of no payment")
    return ModificationEvent(
        dedupe_key=dedupe_key,
        key="",
        outcome=outcome,
        reference=said.id("refundId") or key,
        charge_reference=reference,
    )


def _payment(said: WalletAnswer) -> Outcome:
    """By paymentStatus, or by paymentResult alone; where they contradict each other, in doubt."""
    result = WalletAnswer({"result": said.members.get("paymentResult")})
    has_result = bool(said.part("paymentResult").members)
    word = said.word("paymentStatus")
    if not word and not has_result:
        return InDoubt(reason="the wallet did not say how the payment stands")
    if word:
        contradicts = (word == "SUCCESS" and result.status == F) or (
            word in _ENDED and result.status == S
        )
        if has_result and contradicts:
            return InDoubt(reason="the wallet says that it is paid and that it is not")
        return state_told(said)
    return _by_result(said, result)


def _by_result(said: WalletAnswer, result: WalletAnswer) -> Outcome:
    reference = said.id("paymentId")
    if result.status == F:
        refused = pay_refused(result)
        if isinstance(refused, Declined):
            return refused
        return InDoubt(reason=f"the wallet says {result.codes} of the payment")
    if result.status != S or result.code not in ACCEPTED:
        return Pending(reference=reference)
    amount = said.amount("paymentAmount")
    if amount is None:
        return InDoubt(reason="the wallet sent an amount that cannot be read")
    return Captured(reference=reference, amount=amount)


def _refund(said: WalletAnswer) -> ModificationOutcome:
    """What the news of a refund means. Where it names no amount, an inquiry must."""
    status, reference = said.word("refundStatus"), said.id("refundId")
    amount = said.amount("refundAmount")
    if status == "SUCCESS" and amount is not None and reference:
        return Done(reference=reference, amount=amount)
    if status == "FAIL":
        code, message = CHANGE_DECLINES["PROCESS_FAIL"]
        return Declined(code=code, message=message, reference=reference, provider_code=status)
    return Pending(reference=reference)
