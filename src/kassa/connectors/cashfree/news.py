"""Cashfree's webhooks: verified over their time stamp and raw bytes, then translated.

Source: https://www.cashfree.com/docs/payments/online/webhooks/overview and the webhook pages of
payments, refunds, disputes and payment links
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from kassa.base.domain.lifecycle import DisputeStage, DisputeStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    AnyNews,
    ChargeEvent,
    Declined,
    DisputeEvent,
    ForeignEvent,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    Outcome,
    PayoutEvent,
    Pending,
    Refused,
)
from kassa.connectors.cashfree.api import Entity, entity, moment, money, number_word, word
from kassa.connectors.cashfree.links import OVER, over_told
from kassa.connectors.cashfree.payments import payment_told
from kassa.connectors.cashfree.refunds import told_refund
from kassa.connectors.jsontext import read_object
from kassa.connectors.unread import genuine, unread

_VERSIONS = frozenset({"", "2022-09-01", "2023-08-01", "2025-01-01"})  # "": of payment links
_STAMP = re.compile(r"[0-9]{10,16}", re.ASCII)
_OLDEST, _AHEAD = timedelta(days=3), timedelta(minutes=10)
"""Retries may be spread over days, and papers do not say that each is stamped anew."""

_PAYMENTS = frozenset(
    {"PAYMENT_SUCCESS_WEBHOOK", "PAYMENT_FAILED_WEBHOOK", "PAYMENT_USER_DROPPED_WEBHOOK"}
)
_DISPUTES = frozenset({"DISPUTE_CREATED", "DISPUTE_UPDATED", "DISPUTE_CLOSED"})
_REFUND, _LINK = "REFUND_STATUS_WEBHOOK", "PAYMENT_LINK_EVENT"
_AUTO_REFUND = "AUTO_REFUND_STATUS_WEBHOOK"

_STAGE = {
    "DISPUTE": DisputeStage.INQUIRY,
    "RETRIEVAL": DisputeStage.INQUIRY,
    "CHARGEBACK": DisputeStage.CHARGEBACK,
    "PRE_ARBITRATION": DisputeStage.PRE_ARBITRATION,
    "ARBITRATION": DisputeStage.ARBITRATION,
}
_ENDING = re.compile(rf"(?:{'|'.join(_STAGE)})_([A-Z_]{{1,40}})")
_STATUS = {
    "CREATED": DisputeStatus.NEEDS_RESPONSE,
    "INSUFFICIENT_EVIDENCE": DisputeStatus.NEEDS_RESPONSE,
    "DOCS_RECEIVED": DisputeStatus.UNDER_REVIEW,
    "UNDER_REVIEW": DisputeStatus.UNDER_REVIEW,
    "MERCHANT_WON": DisputeStatus.WON,
    "MERCHANT_LOST": DisputeStatus.LOST,
    "MERCHANT_ACCEPTED": DisputeStatus.LOST,
}
"""`dispute_status` is one of the stages above, "_", and one of these."""
_PAYOUTS_BACK = frozenset({"SETTLEMENT_FAILED", "SETTLEMENT_REVERSED"})
_UNDECIDED = frozenset({DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW})


def signature_of(secret: str, timestamp: str, body: bytes) -> str:
    """No sign stands between the time and the body."""
    mac = hmac.new(secret.encode(), timestamp.encode() + body, hashlib.sha256)
    return base64.b64encode(mac.digest()).decode()


def read_news(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], received_at: datetime | None
) -> AnyNews | PayoutEvent | IrrelevantEvent | ForeignEvent | Refused:
    """What the webhook says; Irrelevant too where it is about nothing that Kassa has made."""
    stamp = headers.get("x-webhook-timestamp", "")
    if not _STAMP.fullmatch(stamp):
        return Refused(reason="the time stamp is missing or wrong")
    given = headers.get("x-webhook-signature", "").encode(errors="replace")
    wanted = [signature_of(secret, stamp, body).encode() for secret in secrets]
    matches = [hmac.compare_digest(one, given) for one in wanted]
    if not any(matches):
        return Refused(reason="the signature is missing or wrong")
    if received_at is not None and not _timely(stamp, received_at):
        return Refused(reason="the time stamp is too old, or ahead of time")
    if headers.get("x-webhook-version", "") not in _VERSIONS:
        return unread(body, "a webhook version that is not known")
    try:
        told = read_object(body)
    except ValueError:
        return unread(body, "the body is no JSON object")
    data, mark = entity(told, "data"), hashlib.sha256(body).hexdigest()
    if word(told, "type") in _PAYOUTS_BACK:
        return _payout(word(told, "type"), entity(data, "settlement"), mark)
    said = _told(word(told, "type"), data, mark, moment(told, "event_time"))
    paid = number_word(entity(data, "order_details"), "cf_payment_id")
    return genuine(said, body, charge_reference=paid)


def _payout(event: str, settlement: Entity, mark: str) -> PayoutEvent | IrrelevantEvent:
    """Cashfree calls a payout by the bank's reference, and by its own while there is none."""
    names = [word(settlement, "settlement_utr") or word(settlement, "utr")]
    names += [number_word(settlement, name) for name in ("cf_settlement_id", "settlement_id")]
    references = tuple(name for name in dict.fromkeys(names) if name)
    if not references:
        return IrrelevantEvent(event=event)
    reason = ": ".join(filter(None, (event, word(settlement, "reason"))))
    return PayoutEvent(dedupe_key=mark, references=references, reason=reason)


def _timely(stamp: str, received_at: datetime) -> bool:
    """Milliseconds, by the papers; a stamp of ten digits can only be seconds."""
    unit = timedelta(seconds=1) if len(stamp) <= 10 else timedelta(milliseconds=1)
    try:
        sent_at = datetime(1970, 1, 1, tzinfo=UTC) + int(stamp) * unit
        return received_at - _OLDEST <= sent_at <= received_at + _AHEAD
    except OverflowError:
        return False


def _told(
    event: str, data: Entity, mark: str, told_at: datetime | None
) -> AnyNews | IrrelevantEvent | Refused:
    if event in _PAYMENTS:
        order = entity(data, "order")
        key = _key_of(order)
        outcome = _payment(data)
    elif event == _LINK:
        key, outcome = word(data, "link_id"), _link(data)
    elif event == _REFUND:
        return _refund(entity(data, "refund"), event, mark)
    elif event == _AUTO_REFUND:
        return _refund(entity(data, "auto_refund"), event, mark)
    elif event in _DISPUTES:
        return _dispute(data, mark, told_at)
    else:
        return IrrelevantEvent(event=event)
    return (
        ChargeEvent(dedupe_key=mark, key=key, outcome=outcome)
        if key
        else IrrelevantEvent(event=event)
    )


def _refund(refund: Entity, event: str, mark: str) -> ModificationEvent | IrrelevantEvent:
    told = told_refund(refund, mark)
    return told if told.key or told.charge_reference else IrrelevantEvent(event=event)


def _key_of(order: Entity) -> str:
    """A link's payments are of an order that Cashfree made; its tags name the link."""
    tags = entity(order, "order_tags")
    if "cf_link_id" in tags and "link_id" not in tags:
        return ""
    return word(tags, "link_id") or word(order, "order_id")


def _payment(data: Entity) -> Outcome:
    """A try that failed decides nothing: the payer may try again while the link is open.

    A webhook does not say `is_captured`. The message of reserved money begins with PRE_AUTH, and
    to know how much of it was claimed one has to ask.
    """
    payment = entity(data, "payment")
    reserved = word(payment, "payment_message").upper().startswith("PRE_AUTH")
    if word(payment, "payment_status") == "SUCCESS" and reserved:
        return Pending(reference="")
    told = payment_told({**payment, "is_captured": True, "authorization": None})
    return Pending(reference="") if isinstance(told, Declined) else told


def _link(link: Entity) -> Outcome:
    """A link's own event: what it says of payments is asked for, for it names none of them."""
    status = word(link, "link_status")
    if status in ("ACTIVE", "PAID"):
        return Pending(reference="")
    if status not in OVER:
        return InDoubt(reason="Cashfree sent an unknown link status")
    begun = word(entity(link, "order"), "order_id")
    return Pending(reference="") if begun else over_told(status, number_word(link, "cf_link_id"))


def _dispute(data: Entity, mark: str, told_at: datetime | None) -> DisputeEvent | Refused:
    """Until it is lost no money has moved: Cashfree takes what is lost out of a settlement."""
    said, order = entity(data, "dispute"), entity(data, "order_details")
    stage = _STAGE.get(word(said, "dispute_type"))
    ending = _ENDING.fullmatch(word(said, "dispute_status"))
    status = _STATUS.get(ending[1]) if ending else None
    currency = word(said, "dispute_amount_currency") or word(order, "order_currency")
    amount = money({**said, "currency": currency}, "dispute_amount", "currency")
    reference = number_word(said, "dispute_id")
    if stage is None or status is None or amount is None or not reference:
        return Refused(reason="a dispute in words that are not known")
    if status in _UNDECIDED and stage is DisputeStage.CHARGEBACK:
        stage = DisputeStage.INQUIRY
    elif status is DisputeStatus.LOST and stage is DisputeStage.INQUIRY:
        stage = DisputeStage.CHARGEBACK
    return DisputeEvent(
        dedupe_key=mark,
        key=_key_of(order),
        reference=reference,
        stage=stage,
        status=status,
        amount=amount,
        fee=None,
        reason=word(said, "reason_code"),
        respond_by=moment(said, "respond_by"),
        charge_reference=number_word(order, "cf_payment_id"),
        told_at=moment(said, "updated_at") or told_at,
        taken=amount if status is DisputeStatus.LOST else Money(0, amount.currency),
    )
