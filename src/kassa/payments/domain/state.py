"""A payment with what belongs to it, and what each kind of fact makes of that: the frame.

`evolution_of_charges` and `evolution_of_changes` fill it in.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import singledispatch
from typing import Protocol, TypeVar

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import (
    AttemptStatus,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.fact import Fact
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.timeline import TimelineEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentState:
    """`order_paid`: another payment has its order's money."""

    payment: Payment
    order_status: OrderStatus = OrderStatus.ACTIVE
    order_paid: bool = False
    attempts: Mapping[str, Attempt]
    modifications: Mapping[str, Modification]
    disputes: Mapping[str, Dispute]


class _Row(Protocol):
    @property
    def id(self) -> str: ...


_R = TypeVar("_R", bound=_Row)


def put(items: Mapping[str, _R], item: _R) -> Mapping[str, _R]:
    return {**items, item.id: item}


def changed(before: Mapping[str, _R], after: Mapping[str, _R]) -> list[_R]:
    """What is new, or another than before."""
    if before is after:
        return []
    return [item for key, item in after.items() if before.get(key) is not item]


def earlier(before: Mapping[str, _R], item: _R) -> _R:
    """As it was; a new one has been nothing else."""
    return before.get(item.id, item)


def plus(sum_so_far: Money, amount: Money) -> Money:
    """In the currency of the first. What is in another was spoiled, and stands in nobody's way."""
    return Money(sum_so_far.minor + amount.minor, sum_so_far.currency)


def moved(payment: Payment, event: TimelineEvent) -> Payment:
    """One event later, and else as it was."""
    return replace(payment, status=event.to_status, version=event.seq, updated_at=event.at)


@singledispatch
def after(fact: Fact, state: PaymentState, event: TimelineEvent) -> PaymentState:
    """Of a fact that changes nothing else."""
    return replace(state, payment=moved(state.payment, event))


def closed_order(state: PaymentState, status: PaymentStatus) -> OrderStatus:
    """The payment ended without money: so does its order."""
    if state.order_status is not OrderStatus.ACTIVE or state.order_paid:
        return state.order_status
    expired = status is PaymentStatus.EXPIRED
    return OrderStatus.EXPIRED if expired else OrderStatus.CANCELED


def succeeded(
    state: PaymentState,
    attempt_id: str,
    reference: str,
    at: datetime,
    amount: Money,
    *,
    surplus: bool,
) -> tuple[Mapping[str, Attempt], Attempt | None]:
    """`amount`: what it brought; of what nobody owed that may be another than was asked for."""
    old = state.attempts.get(attempt_id)
    if old is None:
        return state.attempts, None
    done = replace(
        old,
        status=AttemptStatus.SUCCEEDED,
        provider_reference=reference,
        next_query_at=None,
        surplus=surplus,
        amount=amount,
        updated_at=at,
    )
    return put(state.attempts, done), done


def done(
    state: PaymentState,
    modification: str,
    reference: str,
    at: datetime,
    *,
    fee: Money | None = None,
) -> Mapping[str, Modification]:
    """The provider has done it, and calls it `reference`."""
    old = state.modifications.get(modification)
    if old is None:
        return state.modifications
    done = replace(
        old,
        status=ModificationStatus.SUCCEEDED,
        provider_reference=reference,
        fee_minor=fee.minor if fee else 0,
        next_query_at=None,
        completed_at=at,
        failure_code="",
        failure_message="",
        updated_at=at,
    )
    return put(state.modifications, done)
