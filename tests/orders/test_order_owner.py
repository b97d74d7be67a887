"""An order belongs to the customer it was made for, and a customer's words reach nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from tests.shop import Scripted, Shop, outcome_of, paid

from kassa.base.domain.errors import NotFound
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.ids import new_session_token, stable_id
from kassa.cashier.screens import CashierVisit, pay_screen, result_screen
from kassa.cashier.speech import choose_speech
from kassa.cashier.stages import stage_of
from kassa.checkout.usecases.cashier_session import PaymentWay, Session, open_session, start_page
from kassa.checkout.usecases.open_payment import get_customer_payment, open_payment, renew_redirect
from kassa.connectors.base import Captured, ChargeRequest
from kassa.identity.domain.principals import Principal
from kassa.orders.usecases.create_order import CreatedOrder
from kassa.payments.domain.payments import Payment

pytestmark = pytest.mark.anyio

ALICE = {
    "customer_name": "Alice",
    "customer_email": "alice@example.com",
    "customer_phone": "9999999999",
}
EVIL = "REFUND PENDING: call +1-900-555-0100"


@pytest.fixture
def alice(shop: Shop) -> Principal:
    return Principal(
        company=shop.company,
        business_id=shop.company.business_id,
        kind="customer",
        credential="key",
        name="alice",
        roles=frozenset({"CUSTOMER"}),
    )


async def opened(shop: Shop, who: Principal, named: str, subject: str = "tea") -> Payment:
    return await open_payment(
        shop.core, who, order_id=named, subject=subject, description="and biscuits"
    )


async def told(shop: Shop, who: Principal, named: str) -> str:
    """ "opened", or why not."""
    try:
        await opened(shop, who, named)
    except NotFound:
        return "not_found"
    return "opened"


def session_of(made: CreatedOrder) -> str:
    return made.order.session_token


@pytest.mark.parametrize("made_for", [{}, ALICE, {"customer_id": "alice_the_second", **ALICE}])
async def test_who_knows_an_order_id_alone_opens_nothing_and_leaves_no_trace(
    shop: Shop, alice: Principal, made_for: dict[str, Any]
) -> None:
    made = await shop.create(order_id="order-1", **made_for)

    assert await told(shop, alice, "order-1") == "not_found"

    assert await shop.read(made.payment) == made.payment
    assert await shop.timeline(made.payment) == ["create created"]
    assert await shop.attempts(made.payment) == []


@pytest.mark.parametrize("made_for", [{}, ALICE])
async def test_an_order_made_for_no_id_is_opened_by_whoever_shows_its_session(
    shop: Shop, alice: Principal, made_for: dict[str, Any]
) -> None:
    made = await shop.create(order_id="order-1", **made_for)
    bob = replace(alice, name="bob")

    first = await opened(shop, alice, session_of(made))

    assert (first.order_id, first.payer) == ("order-1", "alice")
    assert await told(shop, bob, session_of(made)) == "not_found"
    assert await told(shop, bob, "order-1") == "not_found"
    assert await opened(shop, alice, "order-1") == first


async def test_of_two_who_show_the_session_at_once_one_gets_the_order_and_one_leaves_no_trace(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1")
    people = [replace(alice, name=name) for name in ("alice", "bob")] * 5

    answers = await asyncio.gather(
        *(opened(shop, who, session_of(made), f"for {who.name}") for who in people),
        return_exceptions=True,
    )

    assert sorted(map(outcome_of, answers)) == ["not_found"] * 5 + ["requires_action"] * 5
    payment = await shop.read(made.payment)
    assert payment.subject == f"for {payment.payer}"
    rows = await shop.sql("select distinct actor from payment_event where actor like 'customer:%'")
    assert [row["actor"] for row in rows] == [f"customer:{payment.payer}"]


async def test_a_session_of_another_company_or_of_none_opens_nothing(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1")
    stranger = replace(alice, company=await shop.other_company())

    assert await told(shop, stranger, session_of(made)) == "not_found"
    assert await told(shop, alice, new_session_token(shop.company.number)) == "not_found"


async def test_an_order_made_for_a_customers_id_is_theirs_alone(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1", customer_id="alice", **ALICE)
    mail = replace(alice, name="bob", email="alice@example.com")
    numbered = replace(alice, customer_id="42")

    for other in (mail, numbered):
        assert await told(shop, other, session_of(made)) == "not_found"
    assert await told(shop, alice, "order-1") == "opened"


async def test_an_id_of_the_merchant_beats_the_username(shop: Shop, alice: Principal) -> None:
    await shop.create(order_id="order-1", customer_id="42", customer_number=42)
    impostor = replace(alice, name="42", customer_id="7")

    assert await told(shop, impostor, "order-1") == "not_found"
    assert await told(shop, replace(alice, customer_id="42"), "order-1") == "opened"


async def test_an_order_made_for_an_address_is_opened_by_its_verified_owner(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="order-1", **ALICE)
    bob = replace(alice, name="bob", email="bob@example.com")

    assert await told(shop, bob, "order-1") == "not_found"
    assert await told(shop, replace(alice, email="Alice@Example.com"), "order-1") == "opened"


async def test_an_order_without_an_address_is_not_opened_by_a_customer_without_one(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="order-1")

    assert await told(shop, replace(alice, email=""), "order-1") == "not_found"


async def test_an_id_made_of_the_persons_data_names_nobody(shop: Shop, alice: Principal) -> None:
    made = await shop.create(order_id="order-1", **ALICE)
    derived = stable_id("cus", shop.company.id, *ALICE.values())
    assert made.order.customer.id == derived

    assert await told(shop, replace(alice, name=derived), "order-1") == "not_found"


async def test_the_merchant_can_vouch_for_single_orders_and_for_all(
    shop: Shop, alice: Principal
) -> None:
    for order in ("order-1", "order-2"):
        await shop.create(order_id=order, customer_id="somebody")
    vouched = replace(alice, orders=frozenset({"order-1"}))

    assert await told(shop, vouched, "order-2") == "not_found"
    assert await told(shop, vouched, "order-1") == "opened"
    assert await told(shop, replace(alice, orders=frozenset({"*"})), "order-2") == "opened"
    assert await told(shop, replace(alice, name="bob", orders=frozenset({"*"})), "order-1") == (
        "not_found"
    )


async def test_a_payer_whom_the_merchants_server_named_is_no_username(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1", customer_id="42")
    await shop.sql("update payment set payer = '42' where id = $1", made.payment.id)

    impostor = replace(alice, name="42", customer_id="7", orders=frozenset({"*"}))
    assert await told(shop, impostor, "order-1") == "not_found"
    assert await told(shop, replace(alice, customer_id="42"), "order-1") == "opened"


class Counting:
    """The database, and every statement that is sent to it."""

    def __init__(self, db: Any):
        self.db = db
        self.statements: list[str] = []

    @asynccontextmanager
    async def connection(self, **how: Any) -> AsyncIterator[Any]:
        async with self.db.connection(**how) as connection:
            yield Counted(connection, self.statements)

    @asynccontextmanager
    async def transaction(self, **how: Any) -> AsyncIterator[Any]:
        async with self.db.transaction(**how) as connection:
            yield Counted(connection, self.statements)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.db, name)


class Counted:
    def __init__(self, connection: Connection, statements: list[str]):
        self.connection = connection
        self.statements = statements

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self.connection, name)

        async def counted(statement: str, *values: Any) -> Any:
            self.statements.append(statement)
            return await verb(statement, *values)

        return counted if name in ("fetch", "fetchrow", "fetchval", "execute") else verb


async def test_what_is_another_customers_costs_as_many_statements_as_what_is_not_there(
    shop: Shop, alice: Principal
) -> None:
    await shop.create(order_id="unopened", **ALICE)
    bobs = await shop.create(order_id="opened", customer_id="bob")
    number = (await opened(shop, replace(alice, name="bob"), "opened")).number or 0
    assert bobs.payment.number is None
    counting = Counting(shop.core.db)
    core = replace(shop.core, db=counting)  # type: ignore[arg-type]

    async def sent(verb: Any, *given: Any, **named: Any) -> list[str]:
        counting.statements.clear()
        with pytest.raises(NotFound):
            await verb(core, alice, *given, **named)
        return list(counting.statements)

    words = {"subject": "tea", "description": ""}
    missing = await sent(open_payment, order_id="nothing", **words)
    assert len(missing) == 1
    for name in ("unopened", "opened"):
        assert await sent(open_payment, order_id=name, **words) == missing
    for verb in (get_customer_payment, renew_redirect):
        assert await sent(verb, number) == await sent(verb, number + 1)


def screens_of(session: Session, token: str) -> str:
    """What the cashier shows to whoever holds the session."""
    visit = CashierVisit(
        company=session.company,
        order=session.order,
        payment=session.payment,
        methods=session.ways,
        stage=stage_of(session.order, session.payment, expired=session.expired),
        now=session.now,
        sandbox=session.sandbox,
        place=f"/pay/{token}",
        speech=choose_speech("en", ""),
    )
    return pay_screen(visit, form_token="") + result_screen(visit)


async def test_a_customers_words_are_shown_to_nobody_who_holds_the_session(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1", customer_id="alice")
    theirs = await opened(shop, alice, "order-1", EVIL)

    session = await open_session(shop.core, session_of(made))
    page = screens_of(session, session_of(made))

    assert theirs.subject == EVIL
    assert "REFUND" in theirs.redirect_url
    assert "REFUND" not in page
    assert theirs.redirect_url.partition("?")[0] not in page
    assert "order-1" in page


async def test_alipay_opened_from_the_cashier_has_the_merchants_words_and_a_trade_of_its_own(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1", customer_id="alice", description="Jasmine tea")
    theirs = await opened(shop, alice, "order-1", EVIL)
    session = await open_session(shop.core, session_of(made))

    first = await start_page(shop.core, session, PaymentWay.ALIPAY, back="https://shop.example")
    again = await start_page(shop.core, session, PaymentWay.ALIPAY, back="https://shop.example")
    renewed = await renew_redirect(shop.core, alice, theirs.number or 0)

    attempts = await shop.attempts(made.payment)
    assert [one["status"] for one in attempts] == [
        AttemptStatus.ABANDONED.value,
        AttemptStatus.DISPATCHED.value,
    ]
    for payment in (first, again, renewed):
        assert attempts[1]["id"] in payment.redirect_url
        assert "Jasmine" in payment.redirect_url
        assert "REFUND" not in payment.redirect_url
    assert await shop.faults() == []


async def test_a_trade_begun_before_this_was_written_down_keeps_its_words(
    shop: Shop, alice: Principal
) -> None:
    made = await shop.create(order_id="order-1", customer_id="alice")
    theirs = await opened(shop, alice, "order-1", "my words")
    await shop.sql("update payment set extra = extra - 'own_trade' where id = $1", made.payment.id)

    renewed = await renew_redirect(shop.core, alice, theirs.number or 0)

    assert "my+words" in renewed.redirect_url
    assert len(await shop.attempts(made.payment)) == 1


async def test_a_card_provider_hears_the_merchants_words(shop: Shop, alice: Principal) -> None:
    made = await shop.create(order_id="order-1", customer_id="alice")
    await opened(shop, alice, "order-1", EVIL)
    heard: list[ChargeRequest] = []

    async def answer(request: ChargeRequest) -> Captured:
        heard.append(request)
        return paid(request)

    await shop.play(made.payment, Scripted(answer))

    assert [(one.subject, one.description) for one in heard] == [("order-1", "")]
