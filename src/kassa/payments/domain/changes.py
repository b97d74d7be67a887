"""A payment while a transaction works on it, and what is gathered to be written of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kassa.base.domain.lifecycle import next_status
from kassa.ledger.domain.ledger import Posting
from kassa.orders.domain.orders import Order
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.evolution import evolve, postings
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.postings import UnbookedPosting
from kassa.payments.domain.state import PaymentState
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack
from kassa.payments.domain.timeline import TimelineEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """News for the merchant, to be sent once this change is committed; of a payment, or of an
    agreement, and then `payment_id` is "".

    `content`: what it tells, in the words of `kind`, as it was when it happened; empty for an
    agreement, whose tokens nobody keeps, and of releases that kept none. `recipient`: whom it is
    addressed to, where `kind` has a name for them.
    """

    company_id: str
    id: str
    payment_id: str
    version: int
    kind: str
    url: str
    event_type: str
    at: datetime
    agreement_id: str = ""
    content: bytes = b""
    recipient: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What an event tells of, as it stood when that happened.

    `order` None: the change did not read it, and did not touch it. `about`: the one change or
    dispute of the payment that it is news of. `taken`: what banks had of the payment.
    """

    event: WebhookEvent
    payment: Payment
    order: Order | None = None
    about: Modification | Dispute | None = None
    taken: TakenBack = NOTHING_TAKEN


_NONE: Mapping[str, Any] = {}


@dataclass(slots=True)
class PaymentChanges:
    """A payment while a transaction works on it, and what is to be written of that.

    Enough for facts that concern the payment alone, as a line of a report does. `as_read`: the
    payment before all of them.
    """

    payment: Payment
    now: datetime
    new_id: Callable[[str], str]
    events: list[TimelineEvent] = field(default_factory=list, kw_only=True)
    postings: list[Posting] = field(default_factory=list, kw_only=True)
    announcements: list[News] = field(default_factory=list, kw_only=True)
    letters: list[WebhookEvent] = field(default_factory=list, kw_only=True)
    """The announcements with their content, once that is written."""
    as_read: Payment = field(init=False)

    def __post_init__(self) -> None:
        self.as_read = self.payment

    @property
    def state(self) -> PaymentState:
        return PaymentState(
            payment=self.payment, attempts=_NONE, modifications=_NONE, disputes=_NONE
        )

    def record(self, fact: Fact, *, actor: str, by: str = "") -> None:
        """`fact` has happened: take the state and the books through it, and write it down.

        Raises: IllegalTransition where a table does not have it; then nothing has changed.
        """
        state, before = self.state, self.payment
        event = TimelineEvent(
            company_id=before.company_id,
            payment_id=before.id,
            seq=before.version + 1,
            from_status=before.status,
            to_status=next_status(before.status, fact.move),
            actor=actor,
            at=self.now,
            fact=fact,
            by=by,
        )
        after = evolve(state, event)
        booked = [self._posting(one) for one in postings(state, event)]
        self._put_beside(fact, state, after)
        self.payment = after.payment
        self.events.append(event)
        self.postings += booked

    def _put_beside(self, fact: Fact, before: PaymentState, after: PaymentState) -> None:
        """What the fact has changed, and asks for, beside the payment.

        Raises: IllegalTransition; then nothing has changed.
        """

    def _posting(self, movement: UnbookedPosting) -> Posting:
        return Posting(
            company_id=self.payment.company_id,
            id=self.new_id("po"),
            kind=movement.kind,
            currency=self.payment.amount.currency,
            entries=movement.entries,
            payment_id=self.payment.id,
            cause=movement.cause,
            at=self.now,
        )

    def announce(
        self,
        event_type: str,
        *,
        kind: str = "",
        url: str = "",
        about: Modification | Dispute | None = None,
    ) -> None:
        """To the payment's address, or to another `url` in the words of `kind`."""
        if not url and not self.payment.notify_url:
            return
        event = WebhookEvent(
            company_id=self.payment.company_id,
            id=self.new_id("ntf"),
            payment_id=self.payment.id,
            version=self.payment.version,
            kind=kind or self.payment.notify_kind,
            url=url or self.payment.notify_url,
            event_type=event_type,
            at=self.now,
        )
        self.announcements.append(self._news(event, about))

    def _news(self, event: WebhookEvent, about: Modification | Dispute | None) -> News:
        return News(event=event, payment=self.payment, about=about)
