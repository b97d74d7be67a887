"""Settlements: every movement at a provider account in exactly one, and every sum of them true."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.modifying import REFUND, Obedient, balance_of_account, modify
from tests.shop import Shop, outcome_of

from kassa.base.domain.errors import IllegalTransition, InvalidRequest, NotFound
from kassa.base.domain.lifecycle import PayoutStatus, SettlementStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.ids import new_id
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.settlement.domain.settlements import Settlement, Sums
from kassa.settlement.store.settlements import PutIntoPayout, find_by_payout, put_into_payout
from kassa.settlement.usecases.settlements import (
    close_settlements,
    fail_payout,
    get_settlement,
    list_settlements,
    record_payout,
    settlement_lines,
    settlement_of_payments,
)

pytestmark = pytest.mark.anyio
_S = SettlementStatus
K = PostingKind

# What each kind is booked against, and whether it makes the provider account grow.
MOVEMENTS: dict[PostingKind, tuple[str, int]] = {
    K.CAPTURE: ("merchant:biz_shop", 1),
    K.REFUND: ("merchant:biz_shop", -1),
    K.SURPLUS: ("surplus", 1),
    K.SURPLUS_RETURN: ("surplus", -1),
    K.DISPUTE: ("merchant:biz_shop", -1),
    K.DISPUTE_REVERSAL: ("merchant:biz_shop", 1),
    K.CHARGE_RETURN: ("merchant:biz_shop", -1),
    K.FEE: ("merchant:biz_shop", -1),
    K.FEE_ADJUSTMENT: ("merchant:biz_shop", 1),
    K.ADJUSTMENT: ("suspense", -1),
}

# Lines of all settlements and those that wait, against the account and what was paid out of it.
UNEQUAL = """
    select a.account, a.currency, a.balance, l.total, p.paid from
      (select company_id, account, currency, sum(amount_minor) as balance from entry
        where account like 'provider:%' group by 1, 2, 3) a
      left join lateral (select coalesce(sum(amount_minor), 0) as total from settlement_line x
        where x.company_id = a.company_id and 'provider:' || x.connector = a.account
        and x.currency = a.currency) l on true
      left join lateral (select coalesce(-sum(e.amount_minor), 0) as paid from entry e
        join posting g on g.company_id = e.company_id and g.id = e.posting_id
        where g.kind in ('payout', 'payout_return') and e.company_id = a.company_id
        and e.account = a.account and e.currency = a.currency) p on true
     where a.balance + p.paid <> l.total
"""
# Sums that stand in a settlement and are not those of its lines.
WRONG_SUMS = """
    select s.id, s.status, s.net_minor, s.carried_over_minor + coalesce(sum(l.amount_minor), 0)
      from settlement s left join settlement_line l
        on l.company_id = s.company_id and l.settlement_id = s.id
     group by s.company_id, s.id
    having s.net_minor <> s.carried_over_minor + coalesce(sum(l.amount_minor), 0)
"""


async def book(shop: Shop, *moved: tuple[PostingKind, int], **said: Any) -> list[str]:
    """Movements at the provider account, each positive; ids of their postings."""
    connector, currency = said.get("connector", "acme"), said.get("currency", "CNY")
    made = []
    for kind, minor in moved:
        other, sign = MOVEMENTS[kind]
        account = ledger.provider_account(connector)
        debit, credit = (account, other) if sign > 0 else (other, account)
        made.append(
            Posting(
                company_id=said.get("company", shop.company.id),
                id=new_id("po"),
                kind=kind,
                currency=currency,
                entries=ledger.move(debit, credit, Money(minor, currency)),
                payment_id=said.get("payment", ""),
                at=said.get("at", datetime.now(UTC)),
            )
        )
    async with shop.core.db.transaction() as connection:
        await payments.insert_postings(connection, made)
    return [posting.id for posting in made]


async def close(shop: Shop, **wanted: Any) -> list[Settlement]:
    return await close_settlements(shop.core, shop.company.id, **wanted)


async def close_one(shop: Shop) -> Settlement:
    [one] = await close(shop)
    return one


async def wrong(shop: Shop) -> list[Any]:
    return [*await shop.sql(UNEQUAL), *await shop.sql(WRONG_SUMS)]


async def attach(shop: Shop, reference: str, postings: list[str]) -> PutIntoPayout:
    async with shop.core.db.transaction() as connection:
        return await put_into_payout(
            connection, shop.company.id, "acme", "CNY", reference, postings, new_id=new_id
        )


async def paid(shop: Shop, **changes: Any) -> Payment:
    return await shop.play(await shop.payment(**changes), Obedient())


async def test_a_settlement_gathers_what_moved_by_what_it_was(shop: Shop) -> None:
    minors = {kind: 10 ** (place % 6 + 1) for place, kind in enumerate(MOVEMENTS)}
    minors[K.CAPTURE] = 9_000_000
    await book(shop, *minors.items())

    one = await close_one(shop)

    signed = {kind: MOVEMENTS[kind][1] * minor for kind, minor in minors.items()}
    assert one.status is _S.CLOSED
    assert one.sums == Sums(
        payments=signed[K.CAPTURE],
        refunds=signed[K.REFUND],
        disputes=signed[K.DISPUTE] + signed[K.DISPUTE_REVERSAL] + signed[K.CHARGE_RETURN],
        fees=signed[K.FEE] + signed[K.FEE_ADJUSTMENT],
        other=signed[K.SURPLUS] + signed[K.SURPLUS_RETURN] + signed[K.ADJUSTMENT],
    )
    assert one.net.minor == sum(signed.values())
    assert not await wrong(shop)


async def test_nothing_is_closed_twice_and_nothing_new_closes_nothing(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 500))

    first, second = await close(shop), await close(shop)
    await book(shop, (K.CAPTURE, 70))
    third = await close(shop)

    assert [one.net.minor for one in (*first, *second, *third)] == [500, 70]
    assert [one.number for one in (*first, *third)] == [1, 2]


async def test_each_company_account_and_currency_has_its_own(shop: Shop) -> None:
    other = await shop.other_company()
    await book(shop, (K.CAPTURE, 1))
    await book(shop, (K.CAPTURE, 2), currency="USD")
    await book(shop, (K.CAPTURE, 4), connector="other")
    await book(shop, (K.CAPTURE, 8), company=other.id)

    closed = await close_settlements(shop.core)

    assert {(one.company_id, one.connector, str(one.net)) for one in closed} == {
        (shop.company.id, "acme", "0.01 CNY"),
        (shop.company.id, "acme", "0.02 USD"),
        (shop.company.id, "other", "0.04 CNY"),
        (other.id, "acme", "0.08 CNY"),
    }
    assert [one.company_id for one in await list_settlements(shop.core, other.id)] == [other.id] * 2


async def test_what_moved_later_waits_for_the_next_one(shop: Shop) -> None:
    now = datetime.now(UTC)
    await book(shop, (K.CAPTURE, 1), at=now - timedelta(hours=2))
    await book(shop, (K.CAPTURE, 2), at=now)

    [early] = await close(shop, until=now - timedelta(hours=1))
    [late] = await close(shop, until=now + timedelta(hours=1))

    assert (early.net.minor, late.net.minor) == (1, 2)


async def test_less_than_nothing_is_carried_over_until_it_is_made_good(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 1_000))
    first = await record_payout(shop.core, shop.company.id, (await close_one(shop)).id, "po-1")
    await book(shop, (K.REFUND, 300))
    second = await close_one(shop)
    await book(shop, (K.CAPTURE, 100))
    third = await close_one(shop)
    open_one, *_ = await list_settlements(shop.core, shop.company.id)
    await book(shop, (K.CAPTURE, 250))
    fourth = await close_one(shop)

    assert [one.status for one in (first, second, third, fourth)] == [
        _S.PAID,
        _S.CARRIED,
        _S.CARRIED,
        _S.CLOSED,
    ]
    assert [one.net.minor for one in (second, third, open_one, fourth)] == [-300, -200, -200, 50]
    assert (open_one.status, open_one.carried_over_minor) == (_S.OPEN, -200)
    await record_payout(shop.core, shop.company.id, fourth.id, "po-2")
    assert await balance_of_account(shop, "provider:acme") == 0
    assert await balance_of_account(shop, "bank") == 1_050
    assert not await wrong(shop)


async def test_what_comes_to_nothing_is_paid_by_nothing(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 300), (K.REFUND, 300))

    one = await close_one(shop)

    assert (one.status, one.net.minor, one.payout_reference) == (_S.PAID, 0, "")
    assert not await shop.sql("select from posting where kind like 'payout%'")
    with pytest.raises(IllegalTransition, match="net is 0"):
        await fail_payout(shop.core, shop.company.id, one.id)


async def test_an_open_one_is_shown_with_what_waits(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 300), (K.FEE, 9))
    [begun] = await list_settlements(shop.core, shop.company.id)
    await close(shop)
    await book(shop, (K.CAPTURE, 40))

    shown = await list_settlements(shop.core, shop.company.id)
    statement = await get_settlement(shop.core, shop.company.id, shown[0].id)

    assert (begun.id, begun.status, begun.net.minor) == ("", _S.OPEN, 291)
    assert [(one.status, one.net.minor) for one in shown] == [(_S.OPEN, 40), (_S.CLOSED, 291)]
    assert statement.settlement.net.minor == 40
    assert [line.amount.minor async for line in settlement_lines(shop.core, shown[0])] == [40]


async def test_a_payout_is_booked_once_sent_back_and_paid_again(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 1_000), (K.FEE, 30))
    company, one = shop.company.id, await close_one(shop)
    seen = []
    for verb in (
        lambda: record_payout(shop.core, company, one.id, "po-1"),
        lambda: record_payout(shop.core, company, one.id, "po-1"),
        lambda: fail_payout(shop.core, company, one.id),
        lambda: fail_payout(shop.core, company, one.id),
        lambda: record_payout(shop.core, company, str(one.number), "po-2"),
    ):
        done = await verb()
        at_provider = await balance_of_account(shop, "provider:acme")
        seen.append((done.status, done.payout_reference, at_provider))

    assert seen == [
        (_S.PAID, "po-1", 0),
        (_S.PAID, "po-1", 0),
        (_S.FAILED, "po-1", 970),
        (_S.FAILED, "po-1", 970),
        (_S.PAID, "po-2", 0),
    ]
    statement = await get_settlement(shop.core, company, one.id)
    assert [kind for _, kind, _ in statement.payouts] == ["payout", "payout_return", "payout"]
    first, second = statement.tries
    assert (first.number, first.reference, first.status) == (1, "po-1", PayoutStatus.RETURNED)
    assert (second.number, second.reference, second.status) == (2, "po-2", PayoutStatus.PAID)
    assert [first.posting_id, first.return_posting_id, second.posting_id] == [
        posting for posting, _, _ in statement.payouts
    ]
    # A payout is no movement to be paid out: were it gathered, the next one would be short of it.
    assert await close(shop) == []
    assert not await wrong(shop)


async def test_one_that_failed_before_its_tries_were_kept_keeps_its_first_name(shop: Shop) -> None:
    await book(shop, (K.CAPTURE, 1_000))
    company, one = shop.company.id, await close_one(shop)
    await record_payout(shop.core, company, one.id, "po-1")
    await fail_payout(shop.core, company, one.id)
    await shop.sql("delete from payout")

    await record_payout(shop.core, company, one.id, "po-2")

    statement = await get_settlement(shop.core, company, one.id)
    assert [(each.number, each.reference, each.status) for each in statement.tries] == [
        (1, "po-1", PayoutStatus.RETURNED),
        (2, "po-2", PayoutStatus.PAID),
    ]
    assert statement.tries[0].return_posting_id == statement.payouts[1][0]


async def test_what_cannot_be_paid_is_refused_and_says_why(shop: Shop) -> None:
    company = shop.company.id
    await book(shop, (K.CAPTURE, 10))
    first = await close_one(shop)
    await book(shop, (K.CAPTURE, 20))
    second = await close_one(shop)
    await book(shop, (K.REFUND, 5))
    carried = await close_one(shop)
    [opened, *_] = await list_settlements(shop.core, company)
    await record_payout(shop.core, company, first.id, "po-1")

    refused: list[tuple[str, str, type[Exception], str]] = [
        (first.id, "po-9", IllegalTransition, "paid already, by po-1"),
        (second.id, "po-1", IllegalTransition, "the payout of settlement 1"),
        (carried.id, "po-3", IllegalTransition, "carried over"),
        (opened.id, "po-3", IllegalTransition, "kassa settle"),
        (second.id, "", InvalidRequest, "1 to 200 printable"),
        (second.id, "a\x00b", InvalidRequest, "1 to 200 printable"),
        (second.id, "x" * 201, InvalidRequest, "1 to 200 printable"),
        ("st_none", "po-3", NotFound, "kassa settlement list"),
        ("a\x00b", "po-3", NotFound, "no such settlement"),
    ]
    for settlement_id, reference, kind, said in refused:
        with pytest.raises(kind, match=said):
            await record_payout(shop.core, company, settlement_id, reference)
    with pytest.raises(IllegalTransition, match="carried"):
        await fail_payout(shop.core, company, carried.id)
    with pytest.raises(NotFound):
        await record_payout(shop.core, "cmp_other", second.id, "po-3")
    with pytest.raises(NotFound, match="no such company"):
        await close_settlements(shop.core, "cmp_other")
    assert await balance_of_account(shop, "bank") == 10


async def test_closers_and_payers_at_once_take_each_movement_once(shop: Shop) -> None:
    """Guards: `settlement_id is null` in the gathering statement, and the company's lock around
    it. Without the lock several closers close the one open settlement, or make two; the sums
    stand no longer for the lines."""

    async def pay(number: int) -> None:
        for _ in range(3):
            await book(shop, (K.CAPTURE, 100 + number), (K.FEE, 1))

    work = [pay(number) for number in range(12)]
    answers = await asyncio.gather(
        *(one for pair in zip(work, (close(shop) for _ in range(12)), strict=True) for one in pair),
        return_exceptions=True,
    )
    await close(shop)

    assert not [one for one in answers if isinstance(one, BaseException)], answers
    assert not await wrong(shop)
    [found] = await shop.sql(
        "select count(*) filter (where settlement_id is null) as waiting, count(*) as lines"
        " from settlement_line"
    )
    assert (found["waiting"], found["lines"]) == (0, 72)
    closed = await list_settlements(shop.core, shop.company.id)
    assert sum(one.net.minor for one in closed) == 3 * sum(99 + number for number in range(12))


async def test_one_payout_recorded_by_many_is_booked_once(shop: Shop) -> None:
    """Guard: the company's lock in `mark_paid`; without it the payout is booked several times."""
    await book(shop, (K.CAPTURE, 1_000))
    one = await close_one(shop)

    answers = await asyncio.gather(
        *(record_payout(shop.core, shop.company.id, one.id, f"po-{n % 2}") for n in range(10)),
        return_exceptions=True,
    )

    assert sorted({outcome_of(answer) for answer in answers}) == [
        "Settlement",
        "illegal_transition",
    ]
    assert await balance_of_account(shop, "provider:acme") == 0


async def test_a_payment_knows_its_settlements_and_payouts(shop: Shop) -> None:
    payment, waiting = await paid(shop), None
    await book(shop, (K.FEE, 290), connector="scripted", payment=payment.id)
    [first] = await close(shop)
    await record_payout(shop.core, shop.company.id, first.id, "po-1")
    await modify(shop, payment, REFUND, 4_000)
    await close(shop)
    waiting = await paid(shop)

    shares = await settlement_of_payments(
        shop.core, shop.company.id, [payment.id, waiting.id, "py_none", "a\x00b"]
    )

    told = [
        (one.payment_id, one.captured.minor, one.service_charge.minor, one.amount.minor)
        for one in shares
    ]
    assert told == [(payment.id, 10_000, 290, 9_710), (payment.id, 0, 0, -4_000)]
    assert [one.transfer_reference for one in shares] == ["po-1", ""]
    assert [one.transferred_at is not None for one in shares] == [True, False]
    lines = [line async for line in settlement_lines(shop.core, first)]
    assert {line.payment_id for line in lines} == {payment.id}
    assert sum(line.amount.minor for line in lines) == first.net.minor
    assert not await settlement_of_payments(shop.core, "cmp_other", [payment.id])


async def test_money_that_is_at_no_provider_is_not_settled(shop: Shop) -> None:
    await shop.wallet(await shop.payment(), await shop.user(50_000))

    assert await close(shop) == []


async def test_a_report_puts_movements_into_the_payout_that_it_names(shop: Shop) -> None:
    one, two, three = await book(shop, (K.CAPTURE, 100), (K.CAPTURE, 50), (K.FEE, 5))

    first = await attach(shop, "po-1", [one])
    again = await attach(shop, "po-1", [one, three])
    other = await attach(shop, "po-2", [one, two, "po_none"])

    assert (first.added, again.added, other.added) == (1, 1, 1)
    assert first.settlement_id == again.settlement_id != other.settlement_id
    assert (first.elsewhere, other.elsewhere) == ((), (one,))
    shown = await list_settlements(shop.core, shop.company.id)
    assert {item.payout_reference: item.net.minor for item in shown} == {"po-1": 95, "po-2": 50}
    assert {item.status for item in shown} == {_S.CLOSED}
    assert not await wrong(shop)


async def test_a_report_names_the_payout_of_what_was_closed_before_it_came(shop: Shop) -> None:
    postings = await book(shop, (K.CAPTURE, 100), (K.FEE, 5))
    closed = await close_one(shop)
    late = await book(shop, (K.REFUND, 20))

    told = await attach(shop, "po-1", [*postings, *late])

    assert (told.settlement_id, told.added, told.elsewhere) == (closed.id, 1, ())
    async with shop.core.db.connection() as connection:
        found = await find_by_payout(connection, shop.company.id, "po-1", currency="CNY")
        assert await find_by_payout(connection, shop.company.id, "") is None
    assert found is not None
    assert (found.id, found.net.minor) == (closed.id, 75)
    assert not await wrong(shop)


async def test_nothing_is_put_into_what_was_paid(shop: Shop) -> None:
    [one] = await book(shop, (K.CAPTURE, 100))
    told = await attach(shop, "po-1", [one])
    await record_payout(shop.core, shop.company.id, told.settlement_id, "po-1")
    [late] = await book(shop, (K.CAPTURE, 50))

    assert await attach(shop, "po-1", [one, late]) == PutIntoPayout(told.settlement_id, 0, (late,))
    assert (await close_one(shop)).net.minor == 50


async def test_a_payout_that_takes_money_from_the_bank_is_booked_as_such(shop: Shop) -> None:
    told = await attach(shop, "po-1", await book(shop, (K.DISPUTE, 100)))

    await record_payout(shop.core, shop.company.id, told.settlement_id, "po-1")

    assert await balance_of_account(shop, "provider:acme") == 0
    assert await balance_of_account(shop, "bank") == -100


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_lines_add_up(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    company, references = shop.company.id, 0
    for _ in range(25):
        match chance.randrange(6):
            case 0 | 1 | 2:
                kinds = chance.choices(list(MOVEMENTS), k=chance.randint(1, 6))
                booked = await book(shop, *((kind, chance.randint(1, 9_999)) for kind in kinds))
                if chance.random() < 0.3:
                    await attach(shop, f"report-{references}", booked[: chance.randint(1, 3)])
            case 3:
                await close(shop)
            case _:
                listed = await list_settlements(shop.core, company)
                for one in chance.sample(listed, min(2, len(listed))):
                    references += 1
                    name = one.payout_reference or f"po-{references}"
                    if one.status in (_S.CLOSED, _S.FAILED):
                        await record_payout(shop.core, company, one.id, name)
                    elif one.status is _S.PAID and one.net.minor:
                        await fail_payout(shop.core, company, one.id)
        assert not await wrong(shop), seed
    for one in await list_settlements(shop.core, company):
        if one.id:
            lines = [line.amount.minor async for line in settlement_lines(shop.core, one)]
            assert sum(lines) + one.carried_over_minor == one.net.minor, seed


async def test_the_role_that_serves_can_neither_forge_nor_move_a_line(shop: Shop) -> None:
    """Guard: the grants on settlement_line; lines are made by the ledger's own trigger."""
    await book(shop, (K.CAPTURE, 100))
    edits = (
        "insert into settlement_line (company_id, posting_id, leg, connector, currency,"
        " payment_id, kind, at, amount_minor) values ('c', 'p', 1, 'x', 'CNY', '', 'x', now(), 1)",
        "update settlement_line set amount_minor = 7",
        "delete from settlement_line",
    )

    for edit in edits:
        async with shop.core.db.connection() as connection:
            with pytest.raises(Exception, match="permission denied"):
                await connection.execute(edit)
