"""Payees: a request directs money only where the company has said so before."""

from typing import Any

import asyncpg
import pytest
from tests.shop import CARDS, Scripted, Shop

from kassa.base.domain.errors import InvalidRequest, NotFound, UnsupportedOperation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.checkout.usecases.request_payment import RequestedPayment, request_payment
from kassa.identity.domain.principals import Mode
from kassa.payments.domain.payments import Method, Payment
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.providers.usecases.payees import NewPayee, list_payees, register_payee, switch_payee

pytestmark = pytest.mark.anyio

_NUMBER = "6222 0212-3456 7890"


async def ask(shop: Shop, number: str, order_id: str = "order-1", **changes: Any) -> Payment:
    members: dict[str, Any] = {
        "company": shop.company,
        "business_id": shop.company.business_id,
        "actor": "test:gateway",
        "order_id": order_id,
        "user_id": "user-1",
        "amount": Money(10_000, "CNY"),
        "method": Method.CREDIT_CARD,
        "instrument": CARDS["paid"],
        "instrument_shown": "•••• 4242",
        "payer_account": {},
        "payee_account": {},
        "payee_number": number,
    }
    asked = RequestedPayment(**{**members, **changes})
    return (await request_payment(shop.core, asked)).payment


async def register(shop: Shop, number: str = _NUMBER, **changes: Any) -> str:
    payee = NewPayee(
        company_id=shop.company.id, account_type="bank_account", account_number=number, **changes
    )
    return (await register_payee(shop.core, payee)).id


def account(shop: Shop, name: str) -> Scripted:
    shop.core.connectors[name] = made = Scripted()
    shop.core.accounts[name] = ProviderAccount(
        company_id=shop.company.id,
        name=name,
        connector="sandbox",
        mode=Mode.TEST,
        status=AccountStatus.ACTIVE,
    )
    return made


async def test_without_registered_payees_the_company_is_paid_whatever_is_named(shop: Shop) -> None:
    assert (await ask(shop, "any number")).status is PaymentStatus.CAPTURED


async def test_from_the_first_payee_on_no_other_is_taken(shop: Shop, owner_url: str) -> None:
    await register(shop)

    assert (await ask(shop, "6222021234567890")).status is PaymentStatus.CAPTURED
    with pytest.raises(InvalidRequest, match="not registered") as refused:
        await ask(shop, "6222021234567891", "order-2")

    assert "7891" not in refused.value.message
    connection = await asyncpg.connect(owner_url)
    try:
        assert await connection.fetchval("select count(*) from orders where id = 'order-2'") == 0
    finally:
        await connection.close()


async def test_a_payee_is_paid_through_its_own_account(shop: Shop) -> None:
    account(shop, "aa")
    second = account(shop, "bb")
    await register(shop, provider_account="bb")

    paid = await ask(shop, _NUMBER)

    assert paid.connector == "bb"
    assert len(second.charged) == 1


async def test_a_payee_whose_account_cannot_take_it_is_paid_by_nobody_else(shop: Shop) -> None:
    account(shop, "bb")
    await register(shop, provider_account="bb")
    with pytest.raises(UnsupportedOperation):
        await ask(shop, _NUMBER, method=Method.UPI, instrument="pm_x")


async def test_a_disabled_payee_is_unknown(shop: Shop) -> None:
    payee = await register(shop)
    await switch_payee(shop.core, shop.company.id, payee, active=False)

    with pytest.raises(InvalidRequest):
        await ask(shop, _NUMBER)


async def test_a_number_is_kept_as_a_keyed_hash_and_shown_by_its_end(
    shop: Shop, owner_url: str
) -> None:
    await register(shop)
    assert await register(shop, "6222021234567890", account_name="Tea") == (
        (await list_payees(shop.core, shop.company.id))[0].id
    )

    connection = await asyncpg.connect(owner_url)
    try:
        said = await connection.fetchval("select p::text from payee p")
    finally:
        await connection.close()
    assert "622202" not in said
    (payee,) = await list_payees(shop.core, shop.company.id)
    assert (payee.account_shown, payee.account_name) == ("****7890", "Tea")


async def test_payees_and_accounts_of_others_are_not_ours(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await register(shop, provider_account="nobodys")
    with pytest.raises(NotFound):
        await switch_payee(shop.core, "cmp_other", await register(shop), active=False)
