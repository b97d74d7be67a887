"""No amount without a bound, whichever door it comes in by, and no provider is believed beyond."""

import json
import re
from dataclasses import replace
from importlib.resources import files
from typing import Any

import asyncpg
import grpc.aio
import pytest
from tests.asgi import Client
from tests.company import DemoCompany
from tests.faces.limited import as_client, calling
from tests.faces.orders.bad_requests import GOOD
from tests.faces.wallet.calls import Merchant
from tests.reports import Reporter, line
from tests.shop import Scripted, Shop, paid
from tests.telling import Telling, kept, news, post, waiting

from kassa import assembly
from kassa.base.domain.errors import AmountTooLarge, InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import LARGEST, LARGEST_SUM, Money
from kassa.connectors.base import Captured, ChargeRequest
from kassa.faces.wallet import signature
from kassa.fees.usecases.fees import NewFeeRule, add_fee_rule
from kassa.reconciliation.domain.reports import LineKind
from kassa.reconciliation.usecases.breaks import Adjustment, list_breaks, resolve_break
from kassa.settings import load
from kassa.wallet.usecases.wallet_codes import NewCode, make_agreement
from kassa.wallet.usecases.wallet_users import top_up
from kassa_protos.orders.v1 import orders_pb2

pytestmark = pytest.mark.anyio
CAP = Money(10**12, "CNY")
BEYOND = Money(10**12 + 1, "CNY")
SAID = r"the amount may be at most 10000000000\.00 CNY"


async def test_every_door_of_the_core_says_what_one_amount_may_be_at_most(shop: Shop) -> None:
    user = await shop.user(0)
    company = shop.company.id
    rule = NewFeeRule(company_id=company, kind="payment", currency="CNY", fixed="10000000000.01")
    move = Adjustment(debit="suspense", credit="fee_income", amount=BEYOND)
    doors = {
        "order": shop.create(amount=BEYOND),
        "top-up": top_up(shop.core, company, user, BEYOND),
        "fee rule": add_fee_rule(shop.core, rule),
        "agreement": make_agreement(
            shop.core, NewCode(company_id=company, user_id=user, limit=BEYOND)
        ),
        "adjustment": resolve_break(shop.core, company, "br_1", "words", "clerk", move),
    }
    for door in doors.values():
        with pytest.raises(InvalidRequest, match=SAID) as caught:
            await door
        assert caught.value.reason == "amount_out_of_range"

    assert (await shop.create(amount=CAP)).payment.amount == CAP
    assert await top_up(shop.core, company, user, CAP) == CAP.minor


async def test_a_balance_has_an_end_too(shop: Shop) -> None:
    user = await shop.user(100)
    await shop.sql("update wallet_balance set balance_minor = $1", LARGEST_SUM)

    with pytest.raises(AmountTooLarge, match="no balance is more than"):
        await top_up(shop.core, shop.company.id, user, Money(1, "CNY"))


async def test_an_interface_says_the_bound_in_its_own_words(
    client: Client, demo: DemoCompany
) -> None:
    credentials = {
        "x-client-id": demo.orders_client_id,
        "x-client-secret": demo.orders_client_secret,
        "content-type": "application/json",
    }
    for amount in ("10000000000.01", "92233720368547758.07"):
        body = json.dumps({**GOOD, "order_amount": "@"}).replace('"@"', amount)
        answer = await client.request(
            "POST", "/v1/orders:create", content=body, headers=credentials
        )
        assert answer.status == 400, answer.text
        assert answer.json()["code"] == "order_amount_invalid"
        assert "at most 10000000000.00" in answer.json()["message"]


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/orders:create": ("10000000000.00", {**GOOD, "order_amount": "@"}),
    "/pg/orders": (
        "1 to 1000000",
        {
            "order_amount": "@",
            "order_currency": "CNY",
            "customer_details": {"customer_id": "ann", "customer_phone": "9090407368"},
        },
    ),
    "/gateway/payment-requests": (
        "10000000000.00",
        {
            "userId": "ann",
            "orderId": "order_1",
            "amount": "@",
            "paymentMethod": "UPI",
            "payeeAccount": {"accountType": "bank", "accountNumber": "12345678"},
        },
    ),
}


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("amount", ["92233720368547758.08", "9" * 30, "1e39", "1e300"])
async def test_what_no_number_holds_is_told_the_bound_as_well(
    client: Client, demo: DemoCompany, path: str, amount: str
) -> None:
    most, members = BODIES[path]
    credentials = {
        "x-client-id": demo.orders_client_id,
        "x-client-secret": demo.orders_client_secret,
        "x-api-version": "2023-08-01",
        "authorization": f"Bearer {demo.api_key}",
    }
    body = json.dumps(members).replace('"@"', amount)

    answer = await client.request("POST", path, content=body, headers=credentials)

    assert (answer.status, most in answer.text) == (400, True), answer.text


@pytest.mark.parametrize("value", ["9" * 16, "9" * 17, "9" * 30])
async def test_the_wallet_is_told_the_bound(
    client: Client, core: Any, demo: DemoCompany, value: str
) -> None:
    key = signature.private_key(demo.wallet_private_key_pem)
    merchant = Merchant(client, core, demo.wallet_client_id, key)

    told = await merchant.pay(paymentAmount={"currency": "CNY", "value": value})

    assert told["result"]["resultCode"] == "PARAM_ILLEGAL"
    assert "at most 10000000000.00 CNY" in told["result"]["resultMessage"]


async def test_so_is_who_calls_over_grpc(core: Any, demo: DemoCompany, settings: Any) -> None:
    sent = {**GOOD, "order_amount_decimal": "9" * 30}
    del sent["order_amount"]
    async with calling(core, settings) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary("/kassa.orders.v1.PaymentService/CreateOrder")(
                orders_pb2.CreateOrderRequest(**sent).SerializeToString(),
                metadata=tuple(as_client(demo).items()),
            )

    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "at most 10000000000.00 CNY" in (refused.value.details() or "")


def test_a_setting_says_it_for_each_currency() -> None:
    settings = load({}, {"KASSA_AMOUNT_LIMITS": "KRW=500, CNY=7", "KASSA_AMOUNT_LIMIT_MINOR": "9"})
    policy = assembly.policy_of(settings)
    assert (policy.amount_limits, policy.amount_limit_minor) == ({"KRW": 500, "CNY": 7}, 9)

    for wrong in ("KRW", "XQX=5", "KRW=0", "KRW=1000000000000001", "KRW=1e3", "KRW=-5"):
        with pytest.raises(InvalidRequest, match="amount_limits must be like"):
            load({}, {"KASSA_AMOUNT_LIMITS": wrong})


async def test_a_lower_bound_of_one_currency_leaves_the_others(shop: Shop) -> None:
    shop.core.policy = replace(shop.core.policy, amount_limits={"CNY": 500})

    with pytest.raises(InvalidRequest, match=r"at most 5\.00 CNY"):
        await shop.create(amount=Money(501, "CNY"))
    await shop.create(amount=Money(501, "USD"))


async def test_news_of_an_absurd_amount_becomes_a_work_item(shop: Shop) -> None:
    provider = Telling()
    payment, key = await waiting(shop, provider)
    absurd = Captured(reference="r", amount=Money(10_000, "CNY"), fee=Money(2**62, "CNY"))

    await post(shop, provider.tell(news(key, absurd)))

    assert await kept(shop) == [("beyond_belief", False)]
    [item] = await list_breaks(shop.core, shop.company.id)
    assert "no amount here is more than" in item.details
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING
    await post(shop, provider.tell(news(key)))
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert await shop.faults() == []


async def test_an_answer_with_an_absurd_fee_is_a_doubt_and_no_error(shop: Shop) -> None:
    async def absurd(request: ChargeRequest) -> Captured:
        return replace(paid(request), fee=Money(2**63 - 1, "CNY"))

    payment = await shop.play(await shop.payment(), Scripted(absurd))

    assert payment.status is PaymentStatus.PROCESSING
    [attempt] = await shop.attempts(payment)
    assert attempt["status"] == "in_doubt"


async def test_an_absurd_line_of_a_report_is_put_aside_and_the_others_count(shop: Shop) -> None:
    reporter = Reporter(shop)
    good = await reporter.line_of(await reporter.paid())
    lines = [line(minor=2**62), line(minor=5, fee=2**62), line(LineKind.PAYOUT, -(2**62)), good]

    done = await reporter.send(*lines)

    assert (done.lines, done.matched, done.quarantined) == (4, 1, 3)
    assert done.breaks == {"unreadable": 3}


async def test_the_tables_take_no_amount_beyond_all_settings(shop: Shop) -> None:
    await shop.submit(await shop.payment())
    for table in ("orders", "payment", "attempt"):
        with pytest.raises(asyncpg.CheckViolationError) as caught:
            await shop.sql(f"update {table} set amount_minor = {LARGEST + 1}")
        assert caught.value.constraint_name == f"{table}_amount_minor_most"


async def test_a_table_that_holds_more_already_can_be_migrated_and_goes_on(shop: Shop) -> None:
    payment = await shop.payment()
    script = files("kassa.base.store").joinpath("migrations/0012_amount_bounds.sql").read_text()
    for table, column in re.findall(r"\('(\w+)',\s+'(\w+)',", script):
        await shop.sql(f"alter table {table} drop constraint {table}_{column}_most")
    huge: Any = 9_223_372_036_854_775_807
    await shop.sql("update payment set amount_minor = $1", huge)
    await shop.sql("update orders set amount_minor = $1", huge)

    await shop.connections[0].execute(script)

    await shop.expire(payment)
    assert (await shop.read(payment)).amount.minor == huge
