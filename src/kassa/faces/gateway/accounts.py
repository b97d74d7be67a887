"""How the money is to come: payment methods, the accounts they need, and their masking."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from kassa.base.domain.errors import InvalidRequest
from kassa.faces.gateway.contract import Account
from kassa.payments.domain.payments import Method

METHODS: Mapping[str, Method] = {
    "creditcard": Method.CREDIT_CARD,
    "alipay": Method.ALIPAY,
    "wallet": Method.WALLET,
    "ewallet": Method.EWALLET,
    "upi": Method.UPI,
    "netbanking": Method.NET_BANKING,
    "banktransfer": Method.BANK_TRANSFER,
    "cash": Method.CASH,
    "check": Method.CHECK,
}
"""By the caller's word without case, spaces, hyphens and underscores."""

HIDDEN = "****"
_KNOWN = "credit card, Alipay, wallet, e-wallet, UPI, net banking, bank transfer, cash, check"
_CARD_TYPES = frozenset({"card", "creditcard"})
_WALLET_TYPES = frozenset({"wallet", "walletauthcode"})
_ALIPAY_TYPES = frozenset({"alipayauthcode"})
_ALIPAY_CODE = re.compile(r"[0-9]{16,24}", re.ASCII)
_CARD = re.compile(r"[0-9]{12,19}", re.ASCII)
_TOKEN = re.compile(r"pm_[A-Za-z0-9_]{1,60}", re.ASCII)
_SHOWABLE = 8  # characters; of a shorter number the last four would give most of it away


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Source:
    """Where the money comes from. `instrument` and `auth_code` are secrets: no repr."""

    method: Method
    instrument: str = ""
    instrument_shown: str = ""
    auth_code: str = ""


def read_source(method_word: str, payer: Account | None) -> Source:
    """The method named, with what it needs of the payer's account.

    Raises: InvalidRequest, which never repeats a number.
    """
    method = METHODS.get(_plain(method_word))
    if method is None:
        raise InvalidRequest(f"paymentMethod: it must be one of: {_KNOWN}", field="paymentMethod")
    if method is Method.ALIPAY and payer is not None and is_code(payer):
        if not _ALIPAY_CODE.fullmatch(payer.accountNumber):
            field = "payerAccount.accountNumber"
            raise InvalidRequest(f"{field}: a payer's code has 16 to 24 digits", field=field)
        return Source(method=method, instrument=payer.accountNumber, instrument_shown=HIDDEN)
    if method not in (Method.CREDIT_CARD, Method.WALLET):
        return Source(method=method)
    if payer is None:
        raise InvalidRequest(
            f"payerAccount: it is required when paymentMethod is {method_word}",
            field="payerAccount",
        )
    if method is Method.CREDIT_CARD:
        instrument = _card_or_token(payer)
        shown = mask_number(instrument)
        return Source(method=method, instrument=instrument, instrument_shown=shown)
    if _plain(payer.accountType) not in _WALLET_TYPES:
        raise _wrong_type("wallet_auth_code", "the code from the payer's wallet")
    return Source(method=method, instrument_shown=HIDDEN, auth_code=payer.accountNumber)


def _card_or_token(payer: Account) -> str:
    kind = _plain(payer.accountType)
    if kind in _CARD_TYPES:
        number = payer.accountNumber.replace(" ", "").replace("-", "")
        if _CARD.fullmatch(number):
            return number
        said = "a card number has 12 to 19 digits"
    elif kind == "token":
        if _TOKEN.fullmatch(payer.accountNumber):
            return payer.accountNumber
        said = "a card token begins with pm_"
    else:
        raise _wrong_type("card or token", "a card's number or token")
    raise InvalidRequest(f"payerAccount.accountNumber: {said}", field="payerAccount.accountNumber")


def _wrong_type(wanted: str, number: str) -> InvalidRequest:
    field = "payerAccount.accountType"
    return InvalidRequest(f"{field}: it must be {wanted}, with {number}", field=field)


def is_code(payer: Account) -> bool:
    """Whether the payer's account is the code that their Alipay shows, which pays at once: as good
    as money for a minute."""
    return _plain(payer.accountType) in _ALIPAY_TYPES


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word).lower()


def bare_number(number: str) -> str:
    """Without the spaces and hyphens that people group digits with."""
    return re.sub(r"[\s-]", "", number)


def mask_number(number: str) -> str:
    """`****` and the last four characters; of a short number, nothing."""
    bare = bare_number(number)
    return HIDDEN + bare[-4:] if len(bare) >= _SHOWABLE else HIDDEN


def mask_account(account: Account | None, *, secret: bool = False) -> dict[str, str]:
    """What of an account may be stored and shown. `secret`: its number is as good as money, like
    a wallet's code, so nothing of it is kept. Digits in names are hidden: they are where people
    put a number that has no member of its own.
    """
    if account is None:
        return {}
    shown = {
        "accountType": account.accountType,
        "accountNumber": HIDDEN if secret else mask_number(account.accountNumber),
    }
    for member, text in (("accountName", account.accountName), ("bankName", account.bankName)):
        if text is not None:
            shown[member] = re.sub(r"\d", "*", text)
    return shown
