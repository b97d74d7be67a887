"""Payments at the wallet: what pay is asked, and what its answers and inquiries mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeRequest,
    Declined,
    InDoubt,
    KnownCharge,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.connectors.payer import line_of
from kassa.connectors.wallet.calling import write_time
from kassa.connectors.wallet.said import A, F, S, WalletAnswer
from kassa.connectors.wallet.words import ACCEPTED, DECLINES, NO_ORDER, pay_refused

_MARGIN = timedelta(seconds=30)  # the wallet closes first, so that no payment meets a closed order
_SHORTEST = timedelta(minutes=1)
_MOST_MINOR = 10**16 - 1
_MAX_ID = 64
_MAX_ADDRESS = 1024
_MAX_DESCRIPTION = 256
_MAX_CODE = 128
_MAX_CASHIER = 4096


@dataclass(frozen=True, slots=True)
class Products:
    """The wallet's product codes, by how a payment is made."""

    cashier: str
    authorization: str
    agreement: str

    def of(self, request: ChargeRequest) -> str:
        if not request.capture:
            return self.authorization
        return self.agreement if request.instrument else self.cashier


def refusal(request: ChargeRequest) -> Declined | None:
    """Why the wallet could never take this payment, or None.

    Raises: ValueError for a key that the wallet cannot hold.
    """
    if not 0 < len(request.key) <= _MAX_ID or not request.key.isprintable():
        raise ValueError(f"a key for the wallet is 1 to {_MAX_ID} printable characters")
    if not 0 < request.amount.minor <= _MOST_MINOR:
        return Declined(
            code="amount_out_of_range", message="The wallet takes amounts of up to 16 digits."
        )
    if closes_at(request) - request.now < _SHORTEST:
        return Declined(
            code="expired", message="There is too little time left to pay this with the wallet."
        )
    if max(len(request.notify_url), len(request.return_url)) > _MAX_ADDRESS:
        return Declined(
            code="address_too_long",
            message=f"The wallet takes addresses of at most {_MAX_ADDRESS} characters.",
        )
    if len(request.instrument) > _MAX_CODE:
        return Declined(code="code_refused", message="The wallet does not accept this code.")
    return None


def closes_at(request: ChargeRequest) -> datetime:
    return request.expires_at - _MARGIN


def pay_content(request: ChargeRequest, products: Products) -> dict[str, Any]:
    """What pay is asked. A repeat under the same key is the same to the letter: nothing in it
    depends on when it is sent."""
    description = line_of(request.subject, _MAX_DESCRIPTION) or line_of(
        request.description, _MAX_DESCRIPTION
    )
    order: dict[str, Any] = {"orderAmount": write_amount(request.amount)}
    if len(request.order_id) <= _MAX_ID:
        order["referenceOrderId"] = request.order_id
    order["orderDescription"] = (description or f"Order {request.order_id}")[:_MAX_DESCRIPTION]
    content: dict[str, Any] = {
        "productCode": products.of(request),
        "paymentRequestId": request.key,
        "paymentAmount": write_amount(request.amount),
        "order": order,
        "paymentExpiryTime": write_time(closes_at(request)),
    }
    if request.notify_url:
        content["paymentNotifyUrl"] = request.notify_url
    if request.return_url and not request.instrument:
        content["paymentRedirectUrl"] = request.return_url
    if request.instrument:
        content["paymentAuthCode"] = request.instrument
    return content


def write_amount(amount: Money) -> dict[str, str]:
    return {"currency": amount.currency, "value": str(amount.minor)}


def is_optional(said: WalletAnswer) -> bool:
    """Whether pay was refused over something that the wallet can do without."""
    words = said.part("result").word("resultMessage")
    named = any(name in words for name in ("orderDescription", "referenceOrderId"))
    return said.status == F and said.code == "PARAM_ILLEGAL" and named


def pay_told(said: WalletAnswer, request: ChargeRequest) -> Outcome | None:
    """What the answer to pay means; None: accepted, and an inquiry must tell whether it is paid.

    Of a payment in the cashier S says no more than that the order exists, and the answer names no
    amount: so nothing is ever booked as paid by it.
    """
    if said.status == F:
        return pay_refused(said)
    if said.status not in (S, A) or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    reference = said.id("paymentId")
    if not reference or said.id("paymentRequestId") not in ("", request.key):
        return InDoubt(reason="the wallet answered about another payment")
    form = said.part("redirectActionForm")
    if form.members:
        return _action(form, reference, closes_at(request))
    if said.status == A or not request.instrument:
        return Pending(reference=reference)
    return None


def _action(form: WalletAnswer, reference: str, expires_at: datetime) -> ActionNeeded | InDoubt:
    """Where the payer goes. The form's method does not matter: wallets serve the same address to
    GET, unless they want `parameters` posted to it, which a redirect cannot do."""
    url = form.word("redirectionUrl") or form.word("redirectUrl")
    if form.word("parameters"):
        return InDoubt(reason="the wallet wants a form posted, which a redirect cannot do")
    if not _is_address(url):
        return InDoubt(reason="the wallet sent no address where the payer can pay")
    return ActionNeeded(reference=reference, url=url, expires_at=expires_at)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
    return good and len(url) <= _MAX_CASHIER and url.isprintable() and " " not in url


def inquiry_told(said: WalletAnswer, key: str, known: KnownCharge) -> Outcome:
    """What the answer to an inquiry means for the payment under `key`.

    Its S says that the inquiry worked; paymentStatus tells of the payment.
    """
    if said.status == F and said.code == NO_ORDER:
        return Unknown(reason="the wallet knows no payment under this key")
    if said.status != S or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    if said.id("paymentRequestId") != key:
        return InDoubt(reason="the wallet answered about another payment")
    if known.reference and said.id("paymentId") != known.reference:
        return InDoubt(reason="the wallet has another payment under this key")
    return state_told(said)


def state_told(said: WalletAnswer) -> Outcome:
    """What `paymentStatus` means, in an inquiry or a notification."""
    word, reference = said.word("paymentStatus"), said.id("paymentId")
    if not reference:
        return InDoubt(reason="the wallet named no payment")
    if word in ("PROCESSING", "PENDING"):
        return Pending(reference=reference)
    if word in ("FAIL", "CANCELLED"):
        return _ended(word, said.word("paymentFailReason"), reference)
    if word not in ("SUCCESS", "AUTH_SUCCESS"):
        return InDoubt(reason="the wallet sent an unknown payment status")
    amount = said.amount("paymentAmount")
    if amount is None:
        return InDoubt(reason="the wallet sent an amount that cannot be read")
    if word == "SUCCESS":
        return _captured(said, reference, amount)
    return Authorized(reference=reference, amount=amount, expires_at=said.moment("authExpiryTime"))


def _captured(said: WalletAnswer, reference: str, amount: Money) -> Captured | InDoubt:
    """Where less was captured than the payment is of, the wallet says so, or lists its captures."""
    listed = [one for one in said.parts("transactions") if one.word("transactionType") == "CAPTURE"]
    done = [one for one in listed if one.word("transactionStatus") == "SUCCESS"]
    parts = [one.amount("transactionAmount") for one in done]
    if "capturedAmount" in said.members:
        parts = [said.amount("capturedAmount")]
    known = [part for part in parts if part is not None and part.currency == amount.currency]
    if len(known) < len(parts):
        return InDoubt(reason="the wallet sent an amount that cannot be read")
    if parts:
        amount = Money(sum(part.minor for part in known), amount.currency)
    return Captured(reference=reference, amount=amount)


def _ended(word: str, why: str, reference: str) -> Declined:
    """`why` is words for people; where it begins with a code of the family, that is the reason."""
    code = why.partition(":")[0].strip()
    if word == "CANCELLED":
        code = "ORDER_IS_CLOSED"
    ours, message = DECLINES.get(code, DECLINES["PROCESS_FAIL"])
    told = code if code in DECLINES else word
    return Declined(code=ours, message=message, reference=reference, provider_code=told)


def cancel_told(said: WalletAnswer, key: str) -> Declined | Unknown | NotSent | InDoubt | None:
    """What the answer to cancel means; None: an inquiry must tell."""
    if said.status == F and said.code == NO_ORDER:
        return Unknown(reason="the wallet knows no payment under this key")
    if said.status == F and said.code in ("ORDER_STATUS_INVALID", "ORDER_IS_CLOSED"):
        return None
    if said.status != S or said.code not in ACCEPTED:
        return InDoubt(reason=f"the wallet answered {said.codes}")
    if said.id("paymentRequestId") not in ("", key):
        return InDoubt(reason="the wallet answered about another payment")
    return _ended("CANCELLED", "", said.id("paymentId"))


def named(key: str) -> Mapping[str, str]:
    """A payment by our key, which the wallet always knows."""
    return {"paymentRequestId": key}
