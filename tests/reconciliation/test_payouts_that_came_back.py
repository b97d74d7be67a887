"""A payout that the bank sends back, and the next one: each has a row and a name of its own."""

from dataclasses import replace
from typing import Any

import pytest
from tests.modifying import balance_of_account
from tests.reports import Reporter, line
from tests.shop import Scripted, Shop

from kassa.base.domain.lifecycle import PayoutStatus, SettlementStatus
from kassa.connectors.base import PayoutEvent
from kassa.identity.domain.principals import Mode
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.settlement.domain.settlements import Settlement
from kassa.settlement.usecases.settlements import (
    fail_payout,
    get_settlement,
    list_settlements,
    settlement_of_payments,
)
from kassa.webhooks_in.usecases.receive import receive_notification

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]

NET = 9_700


def on_statement(text: str, minor: int = NET) -> ReportLine:
    return line(LineKind.PAYOUT, minor, texts=(text,))


async def paid_out(shop: Shop, *references: str) -> Reporter:
    """For each reference a payment of 100.00 less 3.00, reported as part of that payout."""
    reporter = Reporter(shop)
    for reference in references:
        payment = await reporter.paid()
        said = await reporter.line_of(payment, fee=300, payout_reference=reference)
        assert (await reporter.send(said, name=reference)).breaks == {}
    return reporter


async def the_one(shop: Shop) -> Settlement:
    [found] = [
        one
        for one in await list_settlements(shop.core, shop.company.id)
        if one.status is not SettlementStatus.OPEN
    ]
    return found


async def tries(shop: Shop) -> list[tuple[str, PayoutStatus]]:
    statement = await get_settlement(shop.core, shop.company.id, (await the_one(shop)).id)
    return [(one.reference, one.status) for one in statement.tries]


@pytest.mark.parametrize("said_before", [True, False])
async def test_the_whole_story_on_the_bank_s_statements(shop: Shop, said_before: bool) -> None:
    reporter = await paid_out(shop, "po_1")
    assert (await reporter.send(on_statement("STRIPE po_1"), account=BANK)).breaks == {}
    if said_before:
        await fail_payout(shop.core, shop.company.id, (await the_one(shop)).id)

    returned = await reporter.send(on_statement("RETURN STRIPE po_1", -NET), account=BANK)

    assert (returned.matched, returned.breaks) == (1, {})
    assert (await the_one(shop)).status is SettlementStatus.FAILED
    assert await balance_of_account(shop, "bank") == 0

    again = await reporter.send(on_statement("STRIPE po_2"), account=BANK)
    twice = await reporter.send(on_statement("STRIPE  po_2 "), account=BANK)
    back_twice = await reporter.send(on_statement("RETURN  po_1", -NET), account=BANK)

    assert (again.matched, again.breaks) == (1, {})
    assert twice.breaks == back_twice.breaks == {"duplicate": 1}
    assert await tries(shop) == [("po_1", PayoutStatus.RETURNED), ("po_2", PayoutStatus.PAID)]
    assert (await the_one(shop)).payout_reference == "po_2"
    assert await balance_of_account(shop, "bank") == NET
    [(payment_id,)] = await shop.sql("select id from payment")
    [share] = await settlement_of_payments(shop.core, shop.company.id, [payment_id])
    assert share.transfer_reference == "po_2"


async def test_a_dry_run_of_the_story_says_the_same_and_changes_nothing(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1")
    await reporter.send(on_statement("po_1"), account=BANK)
    lines = [on_statement("back po_1", -NET), on_statement("back po_1", -NET)]

    planned = await reporter.send(*lines, account=BANK, dry_run=True)

    assert (planned.matched, planned.breaks) == (1, {"duplicate": 1})
    assert (await the_one(shop)).status is SettlementStatus.PAID
    assert (await reporter.send(*lines, account=BANK)).breaks == planned.breaks


async def test_a_return_without_a_name_is_taken_where_one_was_said_to_be_back(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1")
    await reporter.send(on_statement("po_1"), account=BANK)

    unsaid = await reporter.send(on_statement("no name", -NET), account=BANK)
    await fail_payout(shop.core, shop.company.id, (await the_one(shop)).id)
    said = await reporter.send(on_statement("no name at all", -NET), account=BANK)

    assert unsaid.breaks == {"missing_ours": 1}
    assert (said.matched, said.breaks) == (1, {})


async def test_what_was_never_at_the_bank_cannot_go_back_from_there(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1")

    outcome = await reporter.send(on_statement("back po_1", -NET), account=BANK)

    assert outcome.breaks == {"status": 1}
    assert await tries(shop) == []


async def test_the_provider_s_own_report_tells_of_the_return_and_of_the_next_payout(
    shop: Shop,
) -> None:
    reporter = await paid_out(shop, "po_1")
    await reporter.send(on_statement("po_1"), account=BANK)
    back = line(LineKind.PAYOUT, NET, payout_reference="po_1")

    returned = await reporter.send(back, name="back.csv")
    state = (await the_one(shop)).status
    renamed = await reporter.send(line(LineKind.PAYOUT, -NET, payout_reference="po_2"))
    arrived = await reporter.send(on_statement("po_2"), account=BANK)
    late = await reporter.send(back, line(our_reference="nobody"), name="late.csv")
    otherwise = replace(back, provider_reference="said in other words")
    again = await reporter.send(otherwise, name="later.csv")

    assert (returned.matched, state) == (1, SettlementStatus.FAILED)
    assert (renamed.matched, renamed.breaks) == (1, {})
    assert arrived.breaks == {}
    assert (late.repeated, late.breaks) == (1, {"missing_ours": 1})
    assert (again.repeated, again.matched, again.breaks) == (0, 1, {})
    assert (await the_one(shop)).status is SettlementStatus.PAID, "that was the first try's"
    assert await tries(shop) == [("po_1", PayoutStatus.RETURNED), ("po_2", PayoutStatus.PAID)]


async def test_a_payout_that_never_arrived_is_a_try_as_well(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1")
    await reporter.send(line(LineKind.PAYOUT, NET, payout_reference="po_1"))
    await reporter.send(on_statement("po_2"), account=BANK)

    assert await tries(shop) == [("po_1", PayoutStatus.FAILED), ("po_2", PayoutStatus.PAID)]


async def test_a_line_that_names_two_settlements_is_a_break_that_lists_them(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1", "po_2")

    outcome = await reporter.send(on_statement("po_1 po_2"), account=BANK)

    assert outcome.breaks == {"ambiguous": 1}


class Teller(Scripted):
    """A provider whose every letter says that the payouts of this name failed."""

    def __init__(self, reference: str) -> None:
        super().__init__()
        self._reference = reference

    def parse_notification(self, *_: Any, **__: Any) -> PayoutEvent:  # type: ignore[override]
        return PayoutEvent(dedupe_key="1", references=(self._reference,), reason="closed")


async def heard(shop: Shop, reference: str) -> str:
    core = shop.core
    core.connectors["scripted"] = Teller(reference)
    core.accounts["scripted"] = ProviderAccount(
        company_id=shop.company.id, name="scripted", connector="scripted", mode=Mode.TEST,
        status=AccountStatus.ACTIVE,
    )  # fmt: skip
    answer = await receive_notification(core, "scripted", {}, b"{}")
    assert answer.status == 200
    return answer.outcome


async def test_a_letter_of_a_payout_that_failed_is_heard_once(shop: Shop) -> None:
    reporter = await paid_out(shop, "po_1")
    await reporter.send(on_statement("po_1"), account=BANK)

    said = [await heard(shop, name) for name in ("po_1", "po_1", "po_9")]

    assert said == ["applied", "applied", "foreign"]
    assert await tries(shop) == [("po_1", PayoutStatus.RETURNED)]
    statement = await get_settlement(shop.core, shop.company.id, (await the_one(shop)).id)
    assert statement.tries[0].why == "notification: closed"

    await reporter.send(on_statement("po_2"), account=BANK)
    assert await heard(shop, "po_1") == "applied"
    assert (await the_one(shop)).status is SettlementStatus.PAID, "that was the first try's"
    back = await reporter.send(on_statement("back po_1", -NET), account=BANK)
    assert (back.matched, back.breaks) == (1, {})
