"""Random books, a report made from them with random faults: exactly those come out as breaks."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from tests.reports import Reporter, line
from tests.shop import Shop

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable

pytestmark = pytest.mark.anyio

Lines = list[ReportLine | Unreadable]
SEEDS = (1, 7, 20261122)


def _changed(said: ReportLine, **changes: object) -> ReportLine:
    members = {name: getattr(said, name) for name in ReportLine.__slots__}
    return ReportLine(**{**members, **changes})


def _split(said: ReportLine, dice: random.Random) -> Lines:
    first = dice.randint(1, said.amount.minor - 1)
    nothing = Money(0, "CNY")
    return [
        _changed(said, amount=Money(first, "CNY"), fee=nothing),
        _changed(said, amount=Money(said.amount.minor - first, "CNY")),
    ]


Fault = Callable[[ReportLine, random.Random], Lines]

# What a reporter may do to a right line, and the classes that must come of it.
FAULTS: dict[str, tuple[Fault, list[str]]] = {
    "right": (lambda said, _: [said], []),
    "split": (_split, []),
    "one minor unit": (
        lambda said, dice: [
            _changed(said, amount=Money(said.amount.minor + dice.choice([-1, 1]), "CNY"))
        ],
        ["amount"],
    ),
    "a part only": (lambda said, dice: _split(said, dice)[:1], ["amount"]),
    "another currency": (
        lambda said, _: [
            _changed(said, amount=Money(said.amount.minor, "EUR"), fee=Money(0, "EUR"))
        ],
        ["currency"],
    ),
    "twice": (lambda said, _: [said, said], ["duplicate"]),
    "another name": (
        lambda said, _: [_changed(said, our_reference="at1_x", provider_reference="y")],
        ["missing_ours"],
    ),
    "late": (
        lambda said, _: [_changed(said, occurred_at=datetime.now(UTC) + timedelta(days=2))],
        ["late"],
    ),
    "not readable": (
        lambda said, _: [said, Unreadable(number=0, reason="half a line")],
        ["unreadable"],
    ),
    "a refund nobody made": (
        lambda said, _: [
            said,
            line(LineKind.REFUND, -1, our_reference=said.our_reference, provider_reference="other"),
        ],
        ["refund_missing"],
    ),
    "left out": (lambda said, _: [], []),
}
_SETTLES = {"right", "split", "twice", "late", "not readable", "a refund nobody made"}


async def _refund(shop: Shop, payment: Payment, minor: int) -> str:
    done = await modify_payment(
        shop.core,
        ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=ModificationKind.REFUND,
            amount=Money(minor, "CNY"),
            actor="test",
            face="orders",
        ),
    )
    return done.modification.id


@pytest.mark.parametrize("seed", SEEDS)
async def test_exactly_the_planted_faults_come_out_as_breaks(shop: Shop, seed: int) -> None:
    dice, sandbox = random.Random(seed), Reporter(shop, "sandbox")
    reported: list[Lines] = []
    planted: Counter[str] = Counter()
    settled: set[str] = set()
    payments = []
    for _ in range(25):
        payment = await shop.submit(
            await shop.payment(amount=Money(dice.randint(1_000, 9_999), "CNY"))
        )
        payments.append(payment)
        name = dice.choice(list(FAULTS))
        make, classes = FAULTS[name]
        said = await sandbox.line_of(payment, provider_reference=payment.provider_reference)
        if dice.random() < 0.3:
            said = _changed(said, our_reference="")
        if name == "a refund nobody made":
            said = _changed(said, our_reference=await sandbox.key(payment))
        reported.append(make(said, dice))
        planted.update(classes)
        if name in _SETTLES:
            settled.add(payment.id)
        if dice.random() < 0.3:
            minor = dice.randint(1, 900)
            refund = await _refund(shop, payment, minor)
            # A refund's fee is silent here, so that the schedule's stays.
            reported.append([line(LineKind.REFUND, -minor, our_reference=refund)])
    dice.shuffle(reported)
    lines = [one for group in reported for one in group]
    size = dice.choice([1, 3, 1_000])

    planned = await sandbox.send(*lines, dry_run=True, lines_per_batch=size)
    outcome = await sandbox.send(*lines, lines_per_batch=size)

    assert dict(outcome.breaks) == dict(planned.breaks) == dict(planted), f"seed {seed}"
    states = {one.id: (await shop.read(one)).status.value for one in payments}
    assert {one for one, state in states.items() if state == "settled"} == settled
    assert await shop.faults() == []
