"""Cancel: what is unpaid ends for good, what is paid stays, what is unknown stays so."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from tests.faces.wallet import golden
from tests.faces.wallet.calls import (
    CANCEL,
    CODE,
    PAY,
    Merchant,
    a_user,
    an_order,
    another_client,
    balance,
    code,
    company_of,
    pay_by_card,
    pay_in_the_cashier,
)

from kassa.base.domain.errors import IllegalTransition
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.usecases.find_payments import get_payment

pytestmark = pytest.mark.anyio


async def test_an_unpaid_payment_is_canceled_for_good_and_its_cashier_closed(
    merchant: Merchant,
) -> None:
    await a_user(merchant, clp=5000)
    members = an_order()
    made = await merchant.ask(PAY, members)
    page = made["redirectActionForm"]["redirectionUrl"].partition("/pay/")[2]

    answer = await merchant.ask(
        CANCEL, golden.filled("cancel_request", paymentId=made["paymentId"])
    )
    await asyncio.sleep(1.1)  # times are told in seconds
    again = await merchant.cancel(paymentRequestId=members["paymentRequestId"])

    assert answer == golden.agreed(golden.read("cancel_answer"), answer)
    assert again == answer
    assert (await merchant.inquire(paymentId=made["paymentId"]))["paymentStatus"] == "CANCELLED"
    assert code(await merchant.ask(PAY, members)) == "F ORDER_IS_CLOSED"
    shown = await merchant.client.request("GET", f"/pay/{page}/result?lang=en")
    assert "This payment was canceled" in shown.text
    with pytest.raises(IllegalTransition):
        await pay_in_the_cashier(merchant, made["paymentId"])
    view = await get_payment(merchant.core, (await company_of(merchant)).id, made["paymentId"])
    assert view.order.status == "canceled"
    assert await balance(merchant) == 5000


async def test_the_payment_id_wins_over_the_request_id(merchant: Merchant) -> None:
    first, second = an_order(), an_order()
    one, two = await merchant.ask(PAY, first), await merchant.ask(PAY, second)

    answer = await merchant.cancel(
        paymentId=one["paymentId"], paymentRequestId=second["paymentRequestId"]
    )

    assert answer["paymentRequestId"] == first["paymentRequestId"]
    assert (await merchant.inquire(paymentId=two["paymentId"]))["paymentStatus"] == "PROCESSING"


async def test_a_paid_payment_is_to_be_refunded_instead(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.pay(paymentAuthCode=CODE))["paymentId"]

    answer = await merchant.cancel(paymentId=payment_id)

    assert code(answer) == "F ORDER_STATUS_INVALID"
    assert "refund" in answer["result"]["resultMessage"]
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "SUCCESS"


@pytest.mark.parametrize("way", ["wallet", "card"])
async def test_what_is_reserved_is_let_go(merchant: Merchant, way: str) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.pay(productCode="51051000101000000012"))["paymentId"]
    if way == "wallet":
        await pay_in_the_cashier(merchant, payment_id)
    else:
        await pay_by_card(merchant, payment_id)

    answer = await merchant.cancel(paymentId=payment_id)
    again = await merchant.cancel(paymentId=payment_id)

    assert code(answer) == "S SUCCESS"
    assert again == answer
    assert await balance(merchant) == 2000
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "CANCELLED"
    assert code(await merchant.capture(payment_id)) == "F AUTH_CANCELLED"


async def test_of_what_was_captured_in_part_nothing_is_canceled(merchant: Merchant) -> None:
    await a_user(merchant, clp=2000)
    payment_id = (await merchant.reserve())["paymentId"]
    await merchant.capture(payment_id, "500", isLastCapture=False)

    assert code(await merchant.cancel(paymentId=payment_id)) == "F ORDER_STATUS_INVALID"
    assert await balance(merchant) == 0


async def test_a_payment_whose_outcome_is_unknown_stays_unknown(merchant: Merchant) -> None:
    payment_id = (await merchant.pay())["paymentId"]
    await pay_by_card(merchant, payment_id, "lost")

    answer = await merchant.cancel(paymentId=payment_id)

    assert code(answer) == "U UNKNOWN_EXCEPTION"
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "PROCESSING"


async def test_the_provider_is_asked_before_a_payment_is_called_canceled(
    merchant: Merchant,
) -> None:
    payment_id = (await merchant.pay())["paymentId"]
    await pay_by_card(merchant, payment_id, "paid_but_silent")

    answer = await merchant.cancel(paymentId=payment_id)

    assert code(answer) == "F ORDER_STATUS_INVALID"
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "SUCCESS"


async def test_a_payer_on_the_providers_page_is_too_late(merchant: Merchant) -> None:
    payment_id = (await merchant.pay())["paymentId"]
    await pay_by_card(merchant, payment_id, "action_needed")

    assert code(await merchant.cancel(paymentId=payment_id)) == "S SUCCESS"
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "CANCELLED"


async def test_what_has_ended_without_money_is_canceled_already(merchant: Merchant) -> None:
    failed = (await merchant.pay(paymentAuthCode="nobody's"))["paymentId"]
    soon = datetime.now(UTC) + timedelta(seconds=0.3)
    expired = (await merchant.pay(paymentExpiryTime=soon.isoformat()))["paymentId"]
    await asyncio.sleep(0.4)
    await expire_orders(merchant.core)

    answers = [await merchant.cancel(paymentId=one) for one in (failed, expired)]
    again = [await merchant.cancel(paymentId=one) for one in (failed, expired)]

    assert [code(one) for one in answers] == ["S SUCCESS"] * 2
    assert again == answers
    assert (await merchant.inquire(paymentId=failed))["paymentStatus"] == "FAIL"


async def test_what_is_unknown_or_anothers_cannot_be_canceled(merchant: Merchant) -> None:
    other = await another_client(merchant, "another-client")
    members = an_order()
    payment_id = (await merchant.ask(PAY, members))["paymentId"]

    answers = [
        await other.cancel(paymentId=payment_id),
        await other.cancel(paymentRequestId=members["paymentRequestId"]),
        await merchant.cancel(paymentId="py_unknown"),
    ]

    assert [code(one) for one in answers] == ["F ORDER_NOT_EXIST"] * 3
    assert (await merchant.inquire(paymentId=payment_id))["paymentStatus"] == "PROCESSING"


async def test_of_canceling_and_paying_at_once_exactly_one_wins(merchant: Merchant) -> None:
    # Guard: `case.close` and `case.start_attempt` judge the status under the order's lock.
    await a_user(merchant, clp=100_000)
    payments = [(await merchant.pay())["paymentId"] for _ in range(20)]

    async def race(number: int, payment_id: str) -> tuple[str, bool]:
        asked = [merchant.cancel(paymentId=payment_id), pay_in_the_cashier(merchant, payment_id)]
        order = asked if number % 2 else asked[::-1]
        done = await asyncio.gather(*order, return_exceptions=True)
        canceled, paid = done if number % 2 else done[::-1]
        assert isinstance(canceled, dict)
        return code(canceled), not isinstance(paid, BaseException)

    outcomes = Counter(await asyncio.gather(*(race(*one) for one in enumerate(payments))))

    won = outcomes["F ORDER_STATUS_INVALID", True]
    assert outcomes["S SUCCESS", False] == 20 - won
    assert await balance(merchant) == 100_000 - 2000 * won
