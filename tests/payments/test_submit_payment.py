"""Commit, call, commit: sent once, whoever asks, and never a second time in doubt."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.shop import CARDS, Scripted, Shop, outcome_of, paid

from kassa import assembly
from kassa.base.domain.errors import IllegalTransition, NotFound, ProviderUnavailable
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, ChargeRequest, InDoubt, NotSent, Outcome, Unknown
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.facts import Remark
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.poll_payments import poll_payments
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.payments.usecases.submit_payment import Submission
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

CREATED, CAPTURED, PROCESSING, FAILED = (
    PaymentStatus.CREATED,
    PaymentStatus.CAPTURED,
    PaymentStatus.PROCESSING,
    PaymentStatus.FAILED,
)


async def refused(work: "asyncio.Future[Payment] | object") -> str:
    with pytest.raises(IllegalTransition) as caught:
        await work  # type: ignore[misc]
    return caught.value.reason


async def test_a_card_is_charged_and_everything_is_written_down(shop: Shop) -> None:
    payment = await shop.payment(notify_url="https://shop.example/news")

    paid_one = await shop.submit(payment)

    assert (paid_one.status, paid_one.captured) == (CAPTURED, Money(10_000, "CNY"))
    assert await shop.read(payment) == paid_one
    assert await shop.order_status(payment) == "paid"
    assert await shop.taken(payment) == [10_000]
    assert await shop.timeline(payment) == [
        "create created",
        "submit processing",
        "capture captured",
    ]
    [news] = await shop.sql("select event_type, version, state from announcement")
    assert dict(news) == {"event_type": "payment.paid", "version": 3, "state": "waiting"}
    assert await shop.faults() == []


async def test_fifty_submits_at_once_are_sent_once(shop: Shop) -> None:
    payment = await shop.payment()

    answers = await asyncio.gather(*(shop.submit(payment) for _ in range(50)))

    assert set(map(outcome_of, answers)) <= {"processing", "captured"}
    assert await shop.taken(payment) == [10_000]
    assert len(await shop.attempts(payment)) == 1
    assert (await shop.read(payment)).status is CAPTURED
    assert await shop.faults() == []


async def test_two_processes_submitting_at_once_send_once(
    shop: Shop, settings: Settings, database_url: str
) -> None:
    payments = [await shop.payment() for _ in range(10)]

    async with assembly.open_core(settings, database_url) as other:
        await asyncio.gather(
            *(shop.submit(one, core=core) for one in payments for core in (shop.core, other))
        )

    assert [await shop.taken(one) for one in payments] == [[10_000]] * 10
    assert await shop.faults() == []


async def test_two_methods_racing_for_one_order_make_one_success(shop: Shop) -> None:
    for _ in range(5):
        payment, user = await shop.payment(), await shop.user(10_000)
        cash = Recording(
            company_id=shop.company.id, payment_id=payment.id, method=Method.CASH, actor="clerk"
        )
        tries = [
            shop.submit(payment),
            shop.wallet(payment, user),
            record_payment(shop.core, cash),
            shop.submit(payment),
            shop.wallet(payment, user),
        ]

        await asyncio.gather(*tries, return_exceptions=True)

        attempts = await shop.attempts(payment)
        assert [one["status"] for one in attempts].count("succeeded") == 1
        taken, spent = await shop.taken(payment), 10_000 - await shop.balance(user)
        assert len(taken) + (spent > 0) <= 1
        assert (await shop.read(payment)).surplus_amount.minor == 0
    assert await shop.faults() == []


async def test_in_doubt_nothing_else_is_sent_until_the_truth_is_known(shop: Shop) -> None:
    payment, user = await shop.payment(), await shop.user(10_000)
    cash = Recording(
        company_id=shop.company.id, payment_id=payment.id, method=Method.CASH, actor="clerk"
    )

    doubtful = await shop.submit(payment, "paid_but_silent")
    again = await shop.submit(payment)
    by_wallet = await shop.wallet(payment, user)
    in_cash = await refused(record_payment(shop.core, cash))

    assert {one.status for one in (doubtful, again, by_wallet)} == {PROCESSING}
    assert in_cash == "payment_closed"
    assert [one["status"] for one in await shop.attempts(payment)] == ["in_doubt"]
    known = await shop.sync(payment)
    assert known.status is CAPTURED
    assert await shop.taken(payment) == [10_000]
    assert await shop.balance(user) == 10_000
    assert await shop.faults() == []


async def test_what_was_not_sent_may_be_sent_again(shop: Shop) -> None:
    payment = await shop.payment()
    provider = Scripted(NotSent(reason="no route to the provider"))

    with pytest.raises(ProviderUnavailable):
        await shop.play(payment, provider)
    between = await shop.read(payment)
    after = await shop.play(payment, provider)

    assert (between.status, between.method, between.connector) == (CREATED, None, "")
    assert after.status is CAPTURED
    assert [one["status"] for one in await shop.attempts(payment)] == ["abandoned", "succeeded"]
    assert len(set(provider.charged)) == 2
    assert await shop.faults() == []


async def test_dying_between_commit_and_call_leaves_what_the_poller_resolves(shop: Shop) -> None:
    payment = await shop.payment()
    provider = Scripted(
        RuntimeError("died here"), queries=(Unknown(reason="not here"), Unknown(reason="not here"))
    )
    with pytest.raises(RuntimeError, match="died here"):
        await shop.play(payment, provider)
    assert (await shop.read(payment)).status is PROCESSING
    assert await poll_payments(shop.core) == 0  # the call may still be under way

    await shop.age(payment, "31 seconds")
    assert await poll_payments(shop.core) == 1
    unproven = await shop.read(payment)
    provider.not_found_final_after = timedelta(seconds=60)  # type: ignore[misc]
    await shop.age(payment, "31 seconds")
    assert await poll_payments(shop.core) == 1

    assert unproven.status is PROCESSING
    resolved = await shop.read(payment)
    assert (resolved.status, resolved.failure_code) == (FAILED, "not_received")
    assert (await shop.play(payment, provider)).status is CAPTURED
    assert len(provider.charged) == 2
    assert await shop.faults() == []


async def test_dying_between_the_call_and_its_commit_loses_no_money(shop: Shop) -> None:
    payment = await shop.payment()

    async def take_and_die(request: ChargeRequest) -> Outcome:
        provider.answers_to_queries.append(paid(request))
        raise RuntimeError("died with the money taken")

    provider = Scripted(take_and_die)
    with pytest.raises(RuntimeError):
        await shop.play(payment, provider)
    await shop.age(payment, "31 seconds")

    await poll_payments(shop.core)

    assert (await shop.read(payment)).status is CAPTURED
    assert len(provider.charged) == 1
    assert await shop.faults() == []


async def test_a_payer_who_closes_the_browser_does_not_stop_the_payment(shop: Shop) -> None:
    payment, called, go_on = await shop.payment(), asyncio.Event(), asyncio.Event()

    async def slowly(request: ChargeRequest) -> Outcome:
        called.set()
        await go_on.wait()
        return paid(request)

    waiting = asyncio.create_task(shop.play(payment, Scripted(slowly)))
    await called.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    await asyncio.wait_for(asyncio.gather(*shop.core.running), 5)

    assert (await shop.read(payment)).status is CAPTURED


async def test_a_declined_payment_may_be_tried_again_only_where_that_is_allowed(
    shop: Shop,
) -> None:
    first = await shop.submit(await shop.payment(), "insufficient_funds")
    final = await shop.submit(await shop.payment(retry_allowed=False), "insufficient_funds")

    assert (first.status, first.failure_code) == (FAILED, "insufficient_funds")
    assert (await shop.submit(first)).status is CAPTURED
    assert await shop.submit(final) == final
    assert await shop.taken(final) == []
    assert await shop.faults() == []


async def test_what_is_not_claimed_under_the_lock_is_not_sent(shop: Shop) -> None:
    failed = await shop.submit(await shop.payment(), "declined")

    same = await shop.submit(failed, claim=lambda case: case.payment.status is CREATED)

    assert same == failed


async def test_what_has_ended_is_refused_and_nothing_is_sent(shop: Shop) -> None:
    late = await shop.payment()
    await shop.expire(late)

    assert await refused(shop.submit(late)) == "payment_expired"
    assert await shop.attempts(late) == []
    nobody = replace(late, id="py_nobody")
    with pytest.raises(NotFound):
        await shop.submit(nobody)
    with pytest.raises(NotFound):
        await shop.submit(replace(late, company_id="cmp_other"))


async def test_another_amount_than_asked_for_is_never_booked(shop: Shop) -> None:
    payment = await shop.payment()
    wrong = Captured(reference="r", amount=Money(10_000, "USD"))

    kept = await shop.play(payment, Scripted(wrong, queries=(wrong,)))

    assert kept.status is PROCESSING
    await shop.age(payment, "1 hour")
    await poll_payments(shop.core)
    assert await shop.read(payment) == kept
    assert (await shop.sql("select count(*) from posting"))[0][0] == 0
    assert await shop.faults() == []


async def test_a_card_number_is_kept_nowhere(shop: Shop) -> None:
    payment = await shop.payment()

    await shop.submit(payment, "declined")

    secret = CARDS["declined"]
    for table in ("orders", "payment", "attempt", "payment_event", "announcement"):
        [row] = await shop.sql(f"select coalesce(string_agg(t::text, ' '), '') from {table} t")
        assert secret not in row[0]
    wanted = Submission(
        company_id="c",
        payment_id="p",
        method=Method.CREDIT_CARD,
        connector="sandbox",
        instrument=secret,
        instrument_shown="•••• 0002",
        actor="payer",
        return_url="",
    )
    assert secret not in repr(wanted)


async def test_many_askers_make_one_query(shop: Shop) -> None:
    payment = await shop.payment()
    provider = Scripted(InDoubt(reason="no answer"), queries=(InDoubt(reason="still none"),) * 5)
    await shop.play(payment, provider)

    await asyncio.gather(*(shop.sync(payment) for _ in range(20)))
    await shop.sync(payment)

    assert len(provider.queried) == 1
    await shop.age(payment, "4 seconds")
    await shop.sync(payment)
    assert len(provider.queried) == 2


async def test_a_provider_that_was_taken_away_is_not_asked_again_and_again(shop: Shop) -> None:
    payment = await shop.payment()
    await shop.play(payment, Scripted(InDoubt(reason="no answer")))
    await shop.age(payment, "1 hour")

    del shop.core.connectors["scripted"]  # type: ignore[attr-defined]

    assert await poll_payments(shop.core) == 0
    assert (await shop.read(payment)).status is PROCESSING


def note(word: str) -> "PaymentChange":
    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        case.record(Remark(text=word), actor="test")

    return PaymentChange(company_id="cmp_shop", payment_id="", decide=decide)


async def test_a_change_that_breaks_repeats_nothing_and_spoils_no_other(shop: Shop) -> None:
    payments = [await shop.payment() for _ in range(3)]

    def breaks(_: PaymentAggregate, __: WalletBalances | None) -> None:
        raise RuntimeError("a bug")

    def refuses(case: PaymentAggregate, _: WalletBalances | None) -> None:
        case.record(Remark(text="undone"), actor="test")
        raise IllegalTransition("not now")

    async def change(index: int, decide: "object" = None) -> PaymentAggregate:
        wanted = replace(note("kept"), payment_id=payments[index].id)
        if decide is not None:
            wanted = replace(wanted, decide=decide)  # type: ignore[arg-type]
        return await change_payment(shop.core, wanted)

    busy = asyncio.create_task(change(0))
    await asyncio.sleep(0)
    answers = await asyncio.gather(
        change(0),
        change(0, breaks),
        change(0),
        change(1, refuses),
        change(1),
        change(2, breaks),
        change(2),
        return_exceptions=True,
    )
    await busy

    assert Counter(map(outcome_of, answers)) == {
        "PaymentAggregate": 4,
        "RuntimeError: a bug": 2,
        "illegal_transition": 1,
    }
    notes = [(await shop.timeline(one)).count("note created") for one in payments]
    assert notes == [3, 1, 1]
    assert await shop.faults() == []


async def test_time_does_not_run_backwards_on_a_payment_that_waited_for_its_lock(
    shop: Shop,
) -> None:
    payment = await shop.payment()
    await shop.sql("select 1")
    [holder] = shop.connections
    async with holder.transaction():
        await holder.execute("select 1 from orders for update")
        waiting = asyncio.create_task(shop.submit(payment))
        await asyncio.sleep(0.2)
        released = await holder.fetchval("select clock_timestamp()")

    await waiting

    [first, *_] = await shop.sql("select at from payment_event where event = 'submit'")
    assert first["at"] >= released
