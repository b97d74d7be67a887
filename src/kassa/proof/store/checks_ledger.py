"""Questions about the ledger, and whether payments, orders and attempts say the same as it."""

from kassa.base.domain.lifecycle import TRANSITIONS, PaymentEvent, PaymentStatus
from kassa.base.store.queries import Queries
from kassa.proof.store.checks import Check, checks_of, listed

# For each kind of posting: the accounts that it may debit, and those that it may credit. Kinds
# that are not named here may touch any.
_SOURCES = ("provider", "wallet", "cash", "transit")
_FEES = ("merchant", "provider", "bank", "fee_income", "fee_expense")
_AT_THE_BANK = ("bank", "transit")
_SHAPES = {
    "authorize": (("reserved", "wallet"), ("held",)),
    "release": (("held",), ("reserved", "wallet")),
    "receipt": (("transit",), ("unapplied",)),
    "receipt_reversal": (("unapplied",), ("transit",)),
    "capture": ((*_SOURCES, "held", "unapplied"), ("merchant", "reserved")),
    "refund": (("merchant",), _SOURCES),
    "refund_reversal": (("provider",), ("merchant",)),
    "surplus": ((*_SOURCES, "unapplied"), ("surplus",)),
    "surplus_return": (("surplus",), _SOURCES),
    "surplus_return_reversal": (("provider",), ("surplus",)),
    "fee": (("merchant", "fee_expense"), ("provider", "fee_income")),
    "fee_adjustment": (_FEES, _FEES),
    "dispute": (("merchant", "surplus"), _SOURCES),
    "dispute_reversal": (_SOURCES, ("merchant", "surplus")),
    "charge_return": (("merchant", "surplus"), _SOURCES),
    "transfer": (_AT_THE_BANK, _AT_THE_BANK),
    "exchange": (("exchange", "provider"), ("exchange", "provider")),
    "top_up": (("wallet_funding",), ("wallet",)),
}


_WORDS = {
    "kinds.shaped": listed(_SHAPES),
    "kinds.of_payments": listed(kind for kind in _SHAPES if kind != "top_up"),
    "kinds.legs": listed(
        f"{kind} {side} {account}"
        for kind, sides in _SHAPES.items()
        for side, accounts in zip(("debit", "credit"), sides, strict=True)
        for account in accounts
    ),
    "moves.legal": listed(
        f"{before} {event} {after}"
        for before, event, after in (
            *((before, event, after) for (before, event), after in TRANSITIONS.items()),
            *((status, PaymentEvent.NOTE, status) for status in PaymentStatus),
        )
    ),
}


class Sql(Queries, words=_WORDS):
    postings_balance: Check
    the_books_sum_to_zero: Check
    payments_equal_the_ledger: Check
    postings_belong_to_payments: Check
    postings_credit_whom_they_should: Check
    orders_equal_their_payments: Check
    orders_end_with_their_payments: Check
    states_equal_their_events: Check
    timelines_replay: Check
    attempts_equal_their_payment: Check


LEDGER_CHECKS = checks_of(Sql)
