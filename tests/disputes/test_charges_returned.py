"""Charges that the payer's bank returns after they were captured: returns, and no disputes."""

import pytest
from tests.late import announced, cny, paid, refunded
from tests.modifications.test_made_at_the_provider import RETURNED
from tests.shop import Shop
from tests.telling import Telling, news, post

from kassa.base.domain.lifecycle import DisputeKind
from kassa.cli import changes
from kassa.cli.telling import as_text
from kassa.connectors.base import FailedLater
from kassa.disputes.usecases.disputes import disputes_of, list_disputes
from kassa.operations.store import backlogs
from kassa.payments.usecases.explain import explain
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.stuck_money import report_stuck_money

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def test_a_charge_that_its_bank_returned_is_told_as_that_and_as_no_dispute(
    shop: Shop,
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)

    for _ in range(2):
        await post(shop, provider.tell(news(attempt["id"], RETURNED)))

    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert (found.kind, found.taken, found.reason) == (DisputeKind.RETURN, cny(10_000), "R01")
    assert found.named_there == "txn_1"
    assert (await shop.read(payment)).refundable.minor == 0
    assert (await announced(shop, payment))[-1] == "payment.returned"
    assert await list_disputes(shop.core, shop.company.id) == []
    story = as_text(await explain(shop.core, shop.company.id, payment.id))
    assert "charge returned by the payer's bank" in story
    assert ", returned by the payer's bank at " in story
    assert "dispute" not in story.lower()
    assert "chargeback" not in story


async def test_of_a_return_that_its_provider_has_no_name_for_the_charge_is_named(
    shop: Shop,
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    unnamed = FailedLater(code="charge_failed", message="The bank returned the debit.")

    await post(shop, provider.tell(news(attempt["id"], unnamed)))

    [found] = await disputes_of(shop.core, shop.company.id, payment.id)
    assert found.provider_reference == attempt["provider_reference"]


async def test_what_had_been_refunded_as_well_has_left_twice(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    await refunded(shop, payment, 4_000)
    [attempt] = await shop.attempts(payment)

    await post(shop, provider.tell(news(attempt["id"], RETURNED)))

    now = await shop.read(payment)
    assert (now.disputed_minor, now.double_paid_minor) == (10_000, 4_000)


async def test_lists_show_a_return_as_one_and_counts_of_disputes_leave_it_out(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    [attempt] = await shop.attempts(payment)
    await post(shop, provider.tell(news(attempt["id"], RETURNED)))

    [found] = await list_disputes(shop.core, shop.company.id, only_open=False)
    line, members = changes.dispute_line(found), changes.dispute_members(found)

    assert "return" in line
    assert "chargeback" not in line
    assert (members["kind"], members["stage"], members["status"]) == ("return", None, None)
    async with shop.core.db.connection() as connection:
        assert (await backlogs.count(connection))["disputes_open"] == 0


async def test_what_left_twice_with_a_return_is_asked_of_the_payer_and_of_no_bank(
    shop: Shop,
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    await refunded(shop, payment, 4_000)
    [attempt] = await shop.attempts(payment)
    await post(shop, provider.tell(news(attempt["id"], RETURNED)))

    assert await report_stuck_money(shop.core) == 1

    [item] = await list_breaks(shop.core, shop.company.id)
    assert item.problem == "double_paid"
    assert "ask the payer" in item.details
