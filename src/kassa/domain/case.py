"""One payment with all that belongs to it while a transaction works on it; pure bookkeeping.

Every rule of what a movement of money means for payment, order, ledger and the merchant's
notification stands once: here, in claims, in refunds and in disputing. The store writes what a
Case has gathered.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from kassa.domain import ledger
from kassa.domain.disputes import Dispute
from kassa.domain.errors import IllegalTransition
from kassa.domain.fees import FeeKind, FeeSchedule
from kassa.domain.ledger import Entry, Posting, PostingKind
from kassa.domain.lifecycle import (
    ENDED,
    AttemptStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    can,
)
from kassa.domain.modifications import Modification
from kassa.domain.money import Money
from kassa.domain.orders import Order
from kassa.domain.payments import OFFLINE, Attempt, Method, Payment, TimelineEvent
from kassa.domain.questions import SILENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """News for the merchant, to be sent once this change is committed."""

    company_id: str
    id: str
    payment_id: str
    version: int
    kind: str
    url: str
    event_type: str
    at: datetime


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
class Case:
    """`order_paid`: whether another payment of the order already holds its money.

    `fees`: what the company's providers are expected to charge.
    """

    payment: Payment
    order: Order
    attempts: dict[str, Attempt]
    now: datetime
    new_id: Callable[[str], str]
    order_paid: bool = False
    company_closed: bool = False
    modifications: dict[str, Modification] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    fees: FeeSchedule = field(default_factory=FeeSchedule)
    events: list[TimelineEvent] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)
    answers: list[ProviderAnswer] = field(default_factory=list)
    touched: dict[str, Attempt] = field(default_factory=dict)
    touched_modifications: dict[str, Modification] = field(default_factory=dict)
    touched_disputes: dict[str, Dispute] = field(default_factory=dict)
    order_changed: bool = False

    def move(
        self, event: PaymentEvent, *, actor: str, evidence: dict[str, Any], **changes: Any
    ) -> None:
        """Take the payment through `event`, and write it down.

        Raises: IllegalTransition; then nothing has changed.
        """
        before = self.payment
        self.payment = before.after(event, updated_at=self.now, **changes)
        self.events.append(
            TimelineEvent(
                company_id=before.company_id,
                payment_id=before.id,
                seq=self.payment.version,
                event=event,
                from_status=before.status,
                to_status=self.payment.status,
                actor=actor,
                evidence=evidence,
                at=self.now,
            )
        )

    def put_attempt(self, attempt: Attempt) -> None:
        self.attempts[attempt.id] = self.touched[attempt.id] = replace(attempt, updated_at=self.now)

    def put_order(self, status: OrderStatus) -> None:
        self.order = self.order.become(status, at=self.now)
        self.order_changed = True

    def put_modification(self, modification: Modification) -> None:
        changed = replace(modification, updated_at=self.now)
        self.modifications[changed.id] = self.touched_modifications[changed.id] = changed

    def put_dispute(self, dispute: Dispute) -> None:
        changed = replace(dispute, updated_at=self.now)
        self.disputes[changed.id] = self.touched_disputes[changed.id] = changed

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
        self.name_evidence(first, {"answer": answer.id})

    def name_evidence(self, first: int, evidence: dict[str, Any]) -> None:
        """Add to the evidence of the events from number `first` on."""
        self.events[first:] = [
            replace(event, evidence={**event.evidence, **evidence}) for event in self.events[first:]
        ]

    def note(self, what: str, *, actor: str, evidence: dict[str, Any], **changes: Any) -> None:
        """Write something down that leaves the payment's status as it is."""
        told = {**evidence, "note": what}
        self.move(PaymentEvent.NOTE, actor=actor, evidence=told, **changes)

    @property
    def holder(self) -> Attempt | None:
        """The attempt whose money, or reservation, the payment's own is; surplus is nobody's."""
        for attempt in self.attempts.values():
            if attempt.status is AttemptStatus.SUCCEEDED and not attempt.surplus:
                return attempt
        return None

    @property
    def doubt(self) -> Attempt | None:
        """The attempt whose outcome nobody knows yet; while it stands nothing else is sent."""
        for attempt in self.attempts.values():
            if attempt.status is AttemptStatus.IN_DOUBT:
                return attempt
        return None

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
        because: Mapping[str, Any] | None = None,
    ) -> Attempt:
        """Choose a method: one dispatched attempt, the payment processing.

        A redirect the payer walked away from is abandoned, and closed at its provider soon;
        should its money arrive all the same, it is surplus. `because`: why this account, kept as
        evidence.
        Raises: IllegalTransition when the payment cannot be paid now.
        """
        self.refuse_closed()
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
        for old in list(self.attempts.values()):
            if old.status is AttemptStatus.DISPATCHED:
                self._leave(old)
        attempt = Attempt(
            company_id=self.payment.company_id,
            id=self.new_id(f"at{self.order.org_number}"),
            payment_id=self.payment.id,
            number=len(self.attempts) + 1,
            connector=connector,
            method=method,
            status=AttemptStatus.DISPATCHED,
            amount=self.payment.amount,
            instrument=instrument,
            next_query_at=self.now + SILENCE,  # should whoever makes it die before the answer
            created_at=self.now,
            updated_at=self.now,
        )
        self.put_attempt(attempt)
        self.move(
            PaymentEvent.SUBMIT,
            actor=actor,
            evidence={"attempt": attempt.id, "method": method.value, **(because or {})},
            method=method,
            connector=connector,
            instrument=instrument,
            provider_reference="",
            redirect_url="",
            redirect_expires_at=None,
            failure_code="",
            failure_message="",
        )
        return self.attempts[attempt.id]

    def can_reroute(self, attempt: Attempt) -> bool:
        """Whether another account may be tried after this attempt came to nothing."""
        return (
            attempt.status is AttemptStatus.DISPATCHED
            and self.payment.status is PaymentStatus.PROCESSING
            and self.order.status is OrderStatus.ACTIVE
            and not self.order_paid
            and not self.is_expired()
        )

    def reroute(
        self, attempt: Attempt, *, code: str, message: str, actor: str, evidence: dict[str, Any]
    ) -> None:
        """The attempt was refused for reasons of that provider; nothing moved, and it goes on."""
        declined = attempt.become(
            AttemptStatus.DECLINED,
            failure_code=code,
            failure_message=message,
            next_query_at=None,
        )
        self.move(PaymentEvent.REROUTE, actor=actor, evidence=evidence, method=None, connector="")
        self.put_attempt(declined)

    def capture(
        self, attempt: Attempt, *, reference: str, fee: Money | None, actor: str, evidence: Any
    ) -> None:
        """The attempt's money is ours: book it, close the order, tell the merchant.

        Money for a payment that had ended, or for an order that is paid or expired, is surplus:
        it is shown and booked as such, and never hidden.
        """
        if self.payment.is_paid or self.payment.status is PaymentStatus.AUTHORIZED:
            self._capture_again(
                attempt, reference=reference, fee=fee, actor=actor, evidence=evidence
            )
            return
        surplus = (
            self.payment.status in ENDED
            or self.order_paid
            or self.order.status is not OrderStatus.ACTIVE
        )
        amount = attempt.amount
        self._succeed(attempt, reference, surplus=surplus)
        self.move(
            PaymentEvent.CAPTURE,
            actor=actor,
            evidence=evidence,
            method=attempt.method,
            connector=attempt.connector,
            instrument=attempt.instrument,
            # What another attempt had reserved, and let go, before this surplus came, stays told.
            authorized=self.payment.authorized if self.payment.released_minor else amount,
            captured=amount,
            surplus=surplus,
            surplus_amount=amount if surplus else self.payment.surplus_amount,
            provider_reference=reference,
            captured_at=self.now,
            redirect_url="",
            redirect_expires_at=None,
            failure_code="",
            failure_message="",
        )
        if surplus:
            self._post_surplus(attempt, fee)
        else:
            merchant = ledger.merchant_account(self.payment.business_id)
            entries = ledger.move(self.source(attempt), merchant, amount)
            self.post(PostingKind.CAPTURE, entries, attempt.id)
            self.charge_fee(FeeKind.PAYMENT, attempt, amount, fee, cause=attempt.id)
            self.pay_order()
        self.announce("payment.surplus" if surplus else "payment.paid")

    def _capture_again(
        self, attempt: Attempt, *, reference: str, fee: Money | None, actor: str, evidence: Any
    ) -> None:
        """A second attempt of a paid payment turns out to have been paid too."""
        if attempt.status is AttemptStatus.SUCCEEDED:
            return
        self._succeed(attempt, reference, surplus=True)
        self.note(
            "paid twice",
            actor=actor,
            evidence=evidence,
            surplus_amount=self.payment.surplus_amount + attempt.amount,
        )
        self._post_surplus(attempt, fee)
        self.announce("payment.surplus")

    def _succeed(self, attempt: Attempt, reference: str, *, surplus: bool) -> None:
        self.put_attempt(
            attempt.become(
                AttemptStatus.SUCCEEDED,
                provider_reference=reference,
                next_query_at=None,
                surplus=surplus,
            )
        )

    def _post_surplus(self, attempt: Attempt, fee: Money | None) -> None:
        """Money that must go back; what the provider keeps of it is nobody's but ours to bear."""
        source = self.source(attempt)
        entries = ledger.move(source, ledger.SURPLUS_ACCOUNT, attempt.amount)
        self.post(PostingKind.SURPLUS, entries, attempt.id)
        if fee is not None and fee.minor:
            entries = ledger.move(ledger.FEE_EXPENSE_ACCOUNT, self.fee_payee(attempt), fee)
            self.post(PostingKind.FEE, entries, attempt.id)

    def pay_order(self) -> None:
        """The order has its money, or the part of it that the merchant claims."""
        if self.order.status is not OrderStatus.PAID:
            self.put_order(OrderStatus.PAID)

    def source(self, attempt: Attempt) -> str:
        """The account that an attempt's money comes out of, and goes back into."""
        if attempt.method is Method.WALLET:
            return ledger.wallet_account(attempt.instrument)
        if attempt.method is Method.BANK_TRANSFER:
            return ledger.TRANSIT_ACCOUNT
        if attempt.method in OFFLINE:
            return ledger.CASH_ACCOUNT
        return ledger.provider_account(attempt.connector)

    def fee_payee(self, attempt: Attempt) -> str:
        """The account that a fee goes to: a provider keeps it, our own wallet earns it."""
        if attempt.method is Method.WALLET or attempt.method in OFFLINE:
            return ledger.FEE_INCOME_ACCOUNT
        return ledger.provider_account(attempt.connector)

    def charge_fee(
        self, kind: FeeKind, attempt: Attempt, on: Money, actual: Money | None, *, cause: str
    ) -> Money:
        """Book what the provider keeps: its own figure, or what the schedule expects meanwhile.

        Changes the payment without a step of its own: called within one that moves it.
        """
        expected = self.fees.expected(
            kind, on, connector=attempt.connector, method=attempt.method.value, at=self.now
        )
        fee = expected if actual is None else actual
        known = self.payment.fee_known
        self.payment = replace(
            self.payment,
            fee=self.payment.fee + fee,
            expected_fee_minor=self.payment.expected_fee_minor + expected.minor,
            fee_known=actual is not None if kind is FeeKind.PAYMENT else known,
        )
        if fee.minor:
            merchant = ledger.merchant_account(self.payment.business_id)
            self.post(PostingKind.FEE, ledger.move(merchant, self.fee_payee(attempt), fee), cause)
        return fee

    def post(self, kind: PostingKind, entries: tuple[Entry, ...], cause: str) -> None:
        """Book one balanced movement, in the payment's currency. `cause`: what it is for."""
        self.postings.append(
            Posting(
                company_id=self.payment.company_id,
                id=self.new_id("po"),
                kind=kind,
                currency=self.payment.amount.currency,
                entries=entries,
                payment_id=self.payment.id,
                cause=cause,
                at=self.now,
            )
        )

    def decline(
        self, attempt: Attempt, *, code: str, message: str, actor: str, evidence: Any
    ) -> None:
        """The attempt was refused: nothing moved.

        Where other money has decided the payment meanwhile, that is noted and nothing else.
        """
        declined = attempt.become(
            AttemptStatus.DECLINED,
            failure_code=code,
            failure_message=message,
            next_query_at=None,
        )
        if not can(self.payment.status, PaymentEvent.DECLINE):
            told = {**evidence, "note": "an attempt was declined", "code": code}
            self.move(PaymentEvent.NOTE, actor=actor, evidence=told)
            self.put_attempt(declined)
            return
        self.move(
            PaymentEvent.DECLINE,
            actor=actor,
            evidence=evidence,
            failure_code=code,
            failure_message=message,
            redirect_url="",
            redirect_expires_at=None,
        )
        self.put_attempt(declined)
        self.announce("payment.failed")

    def close(self, event: PaymentEvent, *, actor: str, evidence: Any) -> None:
        """Expire or cancel: nothing moved, and the order takes no more payments.

        What stood open at a provider is asked about for a while longer: money may still come.
        Raises: IllegalTransition, also while an attempt is in doubt; then nothing has changed.
        """
        self._refuse_in_doubt()
        self.move(event, actor=actor, evidence=evidence, redirect_url="", redirect_expires_at=None)
        for old in list(self.attempts.values()):
            if old.status is AttemptStatus.DISPATCHED:
                self._leave(old)
        self.close_order()

    def _leave(self, old: Attempt) -> None:
        """What stands open at its provider is closed there, or asked about, for a while longer."""
        left = old.become(AttemptStatus.ABANDONED, undecided_since=self.now)
        self.put_attempt(replace(left, next_query_at=left.next_query(self.now)))

    def close_order(self) -> None:
        """The payment ended without money: so does the order, and the merchant hears of it."""
        expired = self.payment.status is PaymentStatus.EXPIRED
        if self.order.status is OrderStatus.ACTIVE and not self.order_paid:
            self.put_order(OrderStatus.EXPIRED if expired else OrderStatus.CANCELED)
        self.announce("payment.expired" if expired else "payment.canceled")

    def announce(self, event_type: str) -> None:
        if not self.payment.notify_url:
            return
        self.announcements.append(
            Announcement(
                company_id=self.payment.company_id,
                id=self.new_id("ntf"),
                payment_id=self.payment.id,
                version=self.payment.version,
                kind=self.payment.notify_kind,
                url=self.payment.notify_url,
                event_type=event_type,
                at=self.now,
            )
        )
