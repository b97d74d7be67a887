"""Money that nobody owed, of which a bank took a part while the rest went back by itself.

Every interface tells the two apart, and none counts what the bank has as refunded.
"""

import json
from typing import Any

import pytest
from tests.faces.test_modes import Asked, Side, signed_inquiry
from tests.faces.test_money_afterwards import (
    HELD,
    LOST,
    Story,
    Told,
    by_key,
    dispute,
    last_letter,
)
from tests.late import late_money
from tests.shop import Shop
from tests.telling import Telling

from kassa.base.domain.lifecycle import DisputeStatus
from kassa.base.domain.money import Money
from kassa.cli.telling import as_text
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.payments.usecases.explain import explain

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("sound_in_the_end")]
D = DisputeStatus
TAKEN = Money(6_000, "CNY")


@pytest.fixture
async def told(shop: Shop, client: Any) -> Told:
    """100.00 came too late; a bank took 60.00 of it, and 40.00 went back."""
    side = Side(shop.core, client, shop.company)
    await side.register()
    letters = {"notify_url": "https://shop.example/hook", "notify_kind": "standard"}
    payment = await late_money(shop, Telling(), face="gateway", **letters)
    await shop.sql("update payment set number = 7, payer = 'ann' where id = $1", payment.id)
    [[page]] = await shop.sql("select session_token from orders where id = $1", payment.order_id)
    await dispute(TAKEN)(shop, payment)
    await return_overpayments(shop.core)
    return Told(side, payment, page, Story(acts=()))


async def test_the_business_face_counts_each_part_once(told: Told) -> None:
    said = (await told.ask(Asked("GET", f"/v1/payment/{told.payment.id}", by_key(told)))).json()

    figures = "refundAmount", "returnedAmount", "disputedAmount", "overpaidAmount", "netAmount"
    assert [said[one]["units"] for one in figures] == ["40", "40", "60", "100", "0"]
    assert said["reversalStatus"] == "DISPUTED"


async def test_the_wallet_tells_what_the_bank_has_beside_what_was_refunded(told: Told) -> None:
    said = (await told.ask(signed_inquiry(told.side, told.payment.id))).json()

    assert said["refundedAmount"] == {"currency": "CNY", "value": "4000"}
    assert said["disputedAmount"] == {"currency": "CNY", "value": "6000"}
    assert json.loads(said["extendInfo"]) == {"detail": HELD.format("60.00 CNY")}


async def test_orders_say_who_gave_what_back(shop: Shop, told: Told) -> None:
    asked = Asked("GET", f"/pg/orders/{told.payment.order_id}/payments", told.side.orders_client)
    [held] = (await told.ask(asked)).json()
    await dispute(TAKEN, D.LOST)(shop, told.payment)
    [lost] = (await told.ask(asked)).json()

    for payment, bank in ((held, HELD), (lost, LOST)):
        assert payment["payment_message"] == (
            "Paid although nothing was owed any more: "
            f"{bank.format('60.00 CNY')}; 40.00 CNY was given back"
        )


async def test_a_rest_that_is_still_to_go_back_is_told_so(shop: Shop, client: Any) -> None:
    side = Side(shop.core, client, shop.company)
    await side.register()
    payment = await late_money(shop, Telling())
    await dispute(TAKEN)(shop, payment)

    told = Told(side, payment, "", Story(acts=()))
    asked = Asked("GET", f"/pg/orders/{payment.order_id}/payments", side.orders_client)
    [said] = (await told.ask(asked)).json()

    assert said["payment_message"].endswith("; the rest is to be given back")


async def test_the_payers_page_has_a_line_for_each(told: Told) -> None:
    page = (await told.ask(Asked("GET", f"/pay/{told.page}/result?lang=en"))).text

    receipt = page.split("<dl", 1)[1]
    given, held = receipt.split("Given back to you", 1)[1], receipt.split("Held by your bank", 1)[1]
    assert "40.00" in given.split("</dd>", 1)[0]
    assert "60.00" in held.split("</dd>", 1)[0]


async def test_the_merchants_letter_counts_each_part_once(told: Told) -> None:
    last = (await last_letter(told.side.core))["data"]

    assert (last["surplus_amount"], last["returned_amount"]) == ("100.00", "40.00")
    assert (last["refunded_amount"], last["disputed_amount"]) == ("0.00", "60.00")
    assert last["taken_back"] == [{"how": "disputed", "amount": "60.00", "currency": "CNY"}]


async def test_explain_tells_who_gave_what_back(shop: Shop, told: Told) -> None:
    story = await explain(shop.core, shop.company.id, told.payment.id)

    assert "of that given back 40.00, of that taken back by the bank 60.00" in as_text(story)
