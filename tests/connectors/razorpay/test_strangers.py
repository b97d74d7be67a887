"""What strangers ask for, at every door that needs no credentials, costs the provider nothing; what
the holder of a payment's address asks for, one question in three seconds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import pytest
from tests.asgi import Client
from tests.cashier.shop import FORM, Payer, a_payer
from tests.company import DemoCompany

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.payments.domain.payer_limits import AT_ONCE
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json", "x-api-version": "2023-08-01"}


@dataclass(frozen=True)
class Door:
    """An address that anybody may ask for. `{token}`, `{reference}`: of a payment."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    content: str = ""


UPI = {"payment_method": {"upi": {"channel": "link"}}}
OTP = json.dumps({"action": "SUBMIT_OTP", "otp": "123456"})
LETTER = {"x-razorpay-signature": "0" * 64, "content-type": "application/json"}
TOLD = json.dumps(
    {
        "event": "payment.captured",
        "payload": {"payment": {"entity": {"id": "pay_1", "order_id": "{reference}"}}},
    }
)
DOORS = [
    Door("GET", "/pay/{token}"),
    Door("POST", "/pay/{token}"),
    Door("GET", "/pay/{token}/result"),
    Door("GET", "/pay/{token}/confirm"),
    Door(
        "POST", "/pay/{token}/confirm", FORM, urlencode({"method": "upi", "form_token": "0" * 64})
    ),
    Door("GET", "/providers/rzp/pay/{reference}"),
    Door("GET", "/providers/rzp/paid/{reference}"),
    Door("POST", "/providers/rzp/paid/{reference}", FORM, urlencode({"razorpay_payment_id": "p"})),
    Door("POST", "/providers/rzp", LETTER, TOLD),
    Door("GET", "/providers/rzp"),
    Door("POST", "/pg/orders/sessions", JSON, json.dumps({"payment_session_id": "{token}", **UPI})),
    Door("POST", "/pg/orders/pay/authenticate/{reference}", JSON, OTP),
    Door("GET", "/sandbox/challenge/{reference}"),
    Door("GET", "/gateway/payment-requests/{reference}"),
    Door("GET", "/v1/payment/{reference}"),
    Door("GET", "/api/v1/payments/verify/1"),
    Door("GET", "/api/v1/payments/retry/1"),
    Door("POST", "/v1/payments/inquiryPayment", JSON, json.dumps({"paymentId": "{reference}"})),
]


async def knock(client: Client, door: Door, *, token: str, reference: str) -> int:
    def filled(text: str) -> str:
        return text.replace("{token}", token).replace("{reference}", reference)

    answer = await client.request(
        door.method, filled(door.path), headers=door.headers, content=filled(door.content)
    )
    return answer.status


async def waiting(core: Core, payer: Payer) -> Payment:
    """The payment, once its payer is awaited at Razorpay."""
    submission = Submission(
        company_id=payer.company_id,
        payment_id=payer.payment_id,
        method=Method.UPI,
        connector="rzp",
        instrument="",
        instrument_shown="",
        actor="payer",
        return_url=core.policy.base_url,
    )
    payment = await submit_payment(core, submission)
    assert payment.status is PaymentStatus.REQUIRES_ACTION
    return payment


@pytest.fixture
async def payer(
    core: Core, client: Client, demo: DemoCompany, razorpay: RazorpayConnector
) -> Payer:
    core.connectors["rzp"] = razorpay
    return await a_payer(core, client, demo, amount=Money(50_000, "INR"))


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
async def test_a_stranger_costs_the_provider_nothing(
    payer: Payer, core: Core, client: Client, simulator: Simulator, door: Door
) -> None:
    await waiting(core, payer)
    before = len(simulator.calls())
    for number in range(12):
        status = await knock(
            client, door, token=f"sess_1z{number:042}", reference=f"order_{number:014}"
        )
        assert status < 500, status
    assert len(simulator.calls()) == before


async def test_all_doors_of_an_open_payment_together_cost_one_question(
    payer: Payer, core: Core, client: Client, simulator: Simulator
) -> None:
    payment = await waiting(core, payer)
    token = payer.place.removeprefix("/pay/")
    await payer.open()
    before = len(simulator.calls())  # the one question was asked just now
    for _ in range(2):
        for door in DOORS:
            await knock(client, door, token=token, reference=payment.provider_reference)
    assert len(simulator.calls()) == before


async def test_a_payer_who_tries_again_and_again_is_slowed_down(
    payer: Payer, client: Client, simulator: Simulator
) -> None:
    """Each change of mind is another attempt, and a call to the provider."""
    ways = ["upi", "card_page"] * 7
    seen = [(await payer.confirm(method=way)).status for way in ways]
    assert set(seen[:AT_ONCE]) == {200}
    assert set(seen[AT_ONCE:]) == {429, 200}  # the page that stands open is opened again
    assert len(simulator.calls(operation="prepare")) == AT_ONCE

    content = {"payment_session_id": payer.place.removeprefix("/pay/")}
    for method in ("upi", "netbanking"):
        way = {"payment_method": {method: {"channel": "link"}}}
        await client.request("POST", "/pg/orders/sessions", headers=JSON, json=content | way)
    assert len(simulator.calls(operation="prepare")) == AT_ONCE
