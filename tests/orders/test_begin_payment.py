"""An order that is made and paid in one commit: all of it or nothing, and nobody in its way."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from tests.payments.test_contention import ends, held, soon
from tests.shop import Shop

from kassa import assembly
from kassa.base.domain.errors import (
    AmbiguousCommit,
    IdempotencyMismatch,
    IllegalTransition,
    InvalidRequest,
    KassaError,
)
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.store import db
from kassa.base.store.wire import Wire
from kassa.orders.store import beginning
from kassa.orders.store.beginning import Before
from kassa.orders.usecases import begin_payment as begin
from kassa.orders.usecases.begin_payment import begin_payment
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.usecases.change_payment import WalletBalances
from kassa.settings import Settings
from kassa.wallet.usecases.pay_from_wallet import WalletPay
from kassa.wallet.usecases.wallet_codes import NewCode, make_pay_code

pytestmark = pytest.mark.anyio


def by_code(shop: Shop, code: str, **changes: Any) -> WalletPay:
    return WalletPay(
        company_id=shop.company.id,
        payment_id="",
        auth_code=code,
        actor="test:wallet",
        by="client:test",
        **changes,
    )


async def pay(shop: Shop, code: str, *, core: Any = None, **changes: Any) -> Any:
    """None where the ordinary road has to be taken."""
    return await begin_payment(core or shop.core, shop.wanted(**changes), pay=by_code(shop, code))


async def made(shop: Shop) -> list[int]:
    """How many orders, payments, events, attempts and postings of payments there are."""
    tables = ("orders", "payment", "payment_event", "attempt")
    counts = [(await shop.sql(f"select count(*) from {table}"))[0][0] for table in tables]
    [postings] = await shop.sql("select count(*) from posting where payment_id <> ''")
    return [*counts, postings[0]]


async def test_an_order_is_made_and_paid_in_one_commit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await shop.user(30_000)
    await pay(shop, user)  # what is remembered for a while is known now
    commits: list[str] = []
    commit = Wire.commit

    async def counted(wire: Wire) -> str:
        commits.append("one")
        return await commit(wire)

    monkeypatch.setattr(Wire, "commit", counted)
    cases = await ends(*(pay(shop, user) for _ in range(2)))

    assert [case.payment.status for case in cases] == [PaymentStatus.CAPTURED] * 2
    assert len(commits) <= 2
    assert await shop.balance(user) == 0
    for case in cases:
        assert await shop.read(case.payment) == case.payment
        assert await shop.order_status(case.payment) == "paid"
        events = await shop.sql(
            "select seq, event from payment_event where payment_id = $1 order by seq",
            case.payment.id,
        )
        assert [tuple(one) for one in events] == [(1, "create"), (2, "submit"), (3, "capture")]
    assert await shop.faults() == []


async def test_a_batch_spends_exactly_what_is_there(shop: Shop) -> None:
    user = await shop.user(1_000)

    cases = await ends(*(pay(shop, user, amount=Money(30, "CNY")) for _ in range(100)))

    counted = Counter(case.payment.status.value for case in cases)
    assert counted == {"captured": 33, "failed": 67}
    assert {case.payment.failure_code for case in cases} == {"", "user_balance_not_enough"}
    assert await shop.balance(user) == 10
    assert await shop.faults() == []


async def test_two_processes_spend_exactly_what_is_there_for_the_same_requests(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    user = await shop.user(600)

    async with assembly.open_core(settings, database_url) as other:
        cases = await ends(
            *(
                pay(
                    shop,
                    user,
                    core=core,
                    amount=Money(30, "CNY"),
                    request_scope="test",
                    request_id=f"r{number}",
                )
                for number in range(20)
                for core in (shop.core, other)
            )
        )

    paid = [case for case in cases if isinstance(case, PaymentAggregate)]
    assert len({case.payment.id for case in paid}) == len(paid) <= 20
    assert all(case.payment.is_paid for case in paid)
    assert await shop.balance(user) == 600 - 30 * len(paid)
    assert (await made(shop))[:2] == [len(paid), len(paid)]
    assert await shop.faults() == []


@pytest.mark.parametrize("named", ["order_id", "request_id"])
async def test_what_was_made_before_is_left_to_the_ordinary_road(shop: Shop, named: str) -> None:
    user, other = await shop.user(50_000), await shop.user(50_000)
    again = {"request_scope": "test", named: "the-same"}
    first = await pay(shop, user, **again)

    cases = await ends(pay(shop, user, **again), *(pay(shop, other) for _ in range(3)))

    assert first.payment.is_paid
    assert cases[0] is None
    assert all(case.payment.is_paid for case in cases[1:])
    assert await shop.balance(user) == 40_000
    found = await shop.create(**again)
    assert (found.replayed, found.payment.id) == (True, first.payment.id)
    with pytest.raises(IdempotencyMismatch):
        await shop.create(**again, amount=Money(1, "CNY"))


async def test_the_same_order_twice_in_one_batch_is_made_once(shop: Shop) -> None:
    user = await shop.user(50_000)

    cases = await ends(*(pay(shop, user, order_id="the-same") for _ in range(8)))

    assert len([case for case in cases if case is not None]) == 1
    assert await shop.balance(user) == 40_000
    assert await shop.faults() == []


async def test_who_is_overtaken_makes_nothing_and_moves_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody makes the order after it was looked for: what was decided for it is taken back."""
    user = await shop.user(50_000)
    await pay(shop, user, order_id="theirs")
    before, look = await made(shop), beginning.before

    async def too_early(*about: Any) -> Before:
        return (await look(*about))._replace(taken=[])

    monkeypatch.setattr(beginning, "before", too_early)
    cases = await ends(pay(shop, user, order_id="theirs"), pay(shop, user, order_id="ours"))

    assert cases == [None, None]
    assert await made(shop) == before
    assert await shop.balance(user) == 40_000


async def test_a_refused_payment_is_made_and_failed_like_any_other(shop: Shop) -> None:
    poor = await shop.user(1)

    case = await pay(shop, poor)

    assert case.payment.failure_code == "user_balance_not_enough"
    assert await shop.read(case.payment) == case.payment
    assert (await made(shop))[4] == 0


async def test_an_unknown_code_makes_nothing_and_is_not_counted_here(shop: Shop) -> None:
    cases = await ends(*(pay(shop, "no-such-code") for _ in range(3)))

    assert cases == [None] * 3
    assert (await made(shop))[:2] == [0, 0]
    assert await shop.sql("select * from wallet_guess") == []


async def test_who_has_to_wait_after_wrong_codes_gets_nowhere_with_a_pay_code(shop: Shop) -> None:
    user = await shop.user(50_000)
    code = await make_pay_code(shop.core, NewCode(company_id=shop.company.id, user_id=user))
    await shop.sql(
        "insert into wallet_guess (company_id, subject, misses, counted_at, blocked_until)"
        " values ($1, 'client:test', 99, now(), now() + interval '1 minute')",
        shop.company.id,
    )

    assert await pay(shop, code.text) is None
    assert await shop.balance(user) == 50_000


async def test_a_pay_code_pays_once_however_many_show_it_together(shop: Shop) -> None:
    user = await shop.user(50_000)
    code = await make_pay_code(shop.core, NewCode(company_id=shop.company.id, user_id=user))

    cases = await ends(*(pay(shop, code.text) for _ in range(5)))

    begun = [case for case in cases if case is not None]
    assert sum(case.payment.is_paid for case in begun) == 1
    assert await shop.balance(user) == 40_000
    assert await shop.faults() == []


async def test_a_balance_that_somebody_holds_makes_only_its_own_user_wait(
    shop: Shop, owner_url: str
) -> None:
    poor, rich = await shop.user(1_000_000), await shop.user(1_000_000)
    balance = "select from wallet_balance where account = $1 for update"

    async with held(owner_url, balance, f"wallet:{poor}"):
        waiting = asyncio.create_task(pay(shop, poor))
        with soon():
            cases = await ends(*(pay(shop, rich) for _ in range(5)))
        assert not waiting.done()
        assert (await made(shop))[0] == 5

    assert all(case.payment.is_paid for case in (*cases, await waiting))
    assert await shop.faults() == []


async def test_an_order_that_an_open_transaction_inserts_makes_only_its_own_payer_wait(
    shop: Shop, owner_url: str
) -> None:
    users = [await shop.user(1_000_000) for _ in range(2)]
    known = await shop.payment()
    again = (
        "insert into orders select (json_populate_record(null::orders,"
        ' (row_to_json(o)::jsonb || \'{"id": "stuck", "session_token": "s-stuck"}\')::json)).*'
        " from orders o where id = $1"
    )
    async with held(owner_url, again, known.order_id):
        waiting = [asyncio.create_task(pay(shop, users[0], order_id="stuck")) for _ in range(7)]
        await asyncio.sleep(0)
        with soon():
            cases = await ends(*(pay(shop, users[1]) for _ in range(20)))
            more = [await pay(shop, users[1]) for _ in range(5)]
        assert not any(task.done() for task in waiting)

    assert all(case.payment.is_paid for case in (*cases, *more))
    assert len([case for case in await ends(*waiting) if case is not None]) == 1
    assert await shop.faults() == []


async def test_a_refusal_of_one_leaves_the_others_of_its_batch_alone(shop: Shop) -> None:
    user = await shop.user(1_000_000)

    def refuse(case: PaymentAggregate, _: WalletBalances | None) -> None:
        raise IllegalTransition("not this one")

    refused = begin_payment(shop.core, shop.wanted(), decide=refuse, pay=by_code(shop, user))
    cases = await ends(refused, *(pay(shop, user) for _ in range(5)))

    assert cases[0] is None
    assert all(case.payment.is_paid for case in cases[1:])


async def test_an_item_that_the_database_refuses_is_refused_alone(shop: Shop) -> None:
    user = await shop.user(1_000_000)

    def spoil(case: PaymentAggregate, _: WalletBalances | None) -> None:
        case.payment = begin.replace(case.payment, subject="no text: \x00")

    spoiled = begin_payment(shop.core, shop.wanted(), decide=spoil, pay=by_code(shop, user))
    cases = await ends(spoiled, *(pay(shop, user) for _ in range(5)))

    assert isinstance(cases[0], Exception)
    assert all(case.payment.is_paid for case in cases[1:])
    assert await shop.faults() == []


async def test_a_closed_company_begins_nothing(shop: Shop) -> None:
    user = await shop.user(50_000)
    await shop.sql("update company set status = 'closed' where id = $1", shop.company.id)

    assert await pay(shop, user) is None
    assert (await made(shop))[0] == 0


async def test_an_order_whose_time_is_over_is_left_to_the_ordinary_road(shop: Shop) -> None:
    user, now = await shop.user(50_000), (await shop.sql("select now()"))[0][0]

    assert await pay(shop, user, expires_at=now - timedelta(seconds=1)) is None


async def test_what_cannot_be_stored_at_all_is_refused_before_anything(shop: Shop) -> None:
    with pytest.raises(InvalidRequest):
        await pay(shop, await shop.user(1), amount=Money(0, "CNY"))


async def test_a_commit_that_nobody_heard_of_is_told_so_and_not_done_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await shop.user(50_000)
    commit = Wire.commit

    async def unheard(wire: Wire) -> str:
        done = await commit(wire)
        assert done == "COMMIT"
        raise ConnectionResetError

    monkeypatch.setattr(Wire, "commit", unheard)
    [told] = await ends(pay(shop, user, order_id="unheard"))
    monkeypatch.undo()

    assert isinstance(told, AmbiguousCommit)
    found = await shop.create(order_id="unheard")
    assert (found.replayed, found.payment.is_paid) == (True, True)
    assert await shop.balance(user) == 40_000


async def test_nothing_stands_where_the_process_dies_before_the_commit(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await shop.user(50_000)

    async def dies(wire: Wire) -> str:
        wire.terminate()
        raise ConnectionResetError

    monkeypatch.setattr(db.Wire, "commit", dies)
    [told] = await ends(pay(shop, user, order_id="dead"))
    monkeypatch.undo()
    await asyncio.sleep(0.1)

    assert isinstance(told, KassaError)
    assert (await made(shop))[:2] == [0, 0]
    assert await shop.balance(user) == 50_000
