"""Orders in the words of the API: created, shown, ended, in every version."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.faces.orders.bad_requests import GOOD
from tests.faces.orders.strictness import ALL, INTEGER_IDS, STRING_IDS, check_error, check_order
from tests.faces.orders.versioned import ORDER, Merchant

pytestmark = pytest.mark.anyio


@pytest.fixture
def merchant(client, headers):
    return Merchant(client, headers)


def ahead(**period):
    return (datetime.now(UTC) + timedelta(**period)).isoformat()


@pytest.mark.parametrize("version", ALL)
async def test_an_order_reads_as_the_clients_of_that_version_expect(client, headers, version):
    merchant = Merchant(client, headers, version)

    made = await merchant.order(order_id="tea-1", order_note="two tins", order_tags={"shop": "a"})
    shown = await merchant.ask("GET", "/pg/orders/tea-1")

    assert check_order(version, shown.json()) == made
    assert (made["order_status"], made["order_amount"]) == ("ACTIVE", 10.15)
    assert made["order_tags"] == {"shop": "a"}
    assert shown.headers["x-api-version"] == version


async def test_every_member_comes_back(merchant):
    customer = {
        "customer_id": "cust_77",
        "customer_phone": "+919000090000",
        "customer_name": "Alice",
        "customer_email": "alice@example.com",
        "customer_bank_account_number": "1518121112",
        "customer_bank_ifsc": "CITI0000001",
        "customer_bank_code": 3333,
        "customer_uid": "uid_1",
    }
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    made = await merchant.order(
        customer_details=customer,
        order_meta={
            "return_url": "https://shop.example/r?o={order_id}",
            "notify_url": "https://shop.example/news",
            "payment_methods": "cc,dc",
        },
        order_expiry_time=expires.isoformat(),
        cart_details={"cart_name": "tea"},
    )

    masked = {"customer_bank_account_number": "XXXXXXXX12", "customer_phone": "9000090000"}
    assert made["customer_details"] == customer | masked
    assert made["order_meta"]["return_url"] == "https://shop.example/r?o={order_id}"
    assert made["order_meta"]["payment_methods"] == "cc,dc"
    assert datetime.fromisoformat(made["order_expiry_time"]) == expires


async def test_an_order_of_another_interface_can_be_read_by_every_client(client, headers, ask):
    """Its customer's number and phone are of shapes that the clients refuse."""
    details = {"customer_id": 7}
    order_id = (
        await ask("/v1/orders:create", GOOD | {"customer_details": details, "customer_name": "Al"})
    ).json()["order_id"]
    for version in ALL:
        shown = await Merchant(client, headers, version).ask("GET", f"/pg/orders/{order_id}")
        customer = check_order(version, shown.json())["customer_details"]

        assert (customer is None) == (version == INTEGER_IDS)
        assert customer is None or customer["customer_id"] is None


BAD = [
    ({"order_amount": None}, "order_amount_invalid"),
    ({"order_amount": "10"}, "order_amount_invalid"),
    ({"order_amount": 0.99}, "order_amount_invalid"),
    ({"order_amount": 10.155}, "order_amount_invalid"),
    ({"order_amount": 1_000_000.01}, "order_amount_invalid"),
    ({"order_currency": "XXZ"}, "order_currency_invalid"),
    ({"order_id": "ab"}, "order_id_invalid"),
    ({"order_id": "a" * 46}, "order_id_invalid"),
    ({"order_id": "a b c"}, "order_id_invalid"),
    ({"order_note": "ab"}, "order_note_invalid"),
    ({"order_tags": {f"t{n}": "x" for n in range(11)}}, "order_tags_invalid"),
    ({"order_tags": {"a": ""}}, "order_tags_invalid"),
    ({"order_tags": {"capture_method": "later"}}, "order_tags_invalid"),
    (
        {"capture_method": "automatic", "order_tags": {"capture_method": "manual"}},
        "order_tags_invalid",
    ),
    ({"order_splits": [{"vendor_id": "v", "amount": 1}]}, "order_splits_invalid"),
    ({"order_meta": {"return_url": "shop"}}, "return_url_invalid"),
    ({"order_meta": {"return_url": "https://shop.example/" + "x" * 250}}, "return_url_invalid"),
    ({"order_meta": {"notify_url": "http://shop.example/news"}}, "notify_url_invalid"),
    ({"order_expiry_time": "tomorrow"}, "order_expiry_time_invalid"),
    ({"order_expiry_time": "2026-12-01T10:00:00"}, "order_expiry_time_invalid"),
    ({"customer_details": {"customer_id": "cust_77"}}, "customer_phone_missing"),
    ({"customer_details": {"customer_phone": "9000090000"}}, "customer_id_missing"),
]


@pytest.mark.parametrize("change, code", BAD, ids=lambda part: str(part)[:40])
async def test_what_cannot_be_an_order_is_refused_by_the_members_name(merchant, change, code):
    answer = await merchant.ask("POST", "/pg/orders", ORDER | change)

    assert (answer.status, answer.json()["code"]) == (400, code)
    assert answer.json()["type"] == "invalid_request_error"
    assert answer.json()["message"].startswith(f"{code.rpartition('_')[0]} : ")


@pytest.mark.parametrize("member", ["order_amount", "order_currency", "customer_details"])
async def test_what_is_missing_is_named(merchant, member):
    said = {name: value for name, value in ORDER.items() if name != member}

    answer = await merchant.ask("POST", "/pg/orders", said)

    assert (answer.status, answer.json()["code"]) == (400, f"{member}_missing")


@pytest.mark.parametrize("phone", ["12345", "900009000", "90000900001", "+1", "9000-90000"])
async def test_a_phone_number_has_ten_digits_or_a_plus(merchant, phone):
    customer = ORDER["customer_details"] | {"customer_phone": phone}

    answer = await merchant.ask("POST", "/pg/orders", ORDER | {"customer_details": customer})

    assert answer.json()["code"] == "customer_phone_invalid"


@pytest.mark.parametrize(
    "period, right",
    [
        ({"minutes": 14, "seconds": 59}, False),
        ({"minutes": 15, "seconds": 5}, True),
        ({"days": 29, "hours": 23}, True),
        ({"days": 30, "seconds": 5}, False),
        ({"days": -1}, False),
    ],
)
async def test_an_order_expires_in_fifteen_minutes_to_thirty_days(merchant, period, right):
    said = ORDER | {"order_expiry_time": ahead(**period)}

    answer = await merchant.ask("POST", "/pg/orders", said)

    assert answer.status == (200 if right else 400)
    if not right:
        assert answer.json()["code"] == "order_expiry_time_invalid"
        assert "15 minutes" in answer.json()["message"]
        assert "30 days" in answer.json()["message"]


async def test_the_same_order_id_is_refused_even_with_the_same_content(merchant):
    said = ORDER | {"order_id": "tea-2"}
    answers = await asyncio.gather(*(merchant.ask("POST", "/pg/orders", said) for _ in range(10)))
    later = await merchant.ask("POST", "/pg/orders", said, key="another")

    assert sorted(answer.status for answer in answers) == [200] + [409] * 9
    refused = next(answer.json() for answer in answers if answer.status == 409)
    assert (later.status, later.json()) == (409, refused)
    assert refused == {
        "message": "order with same id is already present",
        "code": "order_already_exists",
        "type": "invalid_request_error",
    }


@pytest.mark.parametrize("method, path", [("POST", "/pg/orders"), ("PATCH", "/pg/orders/x")])
@pytest.mark.parametrize(
    "version, code", [("", "request_failed"), ("2021-05-21", "version_invalid")]
)
async def test_a_version_is_needed_and_must_be_served(client, headers, method, path, version, code):
    sent = headers | ({"x-api-version": version} if version else {})

    answer = await client.request(method, path, headers=sent, json=ORDER)

    assert (answer.status, check_error(answer.json())["code"]) == (400, code)
    assert answer.json()["type"] == "invalid_request_error"
    if not version:
        assert answer.json()["message"] == "version is missing in header"


async def test_what_could_be_read_without_a_version_still_can(ask, merchant):
    order = await merchant.order()

    shown = (await ask(f"/pg/orders/{order['order_id']}")).json()

    assert shown["order_status"] == "created"
    assert shown["payments"]["url"].endswith("/payments")
    unknown = await ask(f"/pg/orders/{order['order_id']}", **{"x-api-version": "1999-01-01"})
    assert (unknown.status, unknown.json()["code"]) == (400, "version_invalid")


async def test_every_answer_carries_its_headers(merchant):
    made = await merchant.ask("POST", "/pg/orders", ORDER, key="k-1", **{"x-request-id": "mine"})
    again = await merchant.ask("POST", "/pg/orders", ORDER, key="k-1")
    other = await merchant.ask("POST", "/pg/orders", ORDER | {"order_amount": 11}, key="k-1")
    lost = await merchant.ask("GET", "/pg/orders/nothing")

    assert made.headers["x-request-id"] == "mine"
    assert (made.headers["x-idempotency-key"], again.body) == ("k-1", made.body)
    assert (made.headers["x-idempotency-replayed"], again.headers["x-idempotency-replayed"]) == (
        "false",
        "true",
    )
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")
    assert other.json()["code"] == "request_invalid"
    assert (lost.status, lost.json()["code"]) == (404, "order_not_found")
    assert lost.headers["x-api-version"] == merchant.version
    assert "x-idempotency-key" not in lost.headers


async def test_a_stranger_is_told_so_in_the_apis_words(merchant):
    answer = await merchant.ask("POST", "/pg/orders", ORDER, **{"x-client-secret": "wrong"})

    assert (answer.status, answer.json()) == (
        401,
        {
            "message": "authentication Failed",
            "code": "request_failed",
            "type": "authentication_error",
        },
    )


@pytest.mark.parametrize("version", STRING_IDS)
async def test_an_order_is_terminated_and_takes_no_payment(client, headers, version):
    merchant = Merchant(client, headers, version)
    order = await merchant.order()
    end = {"order_status": "TERMINATED"}

    ended = await merchant.ask("PATCH", f"/pg/orders/{order['order_id']}", end)
    again = await merchant.ask("PATCH", f"/pg/orders/{order['order_id']}", end)
    paid = await merchant.pay(order)

    assert check_order(version, ended.json())["order_status"] == "TERMINATED"
    assert again.body == ended.body
    assert (paid.status, paid.json()["code"]) == (400, "order_inactive")
    assert (await merchant.payment(order))["payment_status"] == "CANCELLED"


async def test_the_oldest_version_has_no_word_for_an_ended_order(client, headers):
    merchant = Merchant(client, headers, INTEGER_IDS)
    order = await merchant.order()

    await merchant.ask("PATCH", f"/pg/orders/{order['order_id']}", {"order_status": "TERMINATED"})

    assert await merchant.status(order) == "EXPIRED"


async def test_only_an_end_can_be_asked_for(merchant):
    order = await merchant.order()
    path = f"/pg/orders/{order['order_id']}"

    wrong = await merchant.ask("PATCH", path, {"order_status": "PAID"})
    empty = await merchant.ask("PATCH", path, {})
    lost = await merchant.ask("PATCH", "/pg/orders/nothing", {"order_status": "TERMINATED"})

    assert (wrong.status, wrong.json()["code"]) == (400, "order_status_invalid")
    assert (empty.status, empty.json()["code"]) == (400, "order_status_missing")
    assert (lost.status, lost.json()["code"]) == (404, "order_not_found")
    assert await merchant.status(order) == "ACTIVE"
