"""One payment with all that belongs to it while a transaction works on it.

The verbs, here, in captures, in refunds and in disputing, decide which fact it is; what follows
from a fact for state and money stands in `evolution`. The store writes what an aggregate has
gathered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import IllegalTransition, UnsupportedOperation
from kassa.base.domain.lifecycle import (
    ENDED,
    FUNDS_SECURED,
    AttemptStatus,
    BreakClass,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    can,
    next_attempt_status,
    next_dispute_status,
    next_modification_status,
)
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import FeeKind, FeeSchedule
from kassa.orders.domain.orders import Order
from kassa.payments.domain import facts
from kassa.payments.domain.changes import News, PaymentChanges, WebhookEvent
from kassa.payments.domain.disputes import BookedByHand, Dispute
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.modifications import (
    Modification,
    claimed_surplus,
    is_reserved_surplus,
)
from kassa.payments.domain.payments import Attempt, Method
from kassa.payments.domain.restrictions import allows
from kassa.payments.domain.state import PaymentState, changed, earlier
from kassa.payments.domain.taken_back import NOTHING_TAKEN, taken_back
from kassa.payments.domain.work_items import WorkItem, work_ended_by, work_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """What a provider answered when it was asked, kept where that decided something.

    `about`: the attempt, capture, void or refund that was asked about. `outcome`: in plain words.
    """

    company_id: str
    id: str
    payment_id: str
    about: str
    account: str
    outcome: dict[str, Any]
    at: datetime


@dataclass(slots=True)
class PaymentAggregate(PaymentChanges):
    """One payment with all that belongs to it.

    `order_paid`: whether another payment of the order already holds its money. `fees`: what the
    company's providers are expected to charge. `by_hand`: by dispute, of those that have taken
    money in another currency.
    """

    order: Order
    attempts: dict[str, Attempt]
    order_paid: bool = False
    company_closed: bool = False
    modifications: dict[str, Modification] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    by_hand: Mapping[str, BookedByHand] = field(default_factory=dict)
    fees: FeeSchedule = field(default_factory=FeeSchedule)
    answers: list[ProviderAnswer] = field(default_factory=list)
    work: list[WorkItem] = field(default_factory=list)
    work_done: set[BreakClass] = field(default_factory=set)
    touched: dict[str, Attempt] = field(default_factory=dict)
    touched_modifications: dict[str, Modification] = field(default_factory=dict)
    touched_disputes: dict[str, Dispute] = field(default_factory=dict)
    order_changed: bool = False

    @property
    def state(self) -> PaymentState:
        return PaymentState(
            payment=self.payment,
            order_status=self.order.status,
            order_paid=self.order_paid,
            attempts=self.attempts,
            modifications=self.modifications,
            disputes=self.disputes,
        )

    def _put_beside(self, fact: Fact, before: PaymentState, after: PaymentState) -> None:
        touched = changed(before.attempts, after.attempts)
        for one in touched:
            next_attempt_status(earlier(before.attempts, one).status, one.status)
        modified = changed(before.modifications, after.modifications)
        for item in modified:
            next_modification_status(earlier(before.modifications, item).status, item.status)
        disputed = changed(before.disputes, after.disputes)
        for found in disputed:
            next_dispute_status(earlier(before.disputes, found).status, found.status)
        order = self.order
        if after.order_status is not order.status:
            order = order.become(after.order_status, at=self.now)
        if (asked := work_of(fact, before)) is not None:
            self.work.append(asked)
        self.work_done |= work_ended_by(fact, after)
        for one in touched:
            self.attempts[one.id] = self.touched[one.id] = one
        for item in modified:
            self.modifications[item.id] = self.touched_modifications[item.id] = item
        for found in disputed:
            self.disputes[found.id] = self.touched_disputes[found.id] = found
        if order is not self.order:
            self.order, self.order_changed = order, True

    def _news(self, event: WebhookEvent, about: Modification | Dispute | None) -> News:
        taken = NOTHING_TAKEN
        if self.disputes:
            taken = taken_back(self.disputes.values(), self.attempts.values())
        return News(event=event, payment=self.payment, order=self.order, about=about, taken=taken)

    def put_attempt(self, attempt: Attempt) -> None:
        self.attempts[attempt.id] = self.touched[attempt.id] = replace(attempt, updated_at=self.now)

    def put_order(self, status: OrderStatus) -> None:
        self.order = self.order.become(status, at=self.now)
        self.order_changed = True

    def put_modification(self, modification: Modification) -> None:
        changed = replace(modification, updated_at=self.now)
        self.modifications[changed.id] = self.touched_modifications[changed.id] = changed

    def put_dispute(self, found: Dispute) -> None:
        self.disputes[found.id] = self.touched_disputes[found.id] = found

    def decided_by_answer(
        self, first: int, *, about: Attempt | Modification, outcome: dict[str, Any]
    ) -> None:
        """The events from number `first` on were decided by what a provider answered: keep that,
        and name it in each of them."""
        if len(self.events) <= first:
            return
        answer = ProviderAnswer(
            company_id=self.payment.company_id,
            id=self.new_id("an"),
            payment_id=self.payment.id,
            about=about.id,
            account=about.connector,
            outcome=outcome,
            at=self.now,
        )
        self.answers.append(answer)
        self.events[first:] = [replace(event, answer=answer.id) for event in self.events[first:]]

    def told_by(self, news: str) -> None:
        """All of it was decided by this notification."""
        self.events[:] = [replace(event, news=news) for event in self.events]

    @property
    def holder(self) -> Attempt | None:
        """The attempt whose money, or reservation, the payment's own is; surplus is nobody's."""
        for attempt in self.attempts.values():
            if attempt.status is AttemptStatus.SUCCEEDED and not attempt.surplus:
                return attempt
        return None

    def came(self, attempt: Attempt) -> int:
        """How much money of that charge is booked, in minor units."""
        if is_reserved_surplus(attempt, self.modifications):
            return claimed_surplus(attempt, self.modifications)
        if attempt.surplus:
            return attempt.amount.minor
        return self.payment.earned_minor if attempt is self.holder else 0

    @property
    def doubt(self) -> Attempt | None:
        """The attempt whose outcome nobody knows yet; while it stands nothing else is sent. Of a
        transfer there is no such doubt: nobody was asked for it, and its statement tells."""
        for attempt in self.attempts.values():
            if attempt.status is AttemptStatus.IN_DOUBT and not attempt.is_transfer:
                return attempt
        return None

    def expect_again(self, *, actor: str) -> None:
        """A transfer of another amount was a doubt to older releases: it is waited for as any."""
        for one in list(self.attempts.values()):
            if one.is_transfer and one.status is AttemptStatus.IN_DOUBT:
                known = facts.AttemptAccepted(attempt=one.id, reference=one.provider_reference)
                self.record(known, actor=actor)

    @property
    def transfer(self) -> Attempt | None:
        """The newest attempt by bank transfer."""
        found = [one for one in self.attempts.values() if one.is_transfer]
        return max(found, key=lambda one: one.number) if found else None

    def _refuse_in_doubt(self) -> None:
        if self.doubt is not None:
            raise IllegalTransition(
                "the outcome of an earlier attempt is not known yet", reason="payment_in_doubt"
            )

    def refuse_closed(self) -> None:
        """Nobody begins to pay a company that is closed; what comes late is heard all the same.

        Raises: IllegalTransition.
        """
        if self.company_closed and not self.payment.is_paid:
            raise IllegalTransition("the merchant takes no payments now", reason="company_closed")

    def refuse_method(self, method: Method) -> None:
        """An order is paid only as its merchant allowed, whichever interface is asked.

        Raises: UnsupportedOperation.
        """
        if not allows(self.order.payment_methods, method):
            raise UnsupportedOperation(
                f"the order is to be paid by {self.order.payment_methods}, and not by {method}",
                reason="method_off",
            )

    def is_expired(self) -> bool:
        """By the database's clock, whose `now` this is."""
        return self.now >= self.payment.expires_at

    def start_attempt(
        self,
        method: Method,
        connector: str,
        *,
        actor: str,
        instrument: str = "",
        because: Sequence[str] = (),
        by_staff: bool = False,
    ) -> Attempt:
        """Choose a method: one dispatched attempt, the payment processing.

        A redirect the payer walked away from is abandoned, and closed at its provider soon;
        should its money arrive all the same, it is surplus. `because`: why this account, kept as
        evidence. `by_staff`: the merchant's own people record what they hold in their hands.
        Raises: IllegalTransition when the payment cannot be paid now, UnsupportedOperation.
        """
        self.refuse_closed()
        if not by_staff:
            self.refuse_method(method)
        if self.is_expired():
            raise IllegalTransition("the payment has expired", reason="payment_expired")
        if self.order_paid or self.order.status is not OrderStatus.ACTIVE:
            raise IllegalTransition(
                f"the order is {self.order.status}, it takes no payment", reason="order_closed"
            )
        if not self.payment.is_open:
            raise IllegalTransition(
                f"cannot pay a payment that is {self.payment.status}", reason="payment_closed"
            )
        self._refuse_in_doubt()
        self.expect_again(actor=actor)
        started = facts.AttemptStarted(
            attempt=self.new_id(f"at{self.order.org_number}"),
            number=len(self.attempts) + 1,
            method=method,
            account=connector,
            amount=self.payment.amount,
            instrument=instrument,
            because=tuple(because),
        )
        self.record(started, actor=actor)
        return self.attempts[started.attempt]

    @property
    def is_owed(self) -> bool:
        """Whether money that comes now is the merchant's."""
        return (
            self.payment.status not in FUNDS_SECURED | ENDED
            and not self.order_paid
            and self.order.status is OrderStatus.ACTIVE
        )

    def can_reroute(self, attempt: Attempt) -> bool:
        """Whether another account may be tried after this attempt came to nothing."""
        return (
            attempt.status is AttemptStatus.DISPATCHED
            and self.payment.status is PaymentStatus.PROCESSING
            and self.order.status is OrderStatus.ACTIVE
            and not self.order_paid
            and not self.is_expired()
        )

    def capture(
        self,
        attempt: Attempt,
        *,
        reference: str,
        fee: Money | None,
        actor: str,
        by: str,
        pay_code: str = "",
        amount: Money | None = None,
    ) -> None:
        """The attempt's money is ours: book it, close the order, tell the merchant.

        Money for a payment that had ended, or for an order that is paid or expired, is surplus:
        it is shown and booked as such, and never hidden. `fee`: the provider's own figure.
        `amount`: what came, where that is not what was asked for: of what nobody owes, or what
        people have agreed to. What came in part by transfer is in it, or goes back.
        """
        came = attempt.amount if amount is None else amount
        if self.payment.is_paid or self.payment.status is PaymentStatus.AUTHORIZED:
            self._capture_again(attempt, came, reference=reference, fee=fee, actor=actor, by=by)
            return
        waited = self.payment.status is PaymentStatus.REQUIRES_ACTION
        surplus = not self.is_owed
        charge = Charge(fee, 0, fee is not None)
        if not surplus:
            charge = self.fee_of(FeeKind.PAYMENT, attempt, came, fee)
        self.record(
            facts.PaymentCaptured(
                attempt=attempt.id,
                amount=came,
                reference=reference,
                fee=charge.fee,
                expected_fee_minor=charge.expected_minor,
                fee_known=charge.known,
                surplus=surplus,
                pay_code=pay_code,
                applied=self._applied(attempt),
            ),
            actor=actor,
            by=by,
        )
        self.announce("payment.surplus" if surplus else "payment.paid")
        self.part_unowed(actor=actor, by=by)
        if waited:
            self.leave_pages(actor=actor, by=by)

    def _applied(self, attempt: Attempt) -> Money | None:
        is_there = self.payment.unapplied_minor and attempt.is_transfer
        return self.payment.unapplied if is_there else None

    def part_unowed(self, *, actor: str, by: str) -> None:
        """What came in part, by transfer, of a payment that has ended or is paid otherwise, is
        owed no more: it goes back."""
        attempt = self.transfer if self.payment.unapplied_minor else None
        if attempt is None:
            return
        part = self.payment.unapplied
        kind = facts.PaidTwice if self.payment.is_paid else facts.PaymentCaptured
        reference = attempt.provider_reference or attempt.id
        came = kind(attempt=attempt.id, amount=part, reference=reference, applied=part)
        if isinstance(came, facts.PaymentCaptured):
            came = replace(came, surplus=True)
        self.record(came, actor=actor, by=by)
        self.announce("payment.surplus")

    def leave_pages(self, *, actor: str, by: str) -> None:
        """The payment has its money: what else its payer could still pay is closed soon.

        Only for a payment that waited at a page, or of attempts that are known to wait at one:
        what was sent a moment ago may be in doubt yet.
        """
        for one in list(self.attempts.values()):
            if one.status is AttemptStatus.DISPATCHED:
                self.record(facts.AttemptLeft(attempt=one.id), actor=actor, by=by)

    def _capture_again(
        self,
        attempt: Attempt,
        came: Money,
        *,
        reference: str,
        fee: Money | None,
        actor: str,
        by: str,
    ) -> None:
        """A second attempt of a paid payment turns out to have been paid too."""
        if attempt.status is AttemptStatus.SUCCEEDED:
            return
        again = facts.PaidTwice(attempt=attempt.id, amount=came, reference=reference, fee=fee)
        self.record(again, actor=actor, by=by)
        self.announce("payment.surplus")

    def fee_of(self, kind: FeeKind, attempt: Attempt, on: Money, actual: Money | None) -> "Charge":
        """What the provider keeps: its own figure, or what the schedule expects meanwhile."""
        expected = self.fees.expected(
            kind, on, connector=attempt.connector, method=attempt.method.value, at=self.now
        )
        fee = expected if actual is None else actual
        return Charge(fee, expected.minor, actual is not None)

    def own_fee(self, told: Money | None, about: Attempt | Modification) -> Money | None:
        """The fee that a provider tells, if it is in the payment's currency. One in another cannot
        be booked here: what the schedule expects stands for it, and a person hears of it."""
        if told is None or told.currency == self.payment.amount.currency:
            return told
        self.work.append(
            WorkItem(
                problem=BreakClass.CURRENCY,
                words=f"the provider kept {told} of {about.id}, which is of {about.amount}: it is"
                " not booked. Its report tells what that is in the account's currency",
                cause=about.id,
                connector=about.connector,
                amount=told,
            )
        )
        return None

    def decline(
        self,
        attempt: Attempt,
        *,
        code: str,
        message: str,
        actor: str,
        by: str,
        provider_code: str = "",
        reason: str = "",
        pay_code: str = "",
    ) -> None:
        """The attempt was refused: nothing moved.

        Where other money has decided the payment meanwhile, that is noted and nothing else.
        """
        decisive = can(self.payment.status, PaymentEvent.DECLINE)
        self.record(
            facts.AttemptDeclined(
                attempt=attempt.id,
                code=code,
                message=message,
                reason=reason,
                provider_code=provider_code,
                pay_code=pay_code,
                decisive=decisive,
            ),
            actor=actor,
            by=by,
        )
        if decisive:
            self.announce("payment.failed")

    def close(
        self, end: "facts.PaymentCanceled | facts.PaymentExpired", *, actor: str, by: str
    ) -> None:
        """Expire or cancel: nothing moved, and the order takes no more payments.

        What stood open at a provider is asked about for a while longer: money may still come.
        Raises: IllegalTransition, also while an attempt is in doubt; then nothing has changed.
        """
        self._refuse_in_doubt()
        self.expect_again(actor=actor)
        self.record(end, actor=actor, by=by)
        self.announce_end()
        self.part_unowed(actor=actor, by=by)

    def expire_order(self, *, actor: str, by: str) -> None:
        """Its time is up; its payment has ended before, or what it has nobody owed."""
        if self.order.status is OrderStatus.ACTIVE and not self.order_paid:
            self.put_order(OrderStatus.EXPIRED)
            self.part_unowed(actor=actor, by=by)

    def announce_end(self) -> None:
        """The payment ended without money: the merchant hears of it."""
        expired = self.payment.status is PaymentStatus.EXPIRED
        self.announce("payment.expired" if expired else "payment.canceled")


@dataclass(frozen=True, slots=True)
class Charge:
    """A fee: what is booked, what the schedule expects, and whether the provider said it."""

    fee: Money | None
    expected_minor: int
    known: bool
