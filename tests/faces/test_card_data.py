"""No interface takes a card's number or security code in a text, and none is stored."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.test_modes import Asked, Side, signed_call
from tests.faces.test_refusals_name_what_was_sent import CALLS, changed, said
from tests.modifying import Obedient
from tests.shop import Shop

from kassa.faces.wallet.contract import FACE

pytestmark = pytest.mark.anyio

CARDS = (
    "4242 4242 4242 4242",
    "see 5555555555554444",
    "４１１１１１１１１１１１１１１１",
    "cvv: 123",
)
TEXTS = {
    "orders": ("customer_name", "order_note", "order_tags.name"),
    "versioned": ("order_note", "order_tags.size", "customer_details.customer_name"),
    "checkout": ("subject", "description"),
    "wallet": ("order.orderDescription",),
}
"""By interface, members that hold what people write."""


@pytest.fixture
async def side(shop: Shop, client: Any) -> Side:
    opened = Side(shop.core, client, shop.company)
    await opened.register()
    return opened


async def stored(shop: Shop) -> str:
    """Everything in the database that somebody may have written."""
    tables = await shop.sql(
        "select table_name from information_schema.tables"
        " where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    rows = [await shop.sql(f"select t::text as said from {one[0]} t") for one in tables]
    return "\n".join(row["said"] for some in rows for row in some)


async def test_a_text_with_card_data_is_refused_by_every_interface(shop: Shop, side: Side) -> None:
    await shop.create(order_id="o-1", customer_id="ann")
    wrong = []
    for name, members in TEXTS.items():
        call = CALLS[name]
        for member, card in [(one, card) for one in members for card in CARDS]:
            status, text = await said(side, call.ask(side, changed(call.good, member, card)))
            refused = '"resultStatus":"F"' in text if name == "wallet" else status == 400
            if not refused or "card" not in text or card in text:
                wrong.append(f"{name} {member}: {status} {text[:200]}")
    assert not wrong, "\n".join(wrong)
    kept = await stored(shop)
    assert not [card for card in CARDS if card in kept]


async def test_a_reason_with_card_data_is_refused_by_every_interface(
    shop: Shop, side: Side
) -> None:
    made = await shop.create(
        face="gateway", request_scope=f"{FACE}.pay:{side.wallet_id}", request_id="R-1"
    )
    payment = await shop.play(made.payment, Obedient())
    key = {"authorization": f"Bearer {side.key}"}
    asks: list[tuple[Callable[[dict[str, Any]], Asked], dict[str, Any], str]] = [
        (
            lambda body: Asked(
                "POST",
                f"/gateway/payment-requests/{payment.id}/refunds",
                key,
                json.dumps(body).encode(),
            ),
            {"refundId": "r-1", "amount": 1},
            "reason",
        ),
        (
            lambda body: Asked(
                "POST",
                f"/pg/orders/{payment.order_id}/refunds",
                side.orders_client,
                json.dumps(body).encode(),
            ),
            {"refund_id": "r-22", "refund_amount": 1},
            "refund_note",
        ),
        (
            lambda body: signed_call(side, "/v1/payments/refund", body),
            {
                "refundRequestId": "r-3",
                "paymentId": payment.id,
                "refundAmount": {"currency": "CNY", "value": "100"},
            },
            "refundReason",
        ),
    ]
    wrong = []
    for ask, good, member in asks:
        for card in CARDS:
            status, text = await said(side, ask({**good, member: card}))
            refused = status == 400 or '"resultStatus":"F"' in text
            if not refused or "card" not in text or card in text:
                wrong.append(f"{member}: {status} {text[:200]}")
    assert not wrong, "\n".join(wrong)
    assert not [card for card in CARDS if card in await stored(shop)]


async def test_an_order_may_have_a_name_of_sixteen_digits(side: Side) -> None:
    call = CALLS["orders"]
    status, text = await said(
        side, call.ask(side, changed(call.good, "order_id", "4242424242424242"))
    )
    assert status == 200, text
