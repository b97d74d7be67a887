"""Whom a payment request pays, and who it says is paying."""

from typing import Any

import pytest
from tests.faces.gateway.test_handlers import card, create

from kassa.base.domain.money import Money
from kassa.identity.domain.principals import Business
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.businesses import add_business
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.usecases.find_payments import get_payment

pytestmark = pytest.mark.anyio


async def test_the_name_of_the_payers_account_is_the_customers(
    core: Any, client: Any, demo: Any
) -> None:
    payer = {**card(), "accountName": "Ada Lovelace 4242"}

    made = await create(client, demo, payerAccount=payer)

    view = await get_payment(core, demo.company_id, made.json()["paymentRequestId"])
    assert (view.order.customer.id, view.order.customer.name) == ("user_1", "Ada Lovelace ****")
    again = await create(client, demo, payerAccount=payer)
    assert again.json() == made.json()


async def test_a_request_names_the_business_that_is_paid(core: Any, client: Any, demo: Any) -> None:
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Station"))

    made = await create(client, demo, businessId="biz_station")

    view = await get_payment(core, demo.company_id, made.json()["paymentRequestId"])
    assert view.payment.business_id == "biz_station"
    other = await create(client, demo)
    assert (other.status, other.json()["error"][:20]) == (422, "IDEMPOTENCY_MISMATCH")


async def test_an_unknown_business_is_refused_and_charges_nothing(
    core: Any, client: Any, demo: Any
) -> None:
    refused = await create(client, demo, businessId="biz_nobody")

    assert refused.status == 400
    assert refused.json()["error"] == (
        "INVALID_REQUEST: businessId: the company has no business of that id"
    )
    assert (await create(client, demo)).json()["paymentResult"] is True


async def test_an_order_of_another_business_is_not_paid_for_this_one(
    core: Any, client: Any, demo: Any
) -> None:
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Station"))
    new = NewOrder(
        company=company,
        business_id=company.business_id,
        actor="test",
        face="orders",
        amount=Money(29_990, company.currency),
        order_id="order_tea",
    )
    await create_order(core, new)

    refused = await create(client, demo, businessId="biz_station")

    assert (refused.status, "another business" in refused.json()["error"]) == (422, True)
