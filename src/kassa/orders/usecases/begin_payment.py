"""Create an order whose payment goes on at once: one transaction for all of it, and for many.

It is for what happens almost always: a new order, and nothing in its way. What was made before or
is refused makes nothing here and takes the ordinary road instead, in two transactions:
`create_order`, which finds what was made, and a change, which refuses. What somebody else has
locked leaves the batch and is tried again beside it, as everywhere.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import structlog

from kassa.base.store.connection import Connection
from kassa.base.usecases.batch import Contended, batched
from kassa.base.usecases.core import Core
from kassa.orders.store import beginning
from kassa.orders.store.beginning import Before
from kassa.orders.store.making import announced
from kassa.orders.usecases.create_order import (
    NewOrder,
    Prepared,
    first_of_each,
    first_payment,
    lock_order,
    prepare,
)
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.facts import PaymentCreated
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.timeline import TimelineEvent
from kassa.payments.store import payments
from kassa.payments.store.payments import LockedPayment
from kassa.payments.usecases.change_payment import (
    Decide,
    PaymentChange,
    WalletBalances,
    decide_and_save,
    how_it_moved,
)
from kassa.wallet.domain.wallet_codes import WalletCode
from kassa.wallet.usecases.pay_from_wallet import WalletPay, wallet_change
from kassa.wallet.usecases.wallet_codes import recognize_at_once

_log = structlog.get_logger("kassa.payments")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """What a new order's payment begins with: `decide`, and then `pay`, whose payment it is."""

    item: Prepared
    decide: Decide | None = None
    pay: WalletPay | None = None


class _Overtaken(Exception):
    """Somebody made one of the orders in the meantime."""


async def begin_payments(
    core: Core, wanted: Sequence[Beginning]
) -> list[PaymentAggregate | Exception | None]:
    """Make each order with its payment and take that through its beginning; None, and nothing
    made, for what is not new or cannot go on; Contended for what somebody else has locked."""
    given = {id(one.item): one for one in wanted}
    first = [given[id(item)] for item in first_of_each([one.item for one in wanted])]
    begun: dict[int, PaymentAggregate | Contended] = {}
    if first:
        with suppress(_Overtaken):  # so seldom that all of them may take the ordinary road
            begun = await _begin(core, first)
    return [begun.get(id(one.item)) for one in wanted]


async def _begin(
    core: Core, wanted: Sequence[Beginning]
) -> dict[int, PaymentAggregate | Contended]:
    """What became of each, by the identity of its item."""
    results: dict[int, PaymentAggregate | Exception] = {}
    telling = announced(one.item.order.company_id for one in wanted)
    async with core.db.transaction(hot=True, telling=telling) as connection:
        before = await beginning.before(connection, [one.item.order for one in wanted])
        taken = set(before.taken)
        free = [one for place, one in enumerate(wanted, 1) if place not in taken]
        going = await _with_codes(core, connection, free, before)
        made = [_made(core, one, before) for one, _ in going]
        changes = [
            _change(core, one, code, locked.payment)
            for (one, code), locked in zip(going, made, strict=True)
        ]
        actors = {
            locked.payment.id: one.item.wanted.actor
            for (one, _), locked in zip(going, made, strict=True)
        }
        if changes:
            await decide_and_save(
                core,
                connection,
                changes,
                range(len(changes)),
                {change.key: locked for change, locked in zip(changes, made, strict=True)},
                results,
                save=partial(_save, actors),
            )
    return {
        id(going[place][0].item): case
        for place, case in results.items()
        if isinstance(case, PaymentAggregate | Contended)
    }


_Going = list[tuple[Beginning, WalletCode | None]]


async def _with_codes(
    core: Core, connection: Connection, wanted: Sequence[Beginning], before: Before
) -> _Going:
    """Those that nothing stands in the way of, each with the wallet code that it is paid by."""
    pays = [one.pay for one in wanted if one.pay is not None]
    shown = [pay.shown for pay in pays]
    codes = iter(await recognize_at_once(core, connection, shown, before.now) if pays else [])
    going: _Going = []
    for one in wanted:
        code = None if one.pay is None else next(codes)
        if one.pay is None or code is not None:
            going.append((one, code))
    return going


def _made(core: Core, one: Beginning, before: Before) -> LockedPayment:
    """The payment as it would stand under a lock: nobody else can see it yet."""
    order = one.item.order
    return LockedPayment(
        at=before.now,
        is_held=True,
        payment=first_payment(core, one.item),
        order=order,
        elsewhere=False,
        closed=order.company_id in before.closed,
        attempts={},
    )


def _change(core: Core, one: Beginning, code: WalletCode | None, payment: Payment) -> PaymentChange:
    if one.pay is None:
        paid = PaymentChange(
            company_id=payment.company_id, payment_id=payment.id, decide=lambda _, __: None
        )
    else:
        paid = wallet_change(core, replace(one.pay, payment_id=payment.id), code)
    begin, pay = one.decide, paid.decide
    if begin is None:
        return paid

    def decide(case: PaymentAggregate, purse: WalletBalances | None) -> None:
        begin(case, purse)
        pay(case, purse)

    return replace(paid, decide=decide)


async def _save(
    actors: Mapping[str, str],
    connection: Connection,
    cases: Sequence[PaymentAggregate],
    _known: set[str],
) -> None:
    """Raises: _Overtaken."""
    if not cases:
        return
    if len(await beginning.insert(connection, [case.order for case in cases])) < len(cases):
        raise _Overtaken
    created = [
        TimelineEvent(
            company_id=payment.company_id,
            payment_id=payment.id,
            seq=payment.version,
            from_status=None,
            to_status=payment.status,
            actor=actors[payment.id],
            at=payment.created_at,
            fact=PaymentCreated(face=payment.face, order=payment.order_id),
        )
        for payment in (case.as_read for case in cases)
    ]
    await payments.save_new(connection, cases, created)


_begin_payment = batched(begin_payments, key=lambda one: lock_order(one.item))


async def begin_payment(
    core: Core, wanted: NewOrder, *, decide: Decide | None = None, pay: WalletPay | None = None
) -> PaymentAggregate | None:
    """Create the order, take its payment through `decide`, and pay it from a wallet by `pay`.

    None where that is not to be had in one go; nothing has happened then.
    Raises: InvalidRequest, InProgress, AmbiguousCommit, ProviderUnavailable.
    """
    if wanted.payment_methods:  # whether somebody can pay it has to be asked first
        return None
    case = await _begin_payment(core, Beginning(item=prepare(core, wanted), decide=decide, pay=pay))
    if case is not None:
        order, payment = case.order.id, case.payment.id
        _log.info("order created", order=order, payment=payment, **how_it_moved(case))
    return case
