"""A trade's status at Alipay in our words, and what it answers when it is to close one.

Source: opendocs.alipay.com on alipay.trade.query and alipay.trade.close.
"""

import json
from collections.abc import Mapping

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.alipay.answers import Verified
from kassa.connectors.base import Captured, Declined, InDoubt, Outcome, Pending, Unknown

QUERY = "alipay.trade.query"
CLOSE = "alipay.trade.close"

_TRADE_STATUS: Mapping[str, type[Captured | Pending | Declined]] = {
    "WAIT_BUYER_PAY": Pending,  # the payer opened the cashier and has not paid
    "TRADE_SUCCESS": Captured,  # paid; stays so after a partial refund
    "TRADE_FINISHED": Captured,  # paid, and too late for a refund
    "TRADE_CLOSED": Declined,  # closed unpaid; after a full refund see `_PAID_MARKS`
}
_PAID_MARKS = ("send_pay_date", "gmt_payment", "gmt_refund")
"""Members that only a trade once paid carries: its closing was a refund, not a refusal."""

_SUCCESS = "10000"
_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"
_NOT_OPEN = frozenset(
    {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}
)
"""Alipay closes only what waits for its payer: it was paid, or closed before."""


def trade_content(key: str) -> str:
    """What a query and a closing are asked: the trade under our key."""
    return json.dumps({"out_trade_no": key}, separators=(",", ":"))


def query_told(answer: Verified, key: str) -> Outcome:
    """What a query's answer means for the trade under `key`."""
    if _word(answer) == _NOT_EXIST:
        return Unknown(reason="Alipay knows no trade under this key")
    if answer.word("code") != _SUCCESS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    if answer.word("out_trade_no") != key:
        return InDoubt(reason="Alipay answered about another trade")
    return trade_told({name: answer.word(name) for name in answer.fields})


def close_told(answer: Verified, key: str) -> Outcome | None:
    """What the answer to a closing means for the trade under `key`; None: a query must tell."""
    word = _word(answer)
    if word == _NOT_EXIST:
        return Unknown(reason="Alipay knows no trade under this key")
    if word in _NOT_OPEN:
        return None
    if answer.word("code") != _SUCCESS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    if answer.word("out_trade_no") != key:
        return InDoubt(reason="Alipay answered about another trade")
    return _closed(answer.word("trade_no"), "")


def trade_told(trade: Mapping[str, str]) -> Outcome:
    """A verified trade's status in our words."""
    word, reference = trade.get("trade_status", ""), trade.get("trade_no", "")
    kind = _TRADE_STATUS.get(word)
    if kind is None or not reference:
        return InDoubt(reason="Alipay sent an unknown trade status or no trade number")
    if kind is Pending:
        return Pending(reference=reference)
    if kind is Captured:
        try:
            amount = Money.from_major(trade.get("total_amount", ""), "CNY")
        except InvalidRequest:
            return InDoubt(reason="Alipay sent an amount that cannot be read")
        return _paid(trade, reference, amount)
    if any(trade.get(mark) for mark in _PAID_MARKS):
        return _refunded(trade, reference)
    return _closed(reference, word)


def _paid(trade: Mapping[str, str], reference: str, amount: Money) -> Captured | InDoubt:
    """`refund_fee`: of a notification, the sum of all refunds of the trade by then."""
    if not trade.get("refund_fee"):
        return Captured(reference=reference, amount=amount)
    try:
        refunded = Money.from_major(trade["refund_fee"], "CNY")
    except InvalidRequest:
        return InDoubt(reason="Alipay sent a sum of refunds that cannot be read")
    return Captured(reference=reference, amount=amount, refunded=refunded)


def _refunded(trade: Mapping[str, str], reference: str) -> Captured | InDoubt:
    """A trade that was paid is closed when all of it has gone back."""
    try:
        amount = Money.from_major(trade.get("total_amount", ""), "CNY")
    except InvalidRequest:
        return InDoubt(reason="Alipay sent an amount that cannot be read")
    paid = _paid(trade, reference, amount)
    whole = isinstance(paid, Captured) and paid.refunded in (None, amount)
    return Captured(reference=reference, amount=amount, refunded=amount) if whole else paid


def _closed(reference: str, word: str) -> Declined:
    return Declined(
        code="closed",
        message="The Alipay trade was closed before it was paid.",
        reference=reference,
        provider_code=word,
    )


def _word(answer: Verified) -> str:
    return answer.word("sub_code").removeprefix("aop.")
