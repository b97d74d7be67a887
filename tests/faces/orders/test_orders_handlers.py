"""The orders interface over HTTP, on a real database."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.faces.orders.bad_requests import BAD_CREATES, GOOD
from tests.faces.orders.paying import pay_with_card

from kassa.identity.domain.principals import Business
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.businesses import add_business
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import Recording, record_payment

pytestmark = pytest.mark.anyio


async def test_the_seeds_request_makes_an_order_that_can_be_read_and_paid(ask, core, demo):
    created = await ask("/v1/orders:create", GOOD)
    order_id = created.json()["order_id"]
    order = (await ask(f"/pg/orders/{order_id}")).json()
    [payment] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    pending = await ask("/v1/orders:verify", {"order_id": order_id})
    await record_payment(
        core,
        Recording(
            company_id=demo.company_id, payment_id=payment["id"], method=Method.CASH, actor="till"
        ),
    )
    paid = await ask("/v1/orders:verify", {"order_id": order_id})
    [paid_payment] = (await ask(f"/pg/orders/{order_id}/payments")).json()

    assert created.status == 200
    assert list(created.json()) == [
        "payment_session_id",
        "return_url",
        "order_id",
        "payment_link",
    ]
    assert created.json()["payment_link"] == created.json()["return_url"]
    assert created.json()["return_url"].endswith(f"/pay/{created.json()['payment_session_id']}")
    assert (order["order_status"], order["order_amount"]) == ("created", 299.99)
    assert order["customer_details"]["customer_name"] == "Alice"
    assert payment["payment_status"] == "created"
    assert (pending.status, pending.json()["code"]) == (200, "202")
    assert paid.json() == {"message": "Payment successful", "code": "200", "status": "success"}
    assert (paid_payment["payment_status"], paid_payment["is_captured"]) == ("paid", True)
    assert paid_payment["payment_amount"] == 299.99
    assert (await ask(f"/pg/orders/{order_id}/refunds")).json() == []
    assert (await ask(f"/pg/orders/{order_id}/settlements")).json() == []


async def test_a_declined_card_reads_as_failed_with_its_reason_until_another_pays(ask, core, demo):
    order_id = (await ask("/v1/orders:create", GOOD)).json()["order_id"]
    [payment] = (await ask(f"/pg/orders/{order_id}/payments")).json()

    await pay_with_card(core, demo, payment["id"], "pm_sandbox_declined")
    verdict = (await ask("/v1/orders:verify", {"order_id": order_id})).json()
    [failed] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    await pay_with_card(core, demo, payment["id"], "pm_sandbox_paid")
    paid = (await ask("/v1/orders:verify", {"order_id": order_id})).json()

    assert (verdict["code"], verdict["status"]) == ("402", "failed")
    assert verdict["message"].startswith("Payment failed: ")
    assert failed["error_details"][0]["error_code"] == "card_declined"
    assert paid["code"] == "200"


async def test_verifying_asks_the_provider_that_never_answered(ask, core, demo):
    order_id = (await ask("/v1/orders:create", GOOD)).json()["order_id"]
    [payment] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    before = await pay_with_card(core, demo, payment["id"], "pm_sandbox_paid_but_silent")

    verdict = (await ask("/v1/orders:verify", {"order_id": order_id})).json()

    assert not before.is_paid
    assert verdict["code"] == "200"


async def test_fifty_identical_creates_at_once_make_one_order(ask, core, demo):
    answers = await asyncio.gather(
        *(ask("/v1/orders:create", GOOD, **{"idempotency-key": "k-1"}) for _ in range(50))
    )

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    fresh = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    assert len(fresh) == 1


async def test_a_key_is_good_for_one_content_only(ask):
    key = {"x-idempotency-key": "k-2"}
    first = await ask("/v1/orders:create", GOOD, **key)
    other = await ask("/v1/orders:create", GOOD | {"order_amount": 300}, **key)
    again = await ask("/v1/orders:create", GOOD, **{"idempotency-key": "k-2"})

    assert first.headers.get("idempotent-replayed") is None
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")
    assert "this Idempotency-Key was used" in other.json()["message"]
    assert (again.body, again.headers["idempotent-replayed"]) == (first.body, "true")


async def test_an_order_id_is_good_for_one_content_only(ask):
    mine = GOOD | {"order_id": "shop-1"}
    first = await ask("/v1/orders:create", mine)
    again = await ask("/v1/orders:create", mine)
    other = await ask("/v1/orders:create", mine | {"order_amount": 300})

    assert first.json()["order_id"] == "shop-1"
    assert again.body == first.body
    assert (other.status, other.json()["code"]) == (409, "order_already_exists")


async def test_every_optional_member_comes_back_in_the_order(ask):
    first = (await ask("/v1/orders:create", GOOD)).json()["order_id"]
    org_id = (await ask(f"/pg/orders/{first}")).json()["customer_details"]["org_id"]
    expires = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    said = GOOD | {
        "order_id": "full_1",
        "order_currency": "KWD",
        "order_amount": 1.5,
        "customer_details": {"customer_id": 77, "org_id": org_id},
        "order_meta": {
            "return_url": "https://shop.example/{order_id}",
            "notify_url": "https://shop.example/news",
            "payment_methods": "card",
        },
        "order_expiry_time": expires,
        "order_note": "Gift wrap",
        "order_tags": {"name": "Retail", "age": "New"},
        "module": "MEMBERSHIP",
    }

    created = await ask("/v1/orders:create", said)
    answer = await ask("/pg/orders/full_1")

    assert created.json()["return_url"] == "https://shop.example/{order_id}"
    assert b'"order_amount":1.500,' in answer.body
    order = answer.json()
    assert order["customer_details"]["customer_id"] == 77
    assert order["order_meta"] == said["order_meta"]
    assert order["order_tags"] == said["order_tags"]
    assert order["order_note"] == "Gift wrap"
    assert datetime.fromisoformat(order["order_expiry_time"]) - datetime.fromisoformat(
        expires
    ) < timedelta(milliseconds=1)


async def test_every_bad_create_is_answered_with_400_and_its_code(client, headers):
    told = {}
    for what, body, _ in BAD_CREATES:
        answer = await client.request("POST", "/v1/orders:create", headers=headers, content=body)
        assert set(answer.json()) == {"message", "code", "type"}, what
        assert "Traceback" not in answer.body.decode()
        told[what] = (answer.status, answer.json()["code"])

    assert told == {what: (400, code) for what, _, code in BAD_CREATES}


async def test_what_only_the_core_can_judge_is_refused_in_the_same_words(ask):
    for said, code in (
        ({"order_meta": {"notify_url": "http://169.254.169.254/"}}, "notify_url_invalid"),
        ({"order_meta": {"notify_url": "gopher://shop.example/"}}, "notify_url_invalid"),
        ({"order_expiry_time": "2026-02-01T00:00:00Z"}, "order_expiry_time_invalid"),
    ):
        answer = await ask("/v1/orders:create", GOOD | said)
        assert (answer.status, answer.json()["code"]) == (400, code)


BAD_VERIFIES = [
    ({}, 400, "order_id_missing"),
    ({"order_id": ""}, 400, "order_id_invalid"),
    ({"order_id": 7}, 400, "order_id_invalid"),
    ({"order_id": None}, 400, "order_id_invalid"),
    ({"order_id": "x" * 256}, 400, "order_id_invalid"),
    ({"order_id": "abc", "code": "200"}, 400, "request_invalid"),
    ({"order_id": "order_of_nobody"}, 404, "order_not_found"),
    ({"order_id": "a\0b"}, 400, "order_id_invalid"),
    ({"order_id": "1'; --"}, 404, "order_not_found"),
]


async def test_every_bad_verify_is_refused_with_its_code(ask):
    answers = [await ask("/v1/orders:verify", said) for said, _, _ in BAD_VERIFIES]

    told = [(answer.status, answer.json()["code"]) for answer in answers]
    assert told == [(status, code) for _, status, code in BAD_VERIFIES]


async def test_an_unknown_order_is_not_found_whatever_is_asked_of_it(ask):
    for order_id in ("order_of_nobody", "%00", "%ff", "a%0Ab", "x" * 500):
        for part in ("", "/payments", "/refunds", "/settlements"):
            answer = await ask(f"/pg/orders/{order_id}{part}")
            assert answer.status == 404
            assert answer.json()["code"] == "order_not_found"


WRONG_CREDENTIALS = [
    {"x-client-id": ""},
    {"x-client-secret": ""},
    {"x-client-secret": "wrong"},
    {"x-client-id": "nobody"},
    {"x-client-id": "\x80"},
    {"x-client-secret": "x" * 4096},
]


async def test_wrong_credentials_are_answered_alike_wherever_they_come(ask):
    for wrong in WRONG_CREDENTIALS:
        for path, said in (("/v1/orders:create", GOOD), ("/pg/orders/order_of_nobody", None)):
            answer = await ask(path, said, **wrong)
            assert answer.status == 401
            assert answer.json()["type"] == "authentication_error"


@pytest.mark.parametrize(
    "twice, status, code",
    [
        ("x-client-id", 401, "request_failed"),
        ("x-client-secret", 401, "request_failed"),
        ("idempotency-key", 400, "idempotency_key_invalid"),
        ("x-idempotency-key", 400, "idempotency_key_invalid"),
    ],
)
async def test_a_header_sent_twice_is_refused(ask, headers, twice, status, code):
    value = headers.get(twice, "k-3")

    answer = await ask("/v1/orders:create", GOOD, **{twice: [value, value]})

    assert (answer.status, answer.json()["code"]) == (status, code)


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/v1/orders:create", "POST"),
        ("DELETE", "/pg/orders/x", "GET, HEAD, PATCH"),
        ("PROPFIND", "/pg/orders/x/refunds", "GET, HEAD, POST"),
        ("PUT", "/pg/orders/x/refunds/r", "GET, HEAD"),
        ("GET", "/pg/orders/x/authorization", "POST"),
        ("GET", "/pg/orders/a%2Fb", None),
        ("GET", "/pg/orders/x/", None),
        ("POST", "/v1/orders:create/", None),
        ("GET", "/pg/x%0d%0aX:y", None),
    ],
)
async def test_a_wrong_verb_or_address_is_told_in_this_faces_words(client, method, path, allowed):
    answer = await client.request(method, path)

    told = (404, "order_not_found") if allowed is None else (405, "method_not_allowed")
    assert (answer.status, answer.json()["code"]) == told
    assert answer.json()["type"] == "invalid_request_error"
    assert answer.headers.get("allow") == allowed


@pytest.mark.parametrize("path", ["/v1/orders:create", "/pg/orders"])
async def test_an_order_names_the_business_it_is_for(ask, core, demo, path):
    company = (await authenticate_api_key(core, demo.api_key)).company
    await add_business(core, company, Business("biz_station", "Station"))
    versioned = path.startswith("/pg")
    customer = {"customer_id": "cust_1", "customer_phone": "9999999999"}
    body = {
        "order_amount": 299.99,
        **({"order_currency": "CNY", "customer_details": customer} if versioned else GOOD),
    }
    headers = {"x-api-version": "2025-01-01"} if versioned else {}

    made = await ask(path, {**body, "business_id": "biz_station"}, **headers)
    refused = await ask(path, {**body, "business_id": "biz_nobody"}, **headers)

    assert made.status == 200
    [view] = await payments_of_order(core, demo.company_id, made.json()["order_id"])
    assert view.order.business_id == "biz_station"
    assert (refused.status, refused.json()["code"]) == (400, "business_id_invalid")
