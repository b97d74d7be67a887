"""A payment as it was at an earlier moment: its history told again, up to there and no further.

States are replayed through the tables, amounts are summed from postings. A row that has not changed
since that moment is taken as it is; of one that has, only what is known to be of that time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from kassa.domain.disputes import Dispute
from kassa.domain.errors import IllegalTransition
from kassa.domain.ledger import Posting, PostingKind, account_class
from kassa.domain.lifecycle import (
    DECIDED,
    AttemptStatus,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    PaymentEvent,
    PaymentStatus,
    next_status,
)
from kassa.domain.modifications import Modification
from kassa.domain.money import Money
from kassa.domain.payments import Attempt, Payment, TimelineEvent

_E, _A, _K = PaymentEvent, AttemptStatus, PostingKind

_ATTEMPT_BY_EVENT = {
    _E.SUBMIT: _A.DISPATCHED,
    _E.ACTION_NEEDED: _A.DISPATCHED,
    _E.AUTHORIZE: _A.SUCCEEDED,
    _E.CAPTURE: _A.SUCCEEDED,
    _E.DECLINE: _A.DECLINED,
    _E.NOT_SENT: _A.ABANDONED,
    _E.REROUTE: _A.DECLINED,
}
_ATTEMPT_BY_NOTE = {
    "accepted by the provider": _A.DISPATCHED,
    "in doubt": _A.IN_DOUBT,
    "paid twice": _A.SUCCEEDED,
    "reserved too late": _A.SUCCEEDED,
    "an attempt was declined": _A.DECLINED,
    "not sent": _A.ABANDONED,
}
_REFUSALS = frozenset(
    {"capture refused", "void refused", "refund refused", "surplus return refused"}
)
NO_END = frozenset(
    {
        "capture requested",
        "void requested",
        "refund requested",
        "surplus return requested",
        "another amount was moved",
        "refunded although it had failed, beyond what is left",
    }
)
"""Notes that name a modification and do not end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A payment with everything that belongs to it."""

    payment: Payment
    events: Sequence[TimelineEvent]
    attempts: Sequence[Attempt]
    modifications: Sequence[Modification]
    disputes: Sequence[Dispute]
    postings: Sequence[Posting]


def as_of(now: History, at: datetime) -> History:
    """The history as somebody would have seen it at that moment, after the payment was made."""
    events = [event for event in now.events if event.at <= at]
    postings = [posting for posting in now.postings if posting.at <= at]
    attempts = _attempts(now, at, events)
    modifications = [
        _modification(item, at, events, postings)
        for item in now.modifications
        if item.created_at <= at
    ]
    disputes = [
        _dispute(item, at, events, postings) for item in now.disputes if item.opened_at <= at
    ]
    past = History(
        payment=now.payment,
        events=events,
        attempts=attempts,
        modifications=modifications,
        disputes=disputes,
        postings=postings,
    )
    if now.payment.updated_at <= at and len(events) == len(now.events):
        return past
    return replace(past, payment=_payment(now, past))


def fault_of(before: PaymentStatus | None, event: TimelineEvent) -> str:
    """Why this step cannot have been made; empty for one that the table has."""
    if before is None:
        return "" if event.event is _E.CREATE else "the timeline does not begin with create"
    try:
        to = next_status(before, event.event)
    except IllegalTransition as error:
        return error.message
    return "" if to is event.to_status else f"{event.event} leads to {to}"


def _payment(now: History, past: History) -> Payment:
    """Its figures from the postings, everything else from the events."""
    payment = _erased(now.payment)
    by_id = {attempt.id: attempt for attempt in past.attempts}
    surplus = {posting.cause for posting in past.postings if posting.kind is _K.SURPLUS}
    for event in past.events:
        payment = replace(payment, status=event.to_status, version=event.seq, updated_at=event.at)
        attempt = by_id.get(event.evidence.get("attempt", ""))
        if event.event in (_E.NOT_SENT, _E.REROUTE):
            payment = replace(payment, method=None, connector="")
        elif event.event is _E.DECLINE and attempt is not None:
            payment = replace(
                payment,
                failure_code=attempt.failure_code,
                failure_message=attempt.failure_message,
            )
        elif event.event in (_E.SUBMIT, _E.AUTHORIZE, _E.CAPTURE) and attempt is not None:
            payment = replace(
                payment,
                method=attempt.method,
                connector=attempt.connector,
                instrument=attempt.instrument,
                provider_reference=("" if event.event is _E.SUBMIT else attempt.provider_reference),
                failure_code="",
                failure_message="",
            )
        if event.event is _E.CAPTURE:
            late = attempt is not None and attempt.id in surplus
            payment = replace(
                payment,
                captured_at=payment.captured_at or event.at,
                surplus=payment.surplus or late,
            )
    payment = _with_figures(payment, past)
    if not any(_reports(event) for event in now.events[len(past.events) :]):
        payment = replace(payment, settled_minor=now.payment.settled_minor)
    return payment.recounted()


def _reports(event: TimelineEvent) -> bool:
    """Whether it is what a report said: `settled_minor` may have grown by it."""
    return event.event is _E.SETTLE or event.evidence.get("note") == "reported in part"


def _erased(payment: Payment) -> Payment:
    """What is fixed when a payment is made, and nothing of what came after."""
    return replace(
        payment,
        method=None,
        connector="",
        instrument="",
        provider_reference="",
        surplus=False,
        settled_minor=0,
        expected_fee_minor=0,
        fee_known=False,
        authorization_expires_at=None,
        redirect_url="",
        redirect_expires_at=None,
        failure_code="",
        failure_message="",
        captured_at=None,
    )


def _with_figures(payment: Payment, past: History) -> Payment:
    def moved(*kinds: PostingKind, debited: str = "") -> int:
        """What postings of these kinds moved; with `debited`, net, into accounts of that class."""
        legs = [
            (entry, account_class(entry.account))
            for posting in past.postings
            if posting.kind in kinds
            for entry in posting.entries
        ]
        if debited:
            return sum(entry.minor for entry, name in legs if name == debited)
        return sum(entry.minor for entry, _ in legs if entry.minor > 0)

    captured = -moved(_K.CAPTURE, debited="merchant")
    plain = captured - moved(_K.CAPTURE, debited="held")
    if payment.surplus:
        captured = plain = payment.amount.minor
    open_refunds = [
        item for item in past.modifications if item.kind is ModificationKind.REFUND and item.is_open
    ]
    currency = payment.amount.currency
    return replace(
        payment,
        authorized=Money(moved(_K.AUTHORIZE) + plain, currency),
        captured=Money(captured, currency),
        released_minor=moved(_K.RELEASE),
        refunded=Money(moved(_K.REFUND), currency),
        refund_reserved=Money(
            sum(item.amount.minor for item in open_refunds if not item.surplus), currency
        ),
        surplus_amount=Money(moved(_K.SURPLUS), currency),
        surplus_returned_minor=moved(_K.SURPLUS_RETURN),
        surplus_reserved_minor=sum(item.amount.minor for item in open_refunds if item.surplus),
        disputed_minor=moved(_K.DISPUTE) - moved(_K.DISPUTE_REVERSAL),
        fee=Money(moved(_K.FEE, _K.FEE_ADJUSTMENT, debited="merchant"), currency),
        modifications=len(past.modifications),
        disputes=len(past.disputes),
    )


def _attempts(now: History, at: datetime, events: Sequence[TimelineEvent]) -> list[Attempt]:
    states: dict[str, AttemptStatus] = {}
    for event in events:
        about = event.evidence.get("attempt", "")
        if event.event is _E.NOTE:
            wanted = _ATTEMPT_BY_NOTE.get(event.evidence.get("note", ""))
        else:
            wanted = _ATTEMPT_BY_EVENT.get(event.event)
        if event.event in (_E.SUBMIT, _E.CANCEL, _E.EXPIRE):
            for old, status in states.items():
                if status is _A.DISPATCHED:
                    states[old] = _A.ABANDONED
        if about and wanted is not None:
            states[about] = wanted
    made = [attempt for attempt in now.attempts if attempt.created_at <= at]
    return [_attempt(item, states.get(item.id, _A.DISPATCHED), at) for item in made]


def _attempt(attempt: Attempt, status: AttemptStatus, at: datetime) -> Attempt:
    if attempt.updated_at <= at:
        return attempt
    succeeded = status is _A.SUCCEEDED
    failed = status in (_A.DECLINED, _A.ABANDONED) and attempt.failure_code != "amount_mismatch"
    return replace(
        attempt,
        status=status,
        surplus=attempt.surplus and succeeded,
        provider_reference=attempt.provider_reference if succeeded else "",
        failure_code=attempt.failure_code if failed else "",
        failure_message=attempt.failure_message if failed else "",
        query_count=0,
        next_query_at=None,
        last_query_at=None,
        undecided_since=None,
        updated_at=at,
    )


def _about(events: Iterable[TimelineEvent], member: str, about: str) -> list[TimelineEvent]:
    return [event for event in events if event.evidence.get(member) == about]


def _modification(
    item: Modification, at: datetime, events: Sequence[TimelineEvent], postings: Sequence[Posting]
) -> Modification:
    if item.updated_at <= at:
        return item
    changes: dict[str, Any] = {
        "status": ModificationStatus.PROCESSING,
        "provider_reference": "",
        "fee_minor": 0,
        "failure_code": "",
        "failure_message": "",
        "query_count": 0,
        "next_query_at": None,
        "last_query_at": None,
        "undecided_since": None,
        "completed_at": None,
        "updated_at": item.created_at,
    }
    if item.surplus and item.kind is ModificationKind.VOID:
        changes["status"] = ModificationStatus.REQUESTED  # a worker sends it
    for event in _about(events, "modification", item.id):
        note = event.evidence.get("note", "")
        if note in _REFUSALS:
            changes["status"] = ModificationStatus.FAILED
            changes["failure_code"] = event.evidence.get("code", "")
        elif note not in NO_END:
            changes["status"] = ModificationStatus.SUCCEEDED
            changes["provider_reference"] = event.evidence.get("reference", "")
            changes["fee_minor"] = 0 if item.surplus else _fee_of(item.id, postings)
            changes["failure_code"] = ""
        else:
            continue
        changes["completed_at"] = changes["updated_at"] = event.at
    return replace(item, **changes)


def _dispute(
    item: Dispute, at: datetime, events: Sequence[TimelineEvent], postings: Sequence[Posting]
) -> Dispute:
    if item.updated_at <= at:
        return item
    said = [event for event in _about(events, "dispute", item.id) if "stage" in event.evidence]
    moves = [posting.kind for posting in postings if posting.cause == item.id]
    moves = [kind for kind in moves if kind in (_K.DISPUTE, _K.DISPUTE_REVERSAL)]
    last = said[-1].evidence if said else {}
    status = DisputeStatus(last.get("status", DisputeStatus.NEEDS_RESPONSE))
    return replace(
        item,
        stage=DisputeStage(last.get("stage", DisputeStage.INQUIRY)),
        status=status,
        withdrawn=bool(moves) and moves[-1] is _K.DISPUTE,
        fee=Money(_fee_of(item.id, postings), item.amount.currency),
        double_paid_minor=max(
            (event.evidence.get("left_twice_minor", 0) for event in said), default=0
        ),
        respond_by=None,  # it may have been put off since
        updated_at=said[-1].at if said else item.opened_at,
        closed_at=said[-1].at if said and status in DECIDED else None,
    )


def _fee_of(cause: str, postings: Sequence[Posting]) -> int:
    """What was charged for one thing: whoever bears it is debited."""
    return sum(
        entry.minor
        for posting in postings
        if posting.cause == cause and posting.kind in (_K.FEE, _K.FEE_ADJUSTMENT)
        for entry in posting.entries
        if account_class(entry.account) in ("merchant", "fee_expense")
    )
