"""What a provider tells of a dispute comes to the same, in whatever order it comes and however
often; each connector that tells of disputes says beside its tests what it may tell."""

import os
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from itertools import permutations
from random import Random
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.connectors.contract.plug import beside
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

TELLERS = {one.CONNECTOR: one for one in beside("disputes")}
_ALL_ORDERS_UP_TO = 4
_EXAMPLES = 400 if os.environ.get("KASSA_TEST_LONG") else 12


def _class_of(name: str) -> Any:
    module, _, cls = kinds()[name].connector.partition(":")
    return getattr(import_module(module), cls)


def test_every_connector_that_tells_of_disputes_is_tried_here() -> None:
    found = {name for name in kinds() if hasattr(_class_of(name), "dispute_order")}
    assert found == set(TELLERS)


def paid(currency: str) -> PaymentAggregate:
    amount, nothing = Money(HUNDRED.minor, currency), Money(0, currency)
    attempt = an_attempt(AttemptStatus.SUCCEEDED, amount=amount)
    payment = a_payment(
        PaymentStatus.CAPTURED,
        amount=amount,
        authorized=amount,
        captured=amount,
        **dict.fromkeys(("refunded", "refund_reserved", "fee", "surplus_amount"), nothing),
    )
    order = an_order(amount=amount)
    return PaymentAggregate(payment, order, {attempt.id: attempt}, NOW, new_id, fees=FeeSchedule())


def told(teller: ModuleType, letters: Sequence[DisputeEvent]) -> PaymentAggregate:
    case = paid(teller.CURRENCY)
    (attempt,) = case.attempts.values()
    for news in letters:
        dispute(
            case,
            attempt,
            reference=news.reference,
            telling=telling_of(news, NOW),
            movements=news.movements,
            order=_class_of(teller.CONNECTOR).dispute_order,
            actor=f"provider:{teller.CONNECTOR}",
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
