"""Settlements over HTTP: what a payment brought, and the payout that brought it."""

import pytest
from tests.faces.orders.paying import paid_by_card

from kassa.settlement.usecases.settlements import close_settlements, record_payout

pytestmark = pytest.mark.anyio


async def test_an_order_shows_the_settlements_that_its_money_is_in(ask, core, demo):
    order_id = await paid_by_card(ask, core, demo)
    before = await ask(f"/pg/orders/{order_id}/settlements")

    [closed] = await close_settlements(core, demo.company_id)
    waiting = (await ask(f"/pg/orders/{order_id}/settlements")).json()
    await record_payout(core, demo.company_id, closed.id, "payout_1")
    await ask(f"/pg/orders/{order_id}/refunds", {"refund_amount": 100})
    await close_settlements(core, demo.company_id)
    first, second = (await ask(f"/pg/orders/{order_id}/settlements")).json()

    assert (before.status, before.json()) == (200, [])
    assert [one["settlement_status"] for one in waiting] == ["closed"]
    assert (first["cf_settlement_id"], first["entity"]) == (closed.id, "settlement")
    assert (first["transfer_utr"], first["settlement_status"]) == ("payout_1", "paid")
    assert first["transfer_time"]
    assert (first["payment_amount"], first["adjustment_amount"]) == (299.99, 0)
    assert first["settlement_amount"] == round(299.99 - first["service_charge"], 2)
    assert (second["payment_amount"], second["adjustment_amount"]) == (0, -100)
    assert second["settlement_status"] == "carried"
