"""Paying by a session at a provider that has a page of its own, and takes tokens."""

from typing import Any

import pytest
from tests.shop import Scripted, Shop

from kassa.base.domain.errors import IllegalTransition, UnsupportedOperation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.checkout.usecases.cashier_session import Session, open_session
from kassa.checkout.usecases.pay_session import SessionPay, pay_session
from kassa.checkout.usecases.request_payment import RequestedPayment, request_payment
from kassa.connectors.base import ActionNeeded, ChargeRequest
from kassa.connectors.catalog import kinds
from kassa.identity.domain.principals import Mode
from kassa.payments.domain.payments import Method, Payment
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.providers.usecases.payees import NewPayee, register_payee
from kassa.routing.usecases.routing import NUMBER, REDIRECT, TOKEN

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
PAGE = "https://provider.example/pay/1"


class WithPage(Scripted):
    """Sends a payer who gave nothing to its page, and remembers what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.instruments: list[str] = []

    async def charge(self, request: ChargeRequest) -> Any:
        self.instruments.append(request.instrument)
        if not request.instrument:
            return ActionNeeded(reference="r", url=PAGE)
        return await super().charge(request)


@pytest.fixture
def provider(shop: Shop) -> WithPage:
    """The one account of the shop: as of a provider that takes tokens and has a page."""
    kind = next(
        kind
        for kind in kinds().values()
        if {TOKEN, REDIRECT} <= set(kind.takes)
        and Method.CREDIT_CARD in kind.methods
        and NUMBER not in kind.takes
    )
    shop.core.connectors.clear()
    return account(shop, "ours", kind.name)


def account(shop: Shop, name: str, kind: str) -> WithPage:
    connectors: Any = shop.core.connectors
    made = connectors[name] = WithPage()
    shop.core.accounts[name] = ProviderAccount(
        company_id=shop.company.id,
        name=name,
        connector=kind,
        mode=Mode.TEST,
        status=AccountStatus.ACTIVE,
    )
    return made


async def session_of(shop: Shop) -> Session:
    made = await shop.create(amount=shop.wanted().amount)
    return await open_session(shop.core, made.order.session_token)


async def pay(shop: Shop, session: Session, request_id: str = "ask_1", **said: Any) -> Payment:
    now = await open_session(shop.core, session.order.session_token)
    wanted = SessionPay(method=Method.CREDIT_CARD, request_id=request_id, **said)
    paid = await pay_session(shop.core, now, wanted)
    assert paid is not None
    return paid


async def test_a_payer_who_gave_nothing_is_sent_to_the_providers_page_once(
    shop: Shop, provider: WithPage
) -> None:
    session = await session_of(shop)

    first = await pay(shop, session, takes=REDIRECT)
    again = await pay(shop, session, "ask_2", takes=REDIRECT)

    assert (first.status, first.redirect_url) == (PaymentStatus.REQUIRES_ACTION, PAGE)
    assert again == first
    assert provider.instruments == [""]


async def test_a_token_goes_to_the_provider_and_is_kept_masked(
    shop: Shop, provider: WithPage
) -> None:
    session = await session_of(shop)

    paid = await pay(
        shop, session, takes=TOKEN, instrument="pm_secret", instrument_shown="****cret"
    )
    again = await pay(shop, session, takes=TOKEN, instrument="pm_secret")

    assert paid.status is PaymentStatus.CAPTURED
    assert (again.id, provider.instruments) == (paid.id, ["pm_secret"])
    [attempt] = await shop.attempts(paid)
    assert attempt["instrument"] == "****cret"


async def test_a_card_number_reaches_no_real_provider(shop: Shop, provider: WithPage) -> None:
    session = await session_of(shop)

    with pytest.raises(UnsupportedOperation):
        await pay(shop, session, takes=NUMBER, instrument="4242424242424242")

    assert provider.instruments == []


async def test_what_was_directed_to_a_payee_takes_the_payees_account(
    shop: Shop, provider: WithPage
) -> None:
    theirs = account(shop, "theirs", shop.core.accounts["ours"].connector)
    payee = NewPayee(
        company_id=shop.company.id,
        account_type="bank_account",
        account_number="6222021234567890",
        provider_account="theirs",
    )
    await register_payee(shop.core, payee)
    asked = RequestedPayment(
        company=shop.company,
        business_id=shop.company.business_id,
        actor="test:gateway",
        order_id="order-1",
        user_id="user-1",
        amount=shop.wanted().amount,
        method=Method.CREDIT_CARD,
        instrument="",
        instrument_shown="",
        payer_account={},
        payee_account={},
        payee_number="6222021234567890",
    )
    requested = await request_payment(shop.core, asked)
    session = await open_session(shop.core, requested.order.session_token)

    paid = await pay(shop, session, takes=REDIRECT)

    assert (paid.status, paid.connector) == (PaymentStatus.REQUIRES_ACTION, "theirs")
    assert (theirs.instruments, provider.instruments) == ([""], [])


async def test_a_paid_order_takes_no_second_payment(shop: Shop, provider: WithPage) -> None:
    session = await session_of(shop)
    await pay(shop, session, takes=TOKEN, instrument="pm_1")

    with pytest.raises(IllegalTransition) as refused:
        await pay(shop, session, "ask_2", takes=TOKEN, instrument="pm_2")

    assert refused.value.reason == "order_inactive"
    assert provider.instruments == ["pm_1"]
