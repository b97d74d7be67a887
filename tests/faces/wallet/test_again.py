"""Saying it again to the wallet: keys beside request ids, and orders that have ended."""

import json
from typing import Any

import pytest
from tests.faces.wallet.calls import PAY, Merchant, an_order, another_client, code, company_of

from kassa.modifications.usecases.cancel_payment import cancel_payment

pytestmark = pytest.mark.anyio


async def pay(merchant: Merchant, key: str, members: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(members).encode()
    return await merchant.send(PAY, body, headers={"Idempotency-Key": key})


async def test_a_key_is_good_for_one_content_of_one_client(merchant: Merchant) -> None:
    asked = an_order()

    first = await pay(merchant, "k-1", asked)
    again = await pay(merchant, "k-1", dict(reversed(asked.items())))
    other = await pay(merchant, "k-1", an_order())
    theirs = await pay(await another_client(merchant, "5X-other"), "k-1", an_order())

    assert code(first) == "S SUCCESS"
    assert again["paymentId"] == first["paymentId"]
    assert code(other) == "F REPEAT_REQ_INCONSISTENT"
    assert code(theirs) == "S SUCCESS"


async def test_a_key_that_is_none_is_refused(merchant: Merchant) -> None:
    assert code(await pay(merchant, "x" * 256, an_order())) == "F PARAM_ILLEGAL"


@pytest.mark.parametrize("key", ["", "k-2"])
async def test_an_ended_order_says_so(merchant: Merchant, key: str) -> None:
    asked = an_order()
    first = await merchant.ask(PAY, asked)
    company = await company_of(merchant)
    await cancel_payment(merchant.core, company.id, first["paymentId"], actor="test")

    again = await (pay(merchant, key, asked) if key else merchant.ask(PAY, asked))

    assert code(again) == "F ORDER_IS_CLOSED"
    assert "redirectActionForm" not in again
