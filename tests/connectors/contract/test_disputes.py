"""What a provider tells of a dispute comes to the same, in whatever order it comes and however
often; each connector that tells of disputes says beside its tests what it may tell."""

import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import permutations
from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.contract.plug import beside, plugs
from tests.connectors.contract.scenes import paid
from tests.connectors.contract.stage import SHOP, Stage
from tests.payments.cases import HUNDRED, NOW, a_payment, an_attempt, an_order, new_id

from kassa.base.domain.copying import replace
from kassa.base.domain.lifecycle import AttemptStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import DisputeEvent
from kassa.connectors.catalog import kinds
from kassa.disputes.domain.disputing import dispute
from kassa.disputes.usecases.disputes import telling_of
from kassa.fees.domain.fees import FeeSchedule
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa_simulator.desk import Movement
from kassa_simulator.protocols import protocols

pytestmark = pytest.mark.anyio
TELLERS = {one.CONNECTOR: one for one in beside("disputes")}
_ALL_ORDERS_UP_TO = 4
_EXAMPLES = 400 if os.environ.get("KASSA_TEST_LONG") else 12


def _class_of(name: str) -> Any:
    module, _, cls = kinds()[name].connector.partition(":")
    return getattr(import_module(module), cls)


def test_every_connector_that_tells_of_disputes_is_tried_here() -> None:
    found = {name for name in kinds() if hasattr(_class_of(name), "dispute_order")}
    assert found == set(TELLERS)


def a_paid(currency: str, minor: int = HUNDRED.minor) -> PaymentAggregate:
    amount, nothing = Money(minor, currency), Money(0, currency)
    attempt = an_attempt(AttemptStatus.SUCCEEDED, amount=amount)
    payment = a_payment(
        PaymentStatus.CAPTURED,
        amount=amount,
        authorized=amount,
        captured=amount,
        **dict.fromkeys(("refunded", "refund_reserved", "fee", "surplus_amount"), nothing),
    )
    order = an_order(amount=amount)
    return PaymentAggregate(payment, NOW, new_id, order, {attempt.id: attempt}, fees=FeeSchedule())


def told(teller: ModuleType, letters: Sequence[DisputeEvent]) -> PaymentAggregate:
    return heard(a_paid(teller.CURRENCY), teller.CONNECTOR, letters)


def heard(
    case: PaymentAggregate, connector: str, letters: Sequence[DisputeEvent]
) -> PaymentAggregate:
    (attempt,) = case.attempts.values()
    for news in letters:
        dispute(
            case,
            attempt,
            reference=news.reference,
            telling=telling_of(news, NOW),
            movements=news.movements,
            order=_class_of(connector).dispute_order,
            actor=f"provider:{connector}",
        )
    return case


def end_of(case: PaymentAggregate) -> dict[str, Any]:
    """Where payment, dispute and ledger are in the end."""
    (found,) = case.disputes.values()
    ledger: Counter[tuple[str, str, str]] = Counter()
    for posting in case.postings:
        for entry in posting.entries:
            kind = posting.kind.partition("_")[0]  # a fee, and what was given back of it
            ledger[kind, entry.account, posting.currency] += entry.minor
    never = {"version": 0, "updated_at": NOW}
    return {
        "payment": replace(case.payment, **never),
        "dispute": replace(found, id="", said={}, updated_at=NOW),
        "said": sorted(map(str, found.said["tellings"])),
        "movements": found.said.get("movements"),
        "ledger": {name: minor for name, minor in ledger.items() if minor},
    }


@pytest.mark.parametrize("teller", TELLERS.values(), ids=TELLERS)
@settings(max_examples=_EXAMPLES, deadline=None)
@given(seed=st.integers(0, 2**32), order=st.randoms(use_true_random=False))
def test_letters_of_a_dispute_in_any_order_and_repeated_end_the_same(
    teller: ModuleType, seed: int, order: Random
) -> None:
    letters = teller.life(Random(seed))
    expected = end_of(told(teller, letters))

    orders = permutations(letters) if len(letters) <= _ALL_ORDERS_UP_TO else ()
    shuffled = [order.sample(letters, len(letters)) for _ in range(5)]
    repeated = [
        order.sample([*letters, *letters, *letters[:2]], 2 * len(letters) + len(letters[:2]))
        for _ in range(2)
    ]

    for those in [*orders, *shuffled, *repeated]:
        case = told(teller, those)
        assert end_of(case) == expected
        assert case.payment.disputed_minor >= 0
        for posting in case.postings:
            assert posting.currency == teller.CURRENCY


DISPUTING = [plug for plug in plugs() if plug.name in TELLERS]
_BEGINNINGS = ("dispute", "inquire", "dispute_deducted", "dispute_abroad", "dispute_converted")
_SEEDS = range(60 if os.environ.get("KASSA_TEST_LONG") else 6)


@pytest.mark.parametrize("stage", DISPUTING, ids=str, indirect=True)
async def test_the_books_have_what_the_providers_have_whatever_happens_in_a_dispute(
    stage: Stage,
) -> None:
    """The simulator plays the payer's bank; its figures are the truth."""
    seen = set()
    for seed in _SEEDS:
        rng = Random(seed)
        charge, _ = await paid(stage, stage.plug.ways[0])
        stage.heard.clear()
        acts = await _played(stage, charge.key, rng, seed)
        seen.update(acts)
        await stage.simulator.post_letters()
        letters = [await stage.parsed(one) for one in stage.heard]
        letters = [one for one in letters if isinstance(one, DisputeEvent)]
        several = rng.sample([*letters, *letters], 2 * len(letters))

        case = heard(
            a_paid(stage.plug.amount.currency, stage.plug.amount.minor), stage.plug.name, several
        )

        moved = _moved(stage, charge.key)
        own = [one for one in moved if one.currency == stage.plug.amount.currency]
        story = (seed, acts)
        assert case.payment.disputed_minor == sum(one.amount_minor for one in own), story
        assert case.payment.fee.minor == sum(one.fee_minor for one in own), story
        abroad = [one for one in moved if one not in own]
        if sum(one.amount_minor for one in abroad) or sum(one.fee_minor for one in abroad):
            assert "currency" in {item.problem for item in case.work}, story
        else:
            odd = {item.problem for item in case.work} - {"currency"}
            assert not odd, story
    assert seen >= {"dispute", "reduce_dispute", "extend_dispute"}


async def _played(stage: Stage, key: str, rng: Random, seed: int) -> list[str]:
    """What happens at the provider, one thing after the other, of all that may."""
    protocol = protocols()[stage.plug.name]
    acts: list[str] = []
    for _ in range(rng.randint(1, 5)):
        (charge,) = [one for one in stage.charges(key) if one.captured_minor]
        can = [one for one in protocol.acts(charge) if "dispute" in one or one in _BEGINNINGS]
        can += [one for one in protocol.acts(charge) if one in ("charge_back", "close_inquiry")]
        if not acts:
            can = [can[seed % len(can)]]
        if not can:
            break
        acts.append(rng.choice(can))
        assert stage.act(key, acts[-1])
        # Of two of one second nobody could tell which amount is the later one.
        stage.simulator.advance(timedelta(seconds=rng.choice([1, 5])))
    return acts


def _moved(stage: Stage, key: str) -> list[Movement]:
    desk = stage.simulator.counter.desk
    ids = {charge.id for charge in stage.charges(key)}
    beginning, end = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
    every = desk.movements(stage.plug.name, SHOP, beginning, end)
    return [one for one in every if one.charge_id in ids and one.kind == "dispute"]
