"""Paying by a code: ours, which the payer scans, or the payer's own, which the shop scans.

Source: opendocs.alipay.com on alipay.trade.precreate and alipay.trade.pay.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.alipay.answers import Verified
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    Pending,
)

PRECREATE = "alipay.trade.precreate"
PAY = "alipay.trade.pay"
QR = "qr"
"""The instrument of a charge that wants a code for its payer to scan."""

AUTH_CODE = re.compile(r"(?:2[5-9]|30)[0-9]{14,22}", re.ASCII)
"""The code in a payer's app, as the instrument of a charge; it is good for a minute."""

_SUCCESS, _WAITS = "10000", "10003"
_BUSINESS_FAILED = "40004"
_MADE_BEFORE = frozenset({"TRADE_HAS_SUCCESS", "TRADE_HAS_CLOSE", "CONTEXT_INCONSISTENT"})
"""What a repeat hears: a query tells how it stands."""
_OPTIONAL = re.compile(r"\b(?:subject|body)\b")

_REFUSALS: Mapping[str, tuple[str, str]] = {
    "PAYMENT_AUTH_CODE_INVALID": ("code_refused", "Alipay does not accept this code."),
    "PAYMENT_FAIL": ("payment_refused", "Alipay refused the payment."),
    "BUYER_BALANCE_NOT_ENOUGH": ("insufficient_funds", "There is not enough money."),
    "BUYER_BANKCARD_BALANCE_NOT_ENOUGH": ("insufficient_funds", "There is not enough money."),
    "ERROR_BALANCE_PAYMENT_DISABLE": ("payment_refused", "Alipay refused the payment."),
    "BUYER_SELLER_EQUAL": ("payment_refused", "Nobody can pay themselves."),
    "TOTAL_FEE_EXCEED": ("amount_out_of_range", "Alipay does not take this amount."),
    "PAYMENT_REQUEST_HAS_RISK": ("risk_refused", "Alipay refused the payment."),
    "INVALID_PARAMETER": ("request_refused", "Alipay could not read the payment."),
}
"""What Alipay refuses before it took anything. A word that is not here leaves us in doubt: above
all SYSTEM_ERROR, after which a query has to tell."""


def is_by_code(request: ChargeRequest) -> bool:
    return request.instrument == QR or bool(AUTH_CODE.fullmatch(request.instrument))


def is_optional(answer: Verified) -> bool:
    """Whether it was refused over something that Alipay can do without."""
    named = bool(_OPTIONAL.search(answer.word("sub_msg")))
    return _word(answer) == "INVALID_PARAMETER" and named


def code_told(
    answer: Verified, request: ChargeRequest, expires_at: datetime
) -> ActionNeeded | Captured | Pending | Declined | InDoubt | None:
    """What the answer means; None: it was made before, and a query must tell."""
    word = _word(answer)
    if word in _MADE_BEFORE:
        return None
    if answer.word("code") == _BUSINESS_FAILED and word in _REFUSALS:
        code, message = _REFUSALS[word]
        return Declined(code=code, message=message, provider_code=f"ACQ.{word}")
    if answer.word("code") not in (_SUCCESS, _WAITS):
        return InDoubt(reason=f"Alipay answered {answer.codes}")
    if answer.word("out_trade_no") != request.key:
        return InDoubt(reason="Alipay answered about another trade")
    if request.instrument == QR:
        return _address(answer.word("qr_code"), expires_at)
    return _paid(answer)


def _address(url: str, expires_at: datetime) -> ActionNeeded | InDoubt:
    if not url.startswith(("https://", "http://")) or not url.isprintable():
        return InDoubt(reason="Alipay sent no code that can be scanned")
    return ActionNeeded(reference="", url=url, expires_at=expires_at)


def _paid(answer: Verified) -> Captured | Pending | InDoubt:
    reference = answer.word("trade_no")
    if not reference:
        return InDoubt(reason="Alipay named no trade")
    if answer.word("code") == _WAITS:
        return Pending(reference=reference)
    try:
        amount = Money.from_major(answer.word("total_amount"), "CNY")
    except InvalidRequest:
        return InDoubt(reason="Alipay sent an amount that cannot be read")
    return Captured(reference=reference, amount=amount)


def _word(answer: Verified) -> str:
    return answer.word("sub_code").removeprefix("aop.").removeprefix("ACQ.")
