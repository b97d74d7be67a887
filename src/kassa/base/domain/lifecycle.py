"""The state tables of everything that has states; late news is a row, not an `if`."""

from collections.abc import Mapping
from enum import StrEnum

from kassa.base.domain.errors import IllegalTransition


class PaymentStatus(StrEnum):
    CREATED = "created"  # stored; nothing sent to a provider
    REQUIRES_ACTION = "requires_action"  # the payer must act: redirect, 3-D Secure
    PROCESSING = "processing"  # sent; no final answer yet
    AUTHORIZED = "authorized"  # funds reserved, not moved
    CAPTURED = "captured"  # funds claimed
    SETTLED = "settled"  # matched to a line of the provider's settlement report
    CANCELED = "canceled"  # released before capture; no funds moved
    FAILED = "failed"  # refused; no funds moved; another attempt may be allowed
    EXPIRED = "expired"  # nobody acted in time; no funds moved


class PaymentEvent(StrEnum):
    CREATE = "create"
    SUBMIT = "submit"  # an attempt goes to a provider
    NOT_SENT = "not_sent"  # the provider could not be reached: nothing exists there
    REROUTE = "reroute"  # refused for the provider's own reasons: another account is tried
    ACTION_NEEDED = "action_needed"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXPIRE = "expire"
    SETTLE = "settle"
    RELEASE = "release"  # what was reserved and not claimed is let go
    NOTE = "note"  # something worth keeping happened; the status stays


_S, _E = PaymentStatus, PaymentEvent

# fmt: off
TRANSITIONS: Mapping[tuple[PaymentStatus, PaymentEvent], PaymentStatus] = {
    (_S.CREATED,         _E.SUBMIT):        _S.PROCESSING,
    (_S.CREATED,         _E.CANCEL):        _S.CANCELED,
    (_S.CREATED,         _E.EXPIRE):        _S.EXPIRED,

    (_S.PROCESSING,      _E.NOT_SENT):      _S.CREATED,
    (_S.PROCESSING,      _E.REROUTE):       _S.CREATED,
    (_S.PROCESSING,      _E.ACTION_NEEDED): _S.REQUIRES_ACTION,
    (_S.PROCESSING,      _E.AUTHORIZE):     _S.AUTHORIZED,
    (_S.PROCESSING,      _E.CAPTURE):       _S.CAPTURED,
    (_S.PROCESSING,      _E.DECLINE):       _S.FAILED,

    (_S.REQUIRES_ACTION, _E.SUBMIT):        _S.PROCESSING,  # the payer chose another method
    (_S.REQUIRES_ACTION, _E.AUTHORIZE):     _S.AUTHORIZED,
    (_S.REQUIRES_ACTION, _E.CAPTURE):       _S.CAPTURED,
    (_S.REQUIRES_ACTION, _E.DECLINE):       _S.FAILED,
    (_S.REQUIRES_ACTION, _E.CANCEL):        _S.CANCELED,
    (_S.REQUIRES_ACTION, _E.EXPIRE):        _S.EXPIRED,

    (_S.AUTHORIZED,      _E.CAPTURE):       _S.CAPTURED,
    (_S.AUTHORIZED,      _E.CANCEL):        _S.CANCELED,
    (_S.AUTHORIZED,      _E.EXPIRE):        _S.EXPIRED,

    (_S.CAPTURED,        _E.SETTLE):        _S.SETTLED,
    (_S.CAPTURED,        _E.CAPTURE):       _S.CAPTURED,  # another part of what was reserved
    (_S.CAPTURED,        _E.RELEASE):       _S.CAPTURED,
    (_S.CAPTURED,        _E.AUTHORIZE):     _S.CAPTURED,  # late news: providers reorder

    (_S.FAILED,          _E.SUBMIT):        _S.PROCESSING,  # another attempt, where it is allowed
    (_S.CREATED,         _E.CAPTURE):       _S.CAPTURED,  # of an attempt believed never sent
    # Evidence of payment after the end: the money is there, so it is shown, marked surplus.
    (_S.FAILED,          _E.CAPTURE):       _S.CAPTURED,
    (_S.CANCELED,        _E.CAPTURE):       _S.CAPTURED,
    (_S.EXPIRED,         _E.CAPTURE):       _S.CAPTURED,
}
# fmt: on

FUNDS_MOVED = frozenset({_S.CAPTURED, _S.SETTLED})
OPEN = frozenset({_S.CREATED, _S.REQUIRES_ACTION})
"""Statuses in which a payer may (still) choose how to pay, and which expire."""
ENDED = frozenset({_S.CANCELED, _S.FAILED, _S.EXPIRED})
"""Ended without funds: a capture that arrives now is surplus."""
FUNDS_SECURED = FUNDS_MOVED | {_S.AUTHORIZED}
"""Its order has its money, moved or reserved: no other payment of it may be paid."""
UNDER_WAY = frozenset(_S) - FUNDS_MOVED - ENDED
"""May still come to something by itself."""
AT_PROVIDER = frozenset({_S.PROCESSING, _S.AUTHORIZED})
"""A provider decides how it ends, and no clock of ours."""
AWAITED = frozenset({_S.REQUIRES_ACTION, _S.PROCESSING})
"""Begun, and its provider, or its payer there, has yet to say how it went: worth a question."""
CLOSED = ENDED - {_S.FAILED}
"""Ended, and no other attempt may follow."""


def next_status(status: PaymentStatus, event: PaymentEvent) -> PaymentStatus:
    """Look the move up.

    Raises: IllegalTransition when the table has no such row.
    """
    if event is PaymentEvent.NOTE:
        return status
    try:
        return TRANSITIONS[status, event]
    except KeyError:
        raise IllegalTransition(f"cannot {event} a payment that is {status}") from None


def can(status: PaymentStatus, event: PaymentEvent) -> bool:
    """Whether the table has a row for it."""
    return (status, event) in TRANSITIONS


class AttemptStatus(StrEnum):
    PREPARED = "prepared"  # row and provider key exist; nothing sent
    DISPATCHED = "dispatched"  # committed before the call; something may exist at the provider
    IN_DOUBT = "in_doubt"  # no authoritative answer: a query is allowed, another write is not
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ABANDONED = "abandoned"  # nothing was sent, or the payer left a redirect for another method


UNDECIDED = frozenset({AttemptStatus.DISPATCHED, AttemptStatus.IN_DOUBT})
"""What became of it is not known: it has a next date, by a constraint of its table."""
MAY_COME = UNDECIDED | {AttemptStatus.ABANDONED}
"""Of a bank transfer: it has not come, and may."""
RATED = frozenset({AttemptStatus.SUCCEEDED, AttemptStatus.DECLINED, AttemptStatus.IN_DOUBT})
"""The provider was asked and has answered, or not: by these the success of an account is told."""

_A = AttemptStatus

ATTEMPT_TRANSITIONS: Mapping[AttemptStatus, frozenset[AttemptStatus]] = {
    _A.PREPARED: frozenset({_A.DISPATCHED, _A.ABANDONED}),
    _A.DISPATCHED: frozenset({_A.SUCCEEDED, _A.DECLINED, _A.IN_DOUBT, _A.ABANDONED}),
    _A.IN_DOUBT: frozenset({_A.SUCCEEDED, _A.DECLINED, _A.DISPATCHED}),
    _A.SUCCEEDED: frozenset(),
    _A.DECLINED: frozenset({_A.SUCCEEDED}),  # late evidence that money moved after all
    _A.ABANDONED: frozenset({_A.SUCCEEDED}),  # likewise
}


def next_attempt_status(status: AttemptStatus, wanted: AttemptStatus) -> AttemptStatus:
    """`wanted`, when an attempt that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in ATTEMPT_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"an attempt that is {status} cannot become {wanted}")


class ModificationKind(StrEnum):
    """What can be done to a charge after it was made."""

    CAPTURE = "capture"  # claim what was reserved, or a part of it
    VOID = "void"  # let go what was reserved and not claimed
    REFUND = "refund"  # give back what was claimed, or a part of it


CAPTURE_OR_VOID = frozenset({ModificationKind.CAPTURE, ModificationKind.VOID})
"""Decide on what is reserved; of a payment one at a time."""


class ModificationStatus(StrEnum):
    REQUESTED = "requested"  # accepted, its amount reserved; nothing is at the provider
    PROCESSING = "processing"  # committed before the call: no final answer yet
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused for good: what it had reserved is free again


_M = ModificationStatus
PENDING = frozenset({_M.REQUESTED, _M.PROCESSING})
"""Its outcome is not known yet, so what it reserves stays reserved."""

MODIFICATION_TRANSITIONS: Mapping[ModificationStatus, frozenset[ModificationStatus]] = {
    _M.REQUESTED: frozenset({_M.PROCESSING, _M.SUCCEEDED, _M.FAILED}),
    _M.PROCESSING: frozenset({_M.SUCCEEDED, _M.FAILED, _M.REQUESTED}),  # back: it was not sent
    _M.SUCCEEDED: frozenset({_M.FAILED}),  # it came back: a refund to an account that is closed
    _M.FAILED: frozenset({_M.SUCCEEDED}),  # late evidence that it was done after all
}


def next_modification_status(
    status: ModificationStatus, wanted: ModificationStatus
) -> ModificationStatus:
    """`wanted`, when a modification that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in MODIFICATION_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"a modification that is {status} cannot become {wanted}")


class DisputeKind(StrEnum):
    """By what a payer's bank takes money back."""

    DISPUTE = "dispute"  # somebody contests the payment, and may lose
    RETURN = "return"  # the charge itself came back: a debit that its bank did not honour


class DisputeStage(StrEnum):
    """How far a dispute has gone; it only goes on, never back."""

    INQUIRY = "inquiry"  # the bank asks; no money has moved
    CHARGEBACK = "chargeback"  # the money was taken back from us
    PRE_ARBITRATION = "pre_arbitration"  # contested a second time
    ARBITRATION = "arbitration"  # the card network decides


class DisputeStatus(StrEnum):
    NEEDS_RESPONSE = "needs_response"  # evidence may be sent until the deadline
    UNDER_REVIEW = "under_review"  # answered; somebody else decides
    WON = "won"  # ours again
    LOST = "lost"  # theirs for good
    CLOSED = "closed"  # an inquiry that ended without a chargeback


_D = DisputeStatus
DECIDED = frozenset({_D.WON, _D.LOST, _D.CLOSED})
NOT_LOST = DECIDED - {_D.LOST}
"""Decided, and the money is ours."""

DISPUTE_TRANSITIONS: Mapping[DisputeStatus, frozenset[DisputeStatus]] = {
    _D.NEEDS_RESPONSE: frozenset({_D.UNDER_REVIEW, _D.WON, _D.LOST, _D.CLOSED}),
    _D.UNDER_REVIEW: frozenset({_D.NEEDS_RESPONSE, _D.WON, _D.LOST, _D.CLOSED}),
    # What was decided may be disputed again, in its next stage.
    _D.WON: frozenset({_D.NEEDS_RESPONSE, _D.UNDER_REVIEW, _D.LOST, _D.CLOSED}),
    _D.LOST: frozenset({_D.NEEDS_RESPONSE, _D.UNDER_REVIEW, _D.WON, _D.CLOSED}),
    _D.CLOSED: frozenset({_D.NEEDS_RESPONSE, _D.UNDER_REVIEW, _D.WON, _D.LOST}),
}
"""Over all stages: of a stage the last news may be the first that is heard. What may follow what at
one provider, `disputes.DisputeOrder` says."""


def next_dispute_status(status: DisputeStatus, wanted: DisputeStatus) -> DisputeStatus:
    """`wanted`, when a dispute that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in DISPUTE_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"a dispute that is {status} cannot become {wanted}")


class SettlementStatus(StrEnum):
    OPEN = "open"  # gathers what moved at one provider account
    CLOSED = "closed"  # its lines are fixed; the payout is expected
    PAID = "paid"  # the payout arrived at the bank
    FAILED = "failed"  # the bank sent the payout back
    CARRIED = "carried"  # it came to less than nothing: the next one begins with that


_L = SettlementStatus
AWAITS_PAYOUT = frozenset({_L.CLOSED, _L.FAILED})
"""Its payout is yet to arrive, or to arrive again."""


class PayoutStatus(StrEnum):
    """What became of one try of a settlement's payout."""

    PAID = "paid"  # at the bank
    RETURNED = "returned"  # it was there, and the bank sent it back
    FAILED = "failed"  # it never arrived


SETTLEMENT_TRANSITIONS: Mapping[SettlementStatus, frozenset[SettlementStatus]] = {
    _L.OPEN: frozenset({_L.CLOSED, _L.CARRIED}),
    _L.CLOSED: frozenset({_L.PAID, _L.FAILED}),
    _L.PAID: frozenset({_L.FAILED}),  # a payout can bounce days later
    _L.FAILED: frozenset({_L.PAID}),
    _L.CARRIED: frozenset(),
}


def next_settlement_status(status: SettlementStatus, wanted: SettlementStatus) -> SettlementStatus:
    """`wanted`, when a settlement that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in SETTLEMENT_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"a settlement that is {status} cannot become {wanted}")


class OrderStatus(StrEnum):
    ACTIVE = "active"  # waiting for its money
    PAID = "paid"  # exactly one successful payment
    EXPIRED = "expired"  # nobody paid in time
    CANCELED = "canceled"  # the merchant or payer closed it


_O = OrderStatus
UNPAID_FOR_GOOD = frozenset({_O.EXPIRED, _O.CANCELED})

ORDER_TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    _O.ACTIVE: frozenset({_O.PAID, _O.EXPIRED, _O.CANCELED}),
    # Final: money that comes later is surplus, and what is refunded was paid all the same.
    _O.PAID: frozenset(),
    _O.EXPIRED: frozenset(),
    _O.CANCELED: frozenset(),
}


def next_order_status(status: OrderStatus, wanted: OrderStatus) -> OrderStatus:
    """`wanted`, when an order that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in ORDER_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"an order that is {status} cannot become {wanted}")


class CompanyStatus(StrEnum):
    ACTIVE = "active"
    CLOSED = "closed"  # takes no new payment; what it has is still followed to its end


class CredentialStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # proves nothing


class PayeeStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # no payment is directed to it


class WalletUserStatus(StrEnum):
    ACTIVE = "active"
    FROZEN = "frozen"  # pays nothing; may receive
    CLOSED = "closed"


class StaffStatus(StrEnum):
    INVITED = "invited"  # has not chosen a password yet
    ACTIVE = "active"
    DISABLED = "disabled"


class AgreementStatus(StrEnum):
    """Of a lasting permission that a merchant asks a wallet user for."""

    ASKED = "asked"  # the user has not answered; too late when its page has run out
    REFUSED = "refused"
    AGREED = "agreed"  # the merchant has an authorization code to exchange
    ACTIVE = "active"  # the merchant has tokens
    ENDED = "ended"  # by the merchant, the user or the operator; charges nothing any more


_G = AgreementStatus
AGREEMENT_TRANSITIONS: Mapping[AgreementStatus, frozenset[AgreementStatus]] = {
    _G.ASKED: frozenset({_G.REFUSED, _G.AGREED}),
    _G.REFUSED: frozenset(),
    _G.AGREED: frozenset({_G.ACTIVE, _G.ENDED}),
    _G.ACTIVE: frozenset({_G.ENDED}),
    _G.ENDED: frozenset(),
}


def next_agreement_status(status: AgreementStatus, wanted: AgreementStatus) -> AgreementStatus:
    """`wanted`, when an agreement that is `status` may become it; staying is always allowed.

    Raises: IllegalTransition.
    """
    if wanted is status or wanted in AGREEMENT_TRANSITIONS[status]:
        return wanted
    raise IllegalTransition(f"an agreement that is {status} cannot become {wanted}")


class BreakStatus(StrEnum):
    OPEN = "open"  # somebody has to look at it
    RESOLVED = "resolved"


class BreakClass(StrEnum):
    """What is wrong between a report and our books."""

    MISSING_OURS = "missing_ours"  # they report what we do not know
    MISSING_THEIRS = "missing_theirs"  # we booked what they never reported
    AMOUNT = "amount"
    CURRENCY = "currency"
    STATUS = "status"  # they say paid, we say otherwise
    DUPLICATE = "duplicate"  # the same movement reported twice
    FEE = "fee"  # the fee is not what was expected
    LATE = "late"  # reported long after it happened
    REFUND_MISSING = "refund_missing"  # they report a refund that we do not know
    WRONG_ACCOUNT = "wrong_account"  # it belongs to another provider account
    TEST_IN_LIVE = "test_in_live"  # a sandbox movement in a live report, or the reverse
    AMBIGUOUS = "ambiguous"  # what it names is more than one thing of ours
    UNREADABLE = "unreadable"
    DOUBLE_PAID = "double_paid"  # refunded, and taken back by a bank as well
    UNDERPAID = "underpaid"  # a transfer brought less than is owed
    OVERPAID = "overpaid"  # a transfer brought what nobody owes: people send it back
    SURPLUS_STUCK = "surplus_stuck"  # money that nobody owed, and that cannot be given back
    UNDECIDED = "undecided"  # the provider has not said what became of it for a week
    UNKNOWN_NEWS = "unknown_news"  # a provider told of a charge or refund that nobody can find
