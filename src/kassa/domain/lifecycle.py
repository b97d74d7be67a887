"""The state tables of payments and attempts; late news is a row, not an `if`."""

from collections.abc import Mapping
from enum import StrEnum

from kassa.domain.errors import IllegalTransition


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
    ACTION_NEEDED = "action_needed"
    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    DECLINE = "decline"
    CANCEL = "cancel"
    EXPIRE = "expire"
    SETTLE = "settle"
    NOTE = "note"  # something worth keeping happened; the status stays


_S, _E = PaymentStatus, PaymentEvent

# fmt: off
TRANSITIONS: Mapping[tuple[PaymentStatus, PaymentEvent], PaymentStatus] = {
    (_S.CREATED,         _E.SUBMIT):        _S.PROCESSING,
    (_S.CREATED,         _E.CANCEL):        _S.CANCELED,
    (_S.CREATED,         _E.EXPIRE):        _S.EXPIRED,

    (_S.PROCESSING,      _E.NOT_SENT):      _S.CREATED,
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


class OrderStatus(StrEnum):
    ACTIVE = "active"  # waiting for its money
    PAID = "paid"  # exactly one successful payment
    EXPIRED = "expired"  # nobody paid in time
    CANCELED = "canceled"  # the merchant or payer closed it
