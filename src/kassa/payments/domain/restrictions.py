"""How an order may be paid: the words by which merchants name methods, and what follows from them.

The words are those of the card and Indian payment industry, which the orders interface took over
with its shape; some name what nobody takes here.
"""

from collections.abc import Mapping
from typing import Final

from kassa.payments.domain.payments import Method

_M = Method
_CARD = frozenset({_M.CREDIT_CARD})
_NOBODY: frozenset[Method] = frozenset()

METHODS_OF_WORD: Final[Mapping[str, frozenset[Method]]] = {
    **dict.fromkeys(("card", "cc", "dc", "ccc", "ppc", "credit_card", "debit_card"), _CARD),
    "upi": frozenset({_M.UPI}),
    **dict.fromkeys(("nb", "netbanking", "net_banking"), frozenset({_M.NET_BANKING})),
    **dict.fromkeys(("app", "wallet"), frozenset({_M.WALLET, _M.EWALLET})),
    **dict.fromkeys(("ewallet", "e_wallet"), frozenset({_M.EWALLET})),
    "alipay": frozenset({_M.ALIPAY}),
    **dict.fromkeys(("banktransfer", "bank_transfer"), frozenset({_M.BANK_TRANSFER})),
    "cash": frozenset({_M.CASH}),
    "check": frozenset({_M.CHECK}),
    **dict.fromkeys(
        ("paypal", "paylater", "applepay", "emi", "ccemi", "dcemi", "cardlessemi", "cardless_emi"),
        _NOBODY,
    ),
}
"""By the word in order_meta.payment_methods, in small letters."""


def words_of(payment_methods: str) -> tuple[str, ...]:
    """Of a comma list, in small letters."""
    return tuple(word.strip().lower() for word in payment_methods.split(",") if word.strip())


def unknown_word(payment_methods: str) -> str:
    """The first word that names no method at all; "" where each names one."""
    words = words_of(payment_methods)
    return next((word for word in words if word not in METHODS_OF_WORD), "")


def methods_of(payment_methods: str) -> frozenset[Method] | None:
    """What the list allows; None: it is empty, and anything may pay."""
    words = words_of(payment_methods)
    if not words:
        return None
    return frozenset().union(*(METHODS_OF_WORD.get(word, _NOBODY) for word in words))


def allows(payment_methods: str, method: Method) -> bool:
    """Whether an order with that list may be paid so."""
    named = methods_of(payment_methods)
    return named is None or method in named
