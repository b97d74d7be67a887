"""What a provider has on record beside the ledger: found by asking, without any letter."""

import re
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.modifying import REFUND, modify
from tests.shop import Shop

from kassa.base.domain.errors import InvalidRequest, NotFound, ProviderUnavailable
from kassa.base.domain.lifecycle import BreakClass, DisputeStage, DisputeStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, DisputeEvent
from kassa.disputes.usecases.disputes import take_dispute_news
from kassa.modifications.usecases.look_again import look_again
from kassa.payments.domain.disputes import BalanceMovement
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.store import payments
from kassa.payments.usecases.submit_payment import take_news
from kassa.providers.usecases.provider_accounts import NewAccount, put_account
from kassa.reconciliation.domain.comparing import Difference, Figure
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.compare import QUIET, Comparison, compare
from kassa.reconciliation.usecases.watch_accounts import watch_accounts
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]

KEYS: Mapping[str, Mapping[str, str]] = {
    "stripe": {"secret_key": "sk_test_of_this_run", "webhook_secret": "whsec_of_this_run"},
    "razorpay": {
        "key_id": "rzp_test_ofthisrun0001",
        "key_secret": "of this run",
        "webhook_secret": "of this run too",
    },
}
AT_ONCE = timedelta(0)
PATHS = {"stripe": "stripe", "razorpay": "razorpay/v1"}
AMOUNTS = {"stripe": Money(10_000, "USD"), "razorpay": Money(10_000, "INR")}


@pytest.fixture(params=[*KEYS])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def simulator(shop: Shop, name: str, tmp_path: Path) -> AsyncIterator[Simulator]:
    merchant = Merchant(provider=name, name="shop", credentials=dict(KEYS[name]), notify_url="")
    async with running(tmp_path, merchants=[merchant]) as simulator:
        settings = {**KEYS[name], "base_url": f"{simulator.url}/{PATHS[name]}"}
        await put_account(
            shop.core,
            NewAccount(
                company_id=shop.company.id, name=f"{name}_eu", connector=name, settings=settings
            ),
        )
        yield simulator


async def paid(shop: Shop, simulator: Simulator, name: str, **changes: Any) -> Payment:
    payment = await shop.payment(amount=AMOUNTS[name], **changes)
    if name == "stripe":
        return await shop.submit(payment, connector="stripe_eu", instrument="pm_card_visa")
    payment = await shop.submit(payment, connector="razorpay_eu", method=Method.UPI, instrument="")
    (attempt,) = await shop.attempts(payment)
    charge = simulator.books.charge_by_key(name, "shop", attempt["id"])
    assert charge is not None
    simulator.act(name, charge.id, "pay")
    return await shop.sync(payment)


async def at_the_provider(
    simulator: Simulator, name: str, path: str, data: Mapping[str, Any]
) -> Any:
    """Somebody with the account's keys, who is not us."""
    keys = KEYS[name]
    user = (keys["secret_key"], "") if name == "stripe" else (keys["key_id"], keys["key_secret"])
    said = {"data": data} if name == "stripe" else {"json": data}
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth(*user)) as session:
        address = f"{simulator.url}/{PATHS[name]}{'/v1' if name == 'stripe' else ''}{path}"
        async with session.post(address, **said) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def refund_there(simulator: Simulator, name: str, payment: Payment, minor: int) -> None:
    if name == "stripe":
        said = {"payment_intent": payment.provider_reference, "amount": minor}
        await at_the_provider(simulator, name, "/refunds", said)
    else:
        path = f"/payments/{payment.provider_reference}/refund"
        await at_the_provider(simulator, name, path, {"amount": minor})


async def laid_beside(shop: Shop, name: str, quiet: timedelta = AT_ONCE) -> Comparison:
    now = datetime.now(UTC)
    since, until = now - timedelta(days=1), now + timedelta(hours=1)
    return await compare(shop.core, shop.company.id, f"{name}_eu", since, until, quiet=quiet)


async def looked(shop: Shop) -> int:
    return await watch_accounts(shop.core, AT_ONCE)


async def test_what_agrees_has_no_difference(shop: Shop, simulator: Simulator, name: str) -> None:
    payment = await paid(shop, simulator, name)
    await modify(shop, payment, REFUND, 3_000)
    await paid(shop, simulator, name)
    if name == "stripe":
        part = await paid(shop, simulator, name, capture_method=CaptureMethod.MANUAL)
        assert part.status is PaymentStatus.AUTHORIZED

    found = await laid_beside(shop, name)

    assert (found.charges, found.found, found.odd, found.unanswered) == (2, [], [], 0)


async def test_a_refund_of_which_no_letter_came_is_found_and_then_booked(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    await refund_there(simulator, name, payment, 2_500)

    [found] = (await laid_beside(shop, name)).found

    assert found == Difference(
        payment_id=payment.id,
        reference=payment.provider_reference,
        figure=Figure.REFUNDED,
        problem=BreakClass.REFUND_MISSING,
        currency=AMOUNTS[name].currency,
        ours=0,
        theirs=2_500,
    )
    assert await looked(shop) == 0  # it is asked about before anybody is
    await look_again(shop.core)
    assert (await shop.read(payment)).refunded.minor == 2_500
    assert await looked(shop) == 0
    assert (await laid_beside(shop, name)).found == []
    assert await list_breaks(shop.core, shop.company.id) == []


DEDUCTED = {"stripe": "dispute", "razorpay": "dispute_deducted"}


async def heard_of(shop: Shop, name: str, payment: Payment) -> None:
    """A letter told of the dispute after all."""
    connector: Any = shop.core.connectors[f"{name}_eu"]
    now, after, found = datetime.now(UTC), "", []
    while not found:
        page = await connector.list_charges(
            now - timedelta(days=1), now + timedelta(hours=1), after
        )
        found = [dispute for one in page.charges for dispute in one.disputes]
        after = page.after
    async with shop.core.db.connection() as connection:
        [attempt] = await payments.attempts_of(connection, [(shop.company.id, payment.id)])
    news = DisputeEvent(
        dedupe_key="d",
        key=attempt.id,
        reference=found[0].reference,
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=found[0].amount,
        fee=None,
        reason="fraudulent",
        respond_by=None,
    )
    await take_dispute_news(shop.core, attempt, news, actor="test")


async def test_a_dispute_of_which_no_letter_came_is_found(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    simulator.act(name, payment.provider_reference, DEDUCTED[name])

    [found] = (await laid_beside(shop, name)).found

    assert (found.payment_id, found.figure) == (payment.id, Figure.DISPUTED)
    assert (found.ours, found.theirs) == (0, 10_000)
    assert [await looked(shop) for _ in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("how", ["inquire", "dispute_abroad"])
async def test_a_dispute_that_moved_nothing_of_ours_is_found_by_its_name(
    shop: Shop, simulator: Simulator, name: str, how: str
) -> None:
    payment = await paid(shop, simulator, name)
    asks = how if how == "dispute_abroad" or name == "stripe" else "dispute"
    simulator.act(name, payment.provider_reference, asks)

    [found] = (await laid_beside(shop, name)).found

    assert (found.payment_id, found.figure) == (payment.id, Figure.DISPUTED)
    if (name, how) == ("stripe", "dispute_abroad"):  # it tells what has left in that currency
        assert found.reference == payment.provider_reference
    else:
        assert found.reference.startswith(("du_", "dp_", "disp_"))
    assert (found.ours, found.theirs > 0) == (0, True)
    is_abroad = found.currency != AMOUNTS[name].currency
    assert is_abroad is (how == "dispute_abroad")
    assert [await looked(shop) for _ in range(3)] == [0, 1, 0]
    [item] = await list_breaks(shop.core, shop.company.id)
    assert found.reference in item.details


async def test_a_dispute_that_was_heard_of_is_none(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    simulator.act(name, payment.provider_reference, DEDUCTED[name])
    await heard_of(shop, name, payment)

    assert (await laid_beside(shop, name)).found == []
    simulator.act(name, payment.provider_reference, "win_dispute")
    [found] = (await laid_beside(shop, name)).found
    assert (found.ours, found.theirs) == (10_000, 0)


async def test_a_dispute_counts_whenever_it_began(
    shop: Shop, simulator: Simulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"kassa.connectors.{name}.listing._PAGE_SIZE", 1)
    first = await paid(shop, simulator, name)
    simulator.act(name, first.provider_reference, DEDUCTED[name])
    second = await paid(shop, simulator, name)
    simulator.act(name, second.provider_reference, DEDUCTED[name])

    found = (await laid_beside(shop, name)).found

    assert {(one.payment_id, one.theirs) for one in found} == {
        (first.id, 10_000),
        (second.id, 10_000),
    }


@pytest.mark.parametrize("name", ["stripe"])
async def test_a_dispute_in_another_currency_of_which_no_letter_came_is_found_and_is_work(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    simulator.act(name, payment.provider_reference, "dispute_abroad")

    [found] = (await laid_beside(shop, name)).found

    assert (found.payment_id, found.figure) == (payment.id, Figure.DISPUTED)
    assert found.currency != payment.amount.currency
    assert (found.ours, found.theirs > 0) == (0, True)
    assert [await looked(shop) for _ in range(3)] == [0, 1, 0]
    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id) == (BreakClass.STATUS, payment.id)
    await look_again(shop.core)


async def hear(shop: Shop, payment: Payment, name: str, amount: Money) -> None:
    """A letter tells of its dispute of that name, in the amount that has left."""
    (attempt,) = await shop.attempts(payment)
    async with shop.core.db.connection() as connection:
        found = await payments.find_attempt(connection, payment.company_id, attempt["id"])
    assert found is not None
    news = DisputeEvent(
        dedupe_key="d1",
        key=found.id,
        reference=name,
        stage=DisputeStage.CHARGEBACK,
        status=DisputeStatus.NEEDS_RESPONSE,
        amount=amount,
        fee=None,
        reason="fraudulent",
        respond_by=None,
        movements=(BalanceMovement(id="t1", amount=-amount, fee=Money(0, amount.currency)),),
    )
    await take_dispute_news(shop.core, found, news, actor="provider:stripe_eu")


@pytest.mark.parametrize("name", ["stripe"])
async def test_a_dispute_in_another_currency_that_was_heard_of_is_no_difference_until_it_ends(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    simulator.act(name, payment.provider_reference, "dispute_abroad")
    [unheard] = (await laid_beside(shop, name)).found
    [charge] = simulator.counter.desk.charges({"provider": name})
    amount = Money(unheard.theirs, unheard.currency)
    await hear(shop, payment, charge.data["dispute"], amount)

    assert (await laid_beside(shop, name)).found == []

    simulator.act(name, payment.provider_reference, "win_dispute")
    [found] = (await laid_beside(shop, name)).found
    assert (found.ours > 0, found.theirs) == (True, 0)


async def test_what_stays_is_somebodys_work_once(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    await refund_there(simulator, name, payment, 2_500)

    assert [await looked(shop) for _ in range(3)] == [0, 1, 0]

    [item] = await list_breaks(shop.core, shop.company.id)
    assert (item.problem, item.payment_id) == (BreakClass.REFUND_MISSING, payment.id)
    assert (item.expected_minor, item.found_minor) == (0, 2_500)
    await look_again(shop.core)


INTENT = {
    "amount": 4_200,
    "currency": "usd",
    "confirm": "true",
    "payment_method": "pm_card_visa",
    "automatic_payment_methods[enabled]": "true",
    "automatic_payment_methods[allow_redirects]": "never",
}


@pytest.mark.parametrize("name", ["stripe"])
async def test_a_charge_of_ours_of_which_nothing_is_known_here_is_found(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    key = {"metadata[kassa_key]": "at1_01kb0000000000000000000001"}
    made = await at_the_provider(simulator, name, "/payment_intents", INTENT | key)

    [found] = (await laid_beside(shop, name)).found

    assert (found.payment_id, found.reference) == ("", made["id"])
    assert (found.problem, found.theirs) == (BreakClass.MISSING_OURS, 4_200)
    assert [await looked(shop) for _ in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("name", ["stripe"])
async def test_other_orders_of_the_shop_at_the_same_account_are_counted(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    await at_the_provider(simulator, name, "/payment_intents", INTENT)

    found = await laid_beside(shop, name)

    assert (found.charges, found.foreign, found.found) == (1, 1, [])


async def test_what_has_only_just_changed_is_left_out(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    await refund_there(simulator, name, payment, 2_500)

    found = await laid_beside(shop, name, QUIET)

    assert (found.found, found.waiting) == ([], 1)


async def test_a_charge_is_listed_under_our_name(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    (attempt,) = await shop.attempts(payment)
    connector: Any = shop.core.connectors[f"{name}_eu"]
    now = datetime.now(UTC)
    shown = await connector.list_charges(now - timedelta(days=1), now + timedelta(hours=1))
    assert re.fullmatch(r"at\w+", attempt["id"])
    assert [one.key for one in shown.charges] == [attempt["id"]]


@pytest.mark.parametrize("name", ["stripe"])
async def test_charges_of_one_payment_are_laid_beside_each_by_itself(
    shop: Shop, simulator: Simulator, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kassa.connectors.stripe.listing._PAGE_SIZE", 1)
    payment = await shop.payment(amount=AMOUNTS[name])
    await shop.submit(payment, connector="stripe_eu", instrument="")
    payment = await shop.submit(payment, connector="stripe_eu", instrument="pm_card_visa")
    page, _ = await shop.attempts(payment)
    charge = simulator.books.charge_by_key(name, "shop", page["id"])
    assert charge is not None
    simulator.act(name, charge.id, "pay")
    outcome = await shop.core.connectors["stripe_eu"].query(page["id"])
    assert isinstance(outcome, Captured)
    async with shop.core.db.connection() as connection:
        attempts = await payments.attempts_of(connection, [(shop.company.id, payment.id)])
    [attempt] = [one for one in attempts if one.id == page["id"]]
    await take_news(shop.core, attempt, outcome, actor="test", how="query")

    found = await laid_beside(shop, name)

    assert (await shop.read(payment)).surplus_amount.minor == 10_000
    assert (found.charges, found.found) == (2, [])


@pytest.mark.parametrize("name", ["stripe"])
async def test_a_charge_that_was_refunded_and_returned_before_anybody_heard_of_it_is_found(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    """The money is gone twice, and what is here says that there was never any."""
    simulator.set_faults([{"provider": name, "operation": "charge", "fault": "reset_after"}])
    payment = await shop.payment(amount=AMOUNTS[name])
    payment = await shop.submit(payment, connector="stripe_eu", instrument="pm_card_visa")
    simulator.set_faults([])
    [charge] = simulator.counter.desk.charges({"provider": name})
    simulator.act(name, charge.id, "refund")
    simulator.act(name, charge.id, "fail")
    await shop.sync(payment)

    found = (await laid_beside(shop, name)).found

    assert {(one.payment_id, one.figure, one.ours, one.theirs) for one in found} == {
        (payment.id, figure, 0, 10_000) for figure in Figure
    }


@pytest.mark.parametrize("name", ["stripe"])
async def test_a_charge_that_its_bank_returned_is_a_dispute_that_nobody_heard_of(
    shop: Shop, simulator: Simulator, name: str
) -> None:
    payment = await paid(shop, simulator, name)
    simulator.act(name, payment.provider_reference, "fail")

    [found] = (await laid_beside(shop, name)).found

    assert (found.figure, found.ours, found.theirs) == (Figure.DISPUTED, 0, 10_000)
    await looked(shop)
    await look_again(shop.core)
    assert (await laid_beside(shop, name)).found == []


@pytest.mark.parametrize("name", ["stripe"])
async def test_what_cannot_be_compared_is_said(shop: Shop, simulator: Simulator, name: str) -> None:
    now = datetime.now(UTC)
    with pytest.raises(NotFound):
        await compare(shop.core, shop.company.id, "nowhere", now - timedelta(days=1), now)
    with pytest.raises(InvalidRequest, match="ends before"):
        await compare(shop.core, shop.company.id, "stripe_eu", now, now)
    await put_account(
        shop.core,
        NewAccount(
            company_id=shop.company.id,
            name="stripe_eu",
            connector="stripe",
            settings={"base_url": "http://127.0.0.1:9/stripe"},
        ),
    )
    with pytest.raises(ProviderUnavailable, match="stripe_eu"):
        await laid_beside(shop, name)
