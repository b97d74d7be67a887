"""A refund that was done comes back: its money is with us again, and may be refunded again."""

import asyncio
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.late import (
    CLOSED_ACCOUNT,
    announced,
    changes,
    done,
    give_back,
    late_money,
    of_ours,
    of_theirs,
    paid,
    refunded,
    reserved,
    told,
    worked_out,
)
from tests.modifying import CAPTURE, REFUND, modify, soon
from tests.shop import Shop
from tests.telling import Telling, due, kept, post

from kassa.base.domain.lifecycle import ModificationStatus
from kassa.connectors.base import (
    Declined,
    InDoubt,
    ModificationOutcome,
)
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.settlement.usecases.settlements import close_settlements, list_settlements
from kassa.webhooks_in.usecases.apply import apply_news

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]


async def test_a_refund_that_comes_back_can_be_made_again(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)

    await post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT)))

    after = await shop.read(payment)
    assert (after.refunded.minor, after.refundable.minor) == (0, 10_000)
    [row] = await changes(shop, payment)
    assert (row.status, row.failure_code) == (ModificationStatus.FAILED, "refund_failed")
    assert (await announced(shop, payment))[-1] == "payment.refund_failed"
    assert "refund_reversed" in await told(shop, payment)
    await refunded(shop, payment, 10_000)


async def test_whoever_was_told_that_a_refund_is_done_is_told_that_it_came_back(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    own = {"face": "wallet", "notify_url": "https://93.184.216.34/of-the-refund"}
    refund = (await modify(shop, payment, REFUND, 4_000, **own)).modification

    await post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT)))

    letters = await shop.sql(
        "select event_type, kind from announcement where url ~ 'of-the-refund'"
    )
    assert sorted(tuple(one) for one in letters) == [
        ("payment.refund_failed", "wallet.refund"),
        ("payment.refunded", "wallet.refund"),
    ]


class Lasting(Telling):
    """Its refunds may come back for a month."""

    refunds_fail_within: ClassVar[timedelta] = timedelta(days=30)


async def test_a_lost_letter_of_a_refund_that_came_back_is_made_good_by_asking(
    shop: Shop,
) -> None:
    provider = Lasting()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)
    [row] = await changes(shop, payment)
    assert row.next_query_at is not None
    assert timedelta(hours=20) < row.next_query_at - row.created_at < timedelta(hours=28)
    await pursue_modifications(shop.core)
    assert provider.queried == []

    provider.says_to_queries = [done(4_000), CLOSED_ACCOUNT]
    for _ in range(2):
        await soon(shop, payment)
        await pursue_modifications(shop.core)

    assert provider.queried == [refund.id, refund.id]
    assert (await shop.read(payment)).refunded.minor == 0
    [row] = await changes(shop, payment)
    assert (row.status, row.next_query_at) == (ModificationStatus.FAILED, None)


async def test_a_refund_made_there_is_asked_about_by_the_providers_name_of_it(shop: Shop) -> None:
    provider = Lasting()
    payment = await paid(shop, provider)
    await post(shop, provider.tell(of_theirs(payment, done(3_000, "re_there"))))
    [row] = await changes(shop, payment)
    assert row.next_query_at is not None
    assert timedelta(hours=20) < row.next_query_at - row.created_at < timedelta(hours=28)

    provider.says_to_queries = [CLOSED_ACCOUNT]
    await soon(shop, payment)
    await pursue_modifications(shop.core)

    assert provider.queried == [row.id]
    assert (await shop.read(payment)).refunded.minor == 0
    [row] = await changes(shop, payment)
    assert (row.status, row.next_query_at) == (ModificationStatus.FAILED, None)


async def test_the_same_failure_told_twice_comes_back_once(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)

    await asyncio.gather(
        *(post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT))) for _ in range(4))
    )

    assert (await told(shop, payment)).count("refund_reversed") == 1
    assert (await announced(shop, payment)).count("payment.refund_failed") == 1


@pytest.mark.parametrize("truth", ["failed", "done"])
async def test_an_overtaken_success_is_asked_about_before_it_is_believed(
    shop: Shop, truth: str
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)
    await post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT)))
    provider.says_to_queries = [CLOSED_ACCOUNT if truth == "failed" else done(4_000)]

    await post(shop, provider.tell(of_ours(refund.id, done(4_000))))

    assert provider.queried[-1] == refund.id
    assert (await shop.read(payment)).refunded.minor == (0 if truth == "failed" else 4_000)


async def test_a_contradiction_that_nobody_resolves_waits_and_names_its_payment(
    shop: Shop,
) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)
    await post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT)))
    provider.says_to_queries = [InDoubt(reason="no answer") for _ in range(3)]

    await post(shop, provider.tell(of_ours(refund.id, done(4_000))))
    assert (await kept(shop))[-1] == ("", False)
    await shop.sql("update provider_news set received_at = now() - interval '2 days'")
    await due(shop)
    await apply_news(shop.core)

    assert (await shop.read(payment)).refunded.minor == 0
    [(about, words)] = await worked_out(shop)
    assert about == payment.id
    assert refund.id in words


async def test_the_answer_to_our_own_call_undoes_nothing(shop: Shop) -> None:
    """It is older than the notification that overtook it."""
    provider = Telling()
    payment = await paid(shop, provider)

    async def refuse(request: Any) -> ModificationOutcome:
        await post(shop, provider.tell(of_ours(request.key, done(4_000))))
        return Declined(code="refund_refused", message="It is there already.")

    provider.refund = refuse  # type: ignore[method-assign]
    made = await modify(shop, payment, REFUND, 4_000)

    assert made.modification.status is ModificationStatus.SUCCEEDED
    assert (await shop.read(payment)).refunded.minor == 4_000


async def test_captures_and_voids_do_not_come_back(shop: Shop) -> None:
    provider = Telling()
    payment = await reserved(shop, provider)
    made = await modify(shop, payment, CAPTURE, 10_000)

    await post(shop, provider.tell(of_ours(made.modification.id, CLOSED_ACCOUNT)))

    assert (await shop.read(payment)).captured.minor == 10_000


async def test_a_refund_comes_back_into_the_settlement_that_is_open_by_then(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    refund = await refunded(shop, payment, 4_000)
    await close_settlements(shop.core, shop.company.id)

    await post(shop, provider.tell(of_ours(refund.id, CLOSED_ACCOUNT)))
    await close_settlements(shop.core, shop.company.id)

    found = await list_settlements(shop.core, shop.company.id)
    sums = {(one.sums.payments, one.sums.refunds) for one in found}
    assert sums - {(0, 0)} == {
        (0, 4_000),
        (10_000, -4_000),
    }


async def test_surplus_that_comes_back_is_given_back_again(shop: Shop) -> None:
    provider = Telling()
    payment = await paid(shop, provider)
    surplus = await late_money(shop, provider)
    [item] = await changes(shop, surplus) or [await give_back(shop, surplus)]

    await post(shop, provider.tell(of_ours(item.id, CLOSED_ACCOUNT)))

    after = await shop.read(surplus)
    assert (after.surplus_returned_minor, after.surplus_left.minor) == (0, 10_000)
    assert (await shop.read(payment)).refunded.minor == 0
