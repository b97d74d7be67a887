"""What events of before 0.4 left out, because the rows and postings of their payment have it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kassa.base.domain.money import Money
from kassa.ledger.domain.ledger import Posting, PostingKind, account_class
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.timeline import StoredEvent

_K = PostingKind
_FEES = (_K.FEE, _K.FEE_ADJUSTMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderRows:
    """What belongs to the payment now, by its id; an old event says only which it speaks of.

    `fee_changes`: what an event has added to the booked fee, by the event's number.
    """

    payment: Payment
    attempts: Mapping[str, Attempt]
    modifications: Mapping[str, Modification]
    disputes: Mapping[str, Dispute]
    postings: Sequence[Posting]
    fee_changes: Mapping[int, int] = field(default_factory=dict)

    def money(self, minor: int) -> Money:
        return Money(minor, self.payment.amount.currency)

    def fee(self, cause: str, event: StoredEvent) -> Money:
        """What had been charged for one thing by then: whoever bears it is debited."""
        return self.money(
            sum(
                _borne(posting)
                for posting in self.postings
                if posting.cause == cause and posting.kind in _FEES and posting.at <= event.at
            )
        )

    def is_surplus(self, cause: str) -> bool:
        return any(one.kind is _K.SURPLUS and one.cause == cause for one in self.postings)


def _borne(posting: Posting) -> int:
    return sum(
        entry.minor
        for entry in posting.entries
        if account_class(entry.account) in ("merchant", "fee_expense")
    )


def fee_changes(events: Iterable[StoredEvent], rows: OlderRows) -> dict[int, int]:
    """What each event that names a fee has corrected, by the event's number.

    All lines of one file were booked at one time, each with one correction at most: whose it is,
    is told by the fee that it led to.
    """
    left = [posting for posting in rows.postings if posting.kind is _K.FEE_ADJUSTMENT]
    found = {}
    for event in events:
        said = event.evidence.get("fee")
        here = [posting for posting in left if posting.at == event.at]
        if not said or "kind" in event.evidence or not here:
            continue
        exact = [posting for posting in here if str(rows.fee(posting.cause, event)) == said]
        own = (exact or here)[0]
        left.remove(own)
        found[event.seq] = _borne(own)
    return found
