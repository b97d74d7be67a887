"""Both Indian providers behind the whole gateway: from the payer's click to sound books."""

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest
from tests.asgi import Client
from tests.connectors.cashfree import conftest as cashfree
from tests.connectors.razorpay import conftest as razorpay
from tests.connectors.scripted import Scripted
from tests.shop import Shop

from kassa.base.domain.lifecycle import ModificationKind, PaymentStatus
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.domain.payments import CaptureMethod, Method
from kassa_simulator.frame import Merchant
from kassa_simulator.running import running

pytestmark = pytest.mark.anyio

AMOUNT = Money(50_000, "INR")
PROVIDERS = [("razorpay", razorpay, "razorpay/v1"), ("cashfree", cashfree, "cashfree/pg")]


@pytest.mark.parametrize(("name", "provider", "path"), PROVIDERS)
@pytest.mark.parametrize("reserves", [False, True])
async def test_a_payer_pays_a_webhook_tells_and_the_money_goes_back(
    shop: Shop,
    client: Client,
    script: Scripted,
    tmp_path: Any,
    name: str,
    provider: ModuleType,
    path: str,
    reserves: bool,
) -> None:
    script.says["POST /hook"] = (200, b"ok")
    merchant = Merchant(
        provider=name,
        name="shop",
        credentials=provider.CREDENTIALS,
        notify_url=f"{script.url}/hook",
    )
    async with (
        running(tmp_path, merchants=[merchant]) as simulator,
        provider.connected(f"{simulator.url}/{path}") as connector,
    ):
        shop.core.connectors["indian"] = connector
        manual = {"capture_method": CaptureMethod.MANUAL} if reserves else {}
        payment = await shop.payment(amount=AMOUNT, **manual)
        payment = await shop.submit(payment, connector="indian", method=Method.UPI, instrument="")
        assert payment.status is PaymentStatus.REQUIRES_ACTION
        (attempt,) = await shop.attempts(payment)

        charge = simulator.books.charge_by_key(name, "shop", attempt["id"])
        assert charge is not None
        simulator.act(name, charge.id, "pay")
        await deliver(script, client, simulator)
        payment = await told(shop, payment)
        expected = PaymentStatus.AUTHORIZED if reserves else PaymentStatus.CAPTURED
        assert payment.status is expected
        wanted = ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=ModificationKind.CAPTURE,
            actor="test",
        )
        if reserves:
            payment = (await modify_payment(shop.core, wanted)).payment
            assert payment.status is PaymentStatus.CAPTURED

        refund = replace(wanted, kind=ModificationKind.REFUND, amount=Money(20_000, "INR"))
        await modify_payment(shop.core, refund)
        await deliver(script, client, simulator)
        payment = await shop.read(payment)
        assert payment.refunded == Money(20_000, "INR")
        money = simulator.money(name)["INR"]
        assert (money["charged_minor"], money["refunded_minor"]) == (50_000, 20_000)
        assert await shop.faults() == []


async def deliver(script: Scripted, client: Client, simulator: Any) -> None:
    """Every letter, twice, through our door."""
    await simulator.post_letters()
    for one in (*script.heard, *script.heard):
        kept = {key: value for key, value in one.headers.items() if key.startswith("x-")}
        answer = await client.request("POST", "/providers/indian", headers=kept, content=one.raw)
        assert answer.status == 200, answer.text
    script.heard.clear()


async def told(shop: Shop, payment: Any) -> Any:
    """As it is after a worker has asked: a webhook may say no more than that it should."""
    await shop.age(payment, "1 hour")
    return await shop.sync(payment)
