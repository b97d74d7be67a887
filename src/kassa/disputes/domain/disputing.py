"""What a dispute does to the money: withdrawn by the bank, and returned if it is won.

Nothing here hangs on the order in which a provider's notifications come: each is added to what was
said before, and the books are brought to what all of it comes to.
"""

from collections.abc import Iterable, Mapping

from kassa.base.domain.copying import replace
from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    DECIDED,
    AttemptStatus,
    ModificationKind,
    ModificationStatus,
)
from kassa.base.domain.money import Money
from kassa.fees.domain.fees import FeeKind
from kassa.payments.domain import facts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.disputes import (
    BalanceMovement,
    Dispute,
    DisputeEffect,
    DisputeOrder,
    DisputeStanding,
    Telling,
    Told,
    read_told,
    write_told,
)
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt

NOT_CAPTURED = "not_captured"
"""Reason of an IllegalTransition: its capture, that was made at the provider, is not heard of."""


def dispute(
    case: PaymentAggregate,
    attempt: Attempt,
    *,
    reference: str,
    telling: Telling,
    movements: Iterable[BalanceMovement] | None,
    order: DisputeOrder,
    actor: str,
) -> Dispute:
    """Take in what a provider says of a dispute. The same news twice changes nothing, and what is
    older than the newest changes only what that did not say.

    `order`: what may follow what at that provider.
    Raises: IllegalTransition for a charge whose money we never had (not_paid), or have only
    reserved as yet (not_captured).
    """
    known = [one for one in case.disputes.values() if not one.is_return]
    old = next((one for one in known if one.provider_reference == reference), None)
    if old is None and not case.came(attempt):
        if attempt.status is AttemptStatus.SUCCEEDED:
            raise IllegalTransition("its money is reserved alone", reason=NOT_CAPTURED)
        raise IllegalTransition("no money of ours is in dispute", reason="not_paid")
    if telling.amount.minor < 0:
        raise IllegalTransition("a dispute of less than nothing", reason="amount_invalid")
    before = _known(old)
    if telling.is_heard and before.tellings:
        last = before.standing(order).last
        telling = last if replace(telling, at=last.at) == last else telling
    told = before.with_telling(telling, movements)
    if old is not None and told == before:
        return old
    after = told.standing(order)
    if old is None:
        old = _opened(case, attempt, reference, after)
    elif _is_same(old, before.standing(order), after):
        _note(case, old, telling, after, actor)
        _keep(case, old.id, told)
        return case.disputes[old.id]
    _move(case, old, attempt, before, told, after, actor)
    if telling in after.odd:
        _note(case, old, telling, after, actor)
    _keep(case, old.id, told)
    return case.disputes[old.id]


def _note(
    case: PaymentAggregate, old: Dispute, telling: Telling, after: DisputeStanding, actor: str
) -> None:
    if after.last != telling:
        late = facts.DisputeEventLate(
            dispute=old.id,
            said=f"{telling.stage} {telling.status}",
            is_odd=telling in after.odd,
        )
        case.record(late, actor=actor)


def _known(old: Dispute | None) -> Told:
    """What was said before. Of a dispute from before that was kept: that it is as it is."""
    if old is None:
        return Told()
    if old.said:
        return read_told(old.said)
    as_it_was = Telling(
        at=old.updated_at,
        stage=old.stage,
        status=old.status,
        amount=old.amount,
        fee=old.fee if old.fee.minor else None,
        reason=old.reason,
        respond_by=old.respond_by,
    )
    return Told((as_it_was,))


def _opened(
    case: PaymentAggregate, attempt: Attempt, reference: str, after: DisputeStanding
) -> Dispute:
    nothing = Money(0, case.payment.amount.currency)
    return Dispute(
        company_id=case.payment.company_id,
        id=case.new_id("dp"),
        payment_id=case.payment.id,
        attempt_id=attempt.id,
        number=case.payment.disputes + 1,
        connector=attempt.connector,
        provider_reference=reference,
        stage=after.last.stage,
        status=after.last.status,
        reason=after.reason,
        amount=after.last.amount,
        fee=nothing,
        taken=nothing,
        respond_by=after.respond_by,
        opened_at=case.now,
        updated_at=case.now,
    )


def _keep(case: PaymentAggregate, dispute_id: str, told: Told) -> None:
    found = case.disputes[dispute_id]
    case.put_dispute(replace(found, said=write_told(told), tells_taken=told.tells_taken))


def _is_same(old: Dispute, before: DisputeStanding, after: DisputeStanding) -> bool:
    """Whether there is nothing new in any field, and the books are where they should be."""
    return (
        _shown(before) == _shown(after)
        and old.taken == _ours(after.taken, old.taken.currency)
        and (after.fee is None or old.fee == _ours(after.fee, old.fee.currency))
    )


def _shown(standing: DisputeStanding) -> tuple[object, ...]:
    last = standing.last
    sums = standing.taken, standing.fee
    return last.stage, last.status, last.amount, standing.reason, standing.respond_by, *sums


def _ours(sums: Mapping[str, int], currency: str) -> Money:
    """What of it is in the payment's currency. A bank that gave back more than it took has taken
    nothing."""
    return Money(max(0, sums.get(currency, 0)), currency)


def _foreign(standing: DisputeStanding, currency: str) -> list[Money]:
    """What is in others: booked there, or claimed while nothing in ours is booked."""
    found = [*standing.taken.items(), *(standing.fee or {}).items()]
    foreign = [Money(minor, other) for other, minor in found if other != currency and minor]
    claimed = standing.last.amount
    if standing.last.has_left and claimed.currency != currency and not standing.taken:
        foreign.append(claimed)
    return foreign


def _move(
    case: PaymentAggregate,
    old: Dispute,
    attempt: Attempt,
    before: Told,
    told: Told,
    after: DisputeStanding,
    actor: str,
) -> None:
    """Bring the books to where the dispute is: withdrawn, or with us.

    A refund that was not sent yet is called off when the bank takes the money; what has been
    refunded already has left twice, and is counted so.
    """
    last, currency = after.last, case.payment.amount.currency
    # In another currency by an error of a release before 0.5, and booked in the payment's.
    was = Money(old.taken.minor, currency)
    taken = _ours(after.taken, currency)
    effect, unsent, twice = DisputeEffect.NONE, [], old.double_paid_minor
    if taken.minor > was.minor:
        effect, unsent = DisputeEffect.WITHDRAWN, unsent_refunds(case, attempt)
    elif taken.minor < was.minor:
        effect = DisputeEffect.RETURNED
    if effect is not DisputeEffect.NONE:
        twice = left_twice(case, attempt, taken, was, unsent)
    fee = None if after.fee is None else _ours(after.fee, currency)
    expected = 0
    if fee is not None and told.was_charged and not before.was_charged:
        on = taken if last.amount.currency != currency else last.amount
        expected = case.fee_of(FeeKind.DISPUTE, attempt, on, fee).expected_minor
    foreign = _foreign(after, currency)
    if foreign and last.has_left:
        unsent = unsent_refunds(case, attempt)  # how much is left for them, nobody knows
    case.record(
        facts.DisputeMoved(
            dispute=old.id,
            attempt=attempt.id,
            number=old.number,
            stage=last.stage,
            status=last.status,
            amount=last.amount,
            effect=effect,
            reference=old.provider_reference,
            reason=after.reason,
            respond_by=after.respond_by,
            fee=fee if fee != old.fee else None,
            expected_fee_minor=expected,
            left_twice_minor=twice,
            called_off=tuple(item.id for item in unsent),
            told_at=last.at,
            taken=taken,
            parts=_parts(before, after, taken - was),
            foreign=tuple(str(one) for one in foreign),
        ),
        actor=actor,
    )
    now = case.disputes[old.id]
    case.announce(_word(old, now, is_new=not before.tellings), about=now)


def left_twice(
    case: PaymentAggregate,
    attempt: Attempt,
    taken: Money,
    was: Money,
    unsent: Iterable[Modification],
) -> int:
    """How much of what is `taken` now (`was`: before) had been refunded as well."""
    payment = case.payment
    freed = was.minor + sum(item.amount.minor for item in unsent)
    left = payment.captured.minor - payment.gone_minor
    if attempt.surplus:
        left = payment.surplus_left.minor
    return max(0, taken.minor - max(0, left + freed))


def _parts(before: Told, after: DisputeStanding, change: Money) -> tuple[str, ...]:
    """The provider's own bookings that are new, where the change is made up of just these."""
    known = before.movements or {}
    new = [part for name, part in (after.parts or {}).items() if name not in known and part.minor]
    ours = [part for part in new if part.currency == change.currency]
    if sum(part.minor for part in ours) != change.minor:
        return ()
    return tuple(str(part) for part in ours)


def unsent_refunds(case: PaymentAggregate, attempt: Attempt) -> list[Modification]:
    """Refunds of that charge that can still be called off."""
    return [
        item
        for item in case.modifications.values()
        if item.kind is ModificationKind.REFUND
        and item.attempt_id == attempt.id
        and item.status is ModificationStatus.REQUESTED
    ]


def _word(before: Dispute, found: Dispute, *, is_new: bool) -> str:
    if not is_new and (before.stage, before.status) == (found.stage, found.status):
        return "payment.dispute_updated"
    if found.status in DECIDED:
        return f"payment.dispute_{found.status}"
    return "payment.disputed"
