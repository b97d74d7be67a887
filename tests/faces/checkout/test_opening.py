"""Whose order it is, as the apps of two customers meet it after the shop has made one."""

import json
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

PATH = "/api/v1/payments"


async def an_order(client: Any, demo: Any, **changes: Any) -> dict[str, Any]:
    """As the documented sample of the orders interface makes one."""
    answer = await client.request(
        "POST",
        "/v1/orders:create",
        headers={
            "x-client-id": demo.orders_client_id,
            "x-client-secret": demo.orders_client_secret,
        },
        json={
            "order_id": "tea-77",
            "customer_name": "Alice",
            "customer_email": "alice@example.com",
            "customer_phone": "9999999999",
            "order_amount": 299.99,
            **changes,
        },
    )
    assert answer.status == 200
    made: dict[str, Any] = answer.json()
    return made


async def opening(client: Any, token: str, order: str, subject: str = "Jasmine tea") -> Any:
    headers = {"authorization": f"Bearer {token}"}
    content = json.dumps({"orderId": order, "subject": subject})
    return await client.request("POST", PATH, headers=headers, content=content)


async def test_a_stranger_gets_no_order_by_its_id_and_its_owner_finds_it_untouched(
    client: Any, demo: Any
) -> None:
    made = await an_order(client, demo)

    stranger = await opening(client, demo.other_customer_token, "tea-77", "REFUND PENDING")
    missing = await opening(client, demo.other_customer_token, "tea-78")
    owner = await opening(client, demo.customer_token, "tea-77", "My own words")
    page = await client.request("GET", f"/pay/{made['payment_session_id']}")

    assert (stranger.status, stranger.body) == (404, missing.body)
    assert (owner.status, owner.json()["data"]["subject"]) == (200, "My own words")
    assert page.status == 200
    assert "REFUND" not in page.text
    assert "My own words" not in page.text


async def test_an_order_made_for_bobs_address_is_bobs(client: Any, demo: Any) -> None:
    await an_order(client, demo, customer_email="bob@example.com")

    assert (await opening(client, demo.other_customer_token, "tea-77")).status == 200
    assert (await opening(client, demo.customer_token, "tea-77")).status == 404


async def test_an_order_is_opened_by_its_session_and_named_by_its_id(
    client: Any, demo: Any
) -> None:
    session = (await an_order(client, demo))["payment_session_id"]

    cut = await opening(client, demo.other_customer_token, session[:-1])
    opened = await opening(client, demo.other_customer_token, session)

    assert cut.status == 404
    assert (opened.status, opened.json()["data"]["order"]) == (200, "tea-77")
