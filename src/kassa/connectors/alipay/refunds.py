"""Refunds at Alipay: what is asked, and what its answers mean.

Source: opendocs.alipay.com on alipay.trade.refund and alipay.trade.fastpay.refund.query.
"""

import json
from collections.abc import Mapping

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.alipay.answers import Verified
from kassa.connectors.alipay.parameters import KEY, readable
from kassa.connectors.base import Declined, Done, InDoubt, ModificationRequest, Unknown

REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"

_SUCCESS = "10000"
_MAX_REASON = 256

_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "ACQ.SELLER_BALANCE_NOT_ENOUGH": (
        "balance_too_low",
        "There is not enough money on the Alipay account to refund from.",
    ),
    "ACQ.REASON_TRADE_BEEN_FREEZEN": ("charge_frozen", "Alipay has frozen this trade."),
    _NOT_EXIST: ("charge_not_found", "Alipay knows no such trade."),
    "ACQ.TRADE_HAS_FINISHED": ("refund_too_late", "Alipay refunds this trade no more."),
    "ACQ.TRADE_HAS_CLOSE": ("charge_closed", "The Alipay trade is closed."),
    "ACQ.TRADE_STATUS_ERROR": ("charge_not_refundable", "Alipay cannot refund this trade now."),
    "ACQ.TRADE_NOT_ALLOW_REFUND": (
        "charge_not_refundable",
        "Alipay does not allow a refund of this trade.",
    ),
    "ACQ.NOT_ALLOW_PARTIAL_REFUND": (
        "partial_refund_not_allowed",
        "Alipay allows only a refund of the whole trade.",
    ),
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": (
        "partial_refund_not_allowed",
        "Alipay allows only a refund of the whole trade.",
    ),
    "ACQ.REASON_TRADE_REFUND_FEE_ERR": (
        "amount_too_large",
        "Alipay does not accept this amount as a refund of the trade.",
    ),
    "ACQ.REFUND_FEE_ERROR": (
        "amount_too_large",
        "Alipay does not accept this amount as a refund of the trade.",
    ),
    "ACQ.INVALID_PARAMETER": ("request_refused", "Alipay could not read the refund."),
}
"""What Alipay refuses for good, in our words. A word that is not here leaves us in doubt: above
all ACQ.SYSTEM_ERROR, and ACQ.DISCORDANT_REPEAT_REQUEST, by which another amount stands."""


def impossible(request: ModificationRequest) -> Declined | None:
    """Why Alipay could never make this refund, or None.

    Raises: ValueError for a key that Alipay cannot hold.
    """
    if not KEY.fullmatch(request.key):
        raise ValueError("a key for Alipay is 1 to 64 letters, digits or underscores")
    if request.amount.currency != "CNY":
        return Declined(code="currency_unsupported", message="Alipay refunds in CNY only.")
    if request.amount.minor <= 0:
        return Declined(
            code="amount_out_of_range", message="Alipay refunds amounts of 0.01 CNY and more."
        )
    return None


def refund_content(request: ModificationRequest) -> str:
    """What `alipay.trade.refund` is asked; a repeat is the same to the letter."""
    content = {
        **_trade(request),
        "refund_amount": f"{request.amount.major:f}",
        "out_request_no": request.key,
    }
    reason = readable(request.reason)[:_MAX_REASON]
    if reason:
        content["refund_reason"] = reason
    return _text(content)


def question_content(request: ModificationRequest) -> str:
    """What `alipay.trade.fastpay.refund.query` is asked."""
    return _text({**_trade(request), "out_request_no": request.key})


def _trade(request: ModificationRequest) -> dict[str, str]:
    """Both names of the trade where both are known; Alipay then goes by its own."""
    trade = {"out_trade_no": request.charge_key}
    if request.charge_reference:
        trade["trade_no"] = request.charge_reference
    return trade


def _text(content: Mapping[str, str]) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def refund_told(answer: Verified, request: ModificationRequest) -> Done | Declined | InDoubt:
    """What Alipay's answer to a refund means for the one under `request.key`.

    Its `refund_fee` is all that was ever refunded of the trade, so it can only be too little.
    Declined is not the last word when a repeat was refused: see `AlipayConnector.refund`.
    """
    if answer.word("code") != _SUCCESS:
        return _refused(answer)
    if not _same_trade(answer, request):
        return InDoubt(reason="Alipay answered about another trade")
    change = answer.word("fund_change")
    if change == "N":
        return InDoubt(reason="Alipay moved no money this time: a query tells whether it had")
    if change != "Y":
        return InDoubt(reason="Alipay did not say whether it moved money")
    refunded = _amount(answer, "refund_fee")
    if refunded is None:
        return InDoubt(reason="Alipay sent an amount that cannot be read")
    if not request.amount.minor <= refunded.minor <= request.charge_amount.minor:
        return InDoubt(reason="Alipay's sum of refunds does not fit this one")
    return Done(reference=answer.word("trade_no"), amount=request.amount)


def question_told(answer: Verified, request: ModificationRequest) -> Done | Unknown | InDoubt:
    """What Alipay's answer to a refund query means for the one under `request.key`."""
    if _word(answer) == _NOT_EXIST:
        return Unknown(reason="Alipay knows no such trade")
    if answer.word("code") != _SUCCESS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    status = answer.word("refund_status")
    if not answer.fields.get("refund_status") and not answer.fields.get("refund_amount"):
        # Alipay: not received, or failed; the same request may be sent again.
        return Unknown(reason="Alipay knows no refund under this key")
    if status != "REFUND_SUCCESS":
        return InDoubt(reason="Alipay sent an unknown refund status")
    if not _same_trade(answer, request) or answer.word("out_request_no") != request.key:
        return InDoubt(reason="Alipay answered about another refund")
    if _amount(answer, "refund_amount") != request.amount:
        return InDoubt(reason="Alipay made a refund of another amount, or did not say of which")
    return Done(reference=answer.word("trade_no"), amount=request.amount)


def _refused(answer: Verified) -> Declined | InDoubt:
    word = _word(answer)
    if answer.word("code") != "40004" or word not in _REFUSALS:
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    code, message = _REFUSALS[word]
    return Declined(
        code=code, message=message, reference=answer.word("trade_no"), provider_code=word
    )


def _word(answer: Verified) -> str:
    return answer.word("sub_code").removeprefix("aop.")


def _same_trade(answer: Verified, request: ModificationRequest) -> bool:
    reference = answer.word("trade_no")
    if not reference or answer.word("out_trade_no") != request.charge_key:
        return False
    return reference == (request.charge_reference or reference)


def _amount(answer: Verified, name: str) -> Money | None:
    try:
        return Money.from_major(answer.word(name), "CNY")
    except InvalidRequest:
        return None
