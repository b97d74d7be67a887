"""Capture and void over HTTP: each once, in the seed's words, on wallet balances and cards."""

import asyncio
import json
from collections import Counter

import pytest
from tests.faces.orders.bad_requests import GOOD
from tests.faces.orders.paying import (
    an_order,
    paid_in_cash,
    reserved,
    reserved_in_wallet,
    the_payment,
)

pytestmark = pytest.mark.anyio

CAPTURE, VOID = {"action": "CAPTURE"}, {"action": "VOID"}


def at(order_id: str) -> str:
    return f"/pg/orders/{order_id}/authorization"


def told(answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.mark.parametrize("reserve", [reserved, reserved_in_wallet])
async def test_what_is_reserved_is_pending_until_it_is_captured(ask, core, demo, reserve):
    order_id = await reserve(ask, core, demo)
    [held] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    order = (await ask(f"/pg/orders/{order_id}")).json()

    answer = await ask(at(order_id), CAPTURE)
    captured = answer.json()
    [shown] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    verdict = (await ask("/v1/orders:verify", {"order_id": order_id})).json()

    assert (order["order_status"], held["payment_status"]) == ("pending", "pending")
    assert (held["is_captured"], held["payment_amount"]) == (False, 0)
    assert held["payment_message"] == "Funds are reserved"
    assert (held["authorization"]["action"], held["authorization"]["status"]) == (
        "authorize",
        "success",
    )
    assert held["authorization"]["approve_by"] == held["authorization"]["end_time"]
    assert answer.status == 200
    assert (captured["is_captured"], captured["payment_amount"]) == (True, 299.99)
    authorization = captured["authorization"]
    assert (authorization["action"], authorization["status"]) == ("capture", "success")
    assert authorization["captured_amount"] == 299.99
    assert all(authorization.values()), "every member says something"
    assert captured == shown
    assert verdict["code"] == "200"


async def test_a_part_is_captured_and_the_rest_let_go(ask, core, demo):
    order_id = await reserved_in_wallet(ask, core, demo)

    captured = (await ask(at(order_id), CAPTURE | {"amount": 100})).json()
    payment = await the_payment(core, demo, order_id)

    assert (captured["payment_amount"], captured["payment_status"]) == (100, "paid")
    assert captured["authorization"]["captured_amount"] == 100
    assert captured["order_amount"] == 299.99
    assert "the rest was let go" in captured["payment_message"]
    assert (payment.captured.minor, payment.released_minor) == (10_000, 19_999)


async def test_parts_may_be_captured_until_the_last(ask, core, demo):
    order_id = await reserved(ask, core, demo)
    part = CAPTURE | {"amount": 100, "is_last_capture": False}

    one = (await ask(at(order_id), part)).json()
    two = (await ask(at(order_id), part)).json()
    rest = (await ask(at(order_id), CAPTURE)).json()
    none = await ask(at(order_id), part)

    assert [body["payment_amount"] for body in (one, two, rest)] == [100, 200, 299.99]
    assert "199.99 CNY is still reserved" in one["payment_message"]
    assert rest["payment_message"] == "Payment successful"
    assert told(none) == (400, "order_already_captured")


async def test_what_was_not_captured_in_parts_may_be_let_go(ask, core, demo):
    order_id = await reserved(ask, core, demo)
    await ask(at(order_id), CAPTURE | {"amount": 100, "is_last_capture": False})

    freed = await ask(at(order_id), VOID)

    authorization = freed.json()["authorization"]
    assert (authorization["action"], authorization["status"]) == ("void", "success")
    assert (freed.json()["payment_amount"], freed.json()["is_captured"]) == (100, True)
    payment = await the_payment(core, demo, order_id)
    assert (payment.held.minor, payment.released_minor) == (0, 19_999)


@pytest.mark.parametrize("reserve", [reserved, reserved_in_wallet])
async def test_a_void_lets_go_and_fails_the_payment(ask, core, demo, reserve):
    order_id = await reserve(ask, core, demo)

    answer = await ask(at(order_id), VOID)
    voided = answer.json()

    assert answer.status == 200
    assert (voided["payment_status"], voided["is_captured"]) == ("failed", False)
    authorization = voided["authorization"]
    assert (authorization["action"], authorization["status"]) == ("void", "success")
    assert authorization["captured_amount"] == 0
    assert all(authorization[name] for name in authorization if name != "captured_amount")
    order = (await ask(f"/pg/orders/{order_id}")).json()
    assert order["order_status"] == "canceled"


async def test_a_capture_and_a_void_exclude_each_other_and_themselves(ask, core, demo):
    captured = await reserved_in_wallet(ask, core, demo)
    voided = await reserved_in_wallet(ask, core, demo)
    await ask(at(captured), CAPTURE | {"amount": 100})
    await ask(at(voided), VOID)

    refused = [
        told(await ask(at(order_id), said))
        for order_id in (captured, voided)
        for said in (CAPTURE, VOID)
    ]

    assert refused == [
        (400, "order_already_captured"),
        (400, "order_already_captured"),
        (400, "order_id_voided"),
        (400, "order_id_voided"),
    ]


async def test_more_than_is_reserved_is_refused_and_nothing_is_taken(ask, core, demo):
    order_id = await reserved_in_wallet(ask, core, demo)

    refused = await ask(at(order_id), CAPTURE | {"amount": 300})

    assert told(refused) == (400, "amount_invalid")
    assert "299.99 CNY" in refused.json()["message"]
    assert (await the_payment(core, demo, order_id)).captured.minor == 0


async def test_what_reserves_nothing_has_nothing_to_capture(ask, core, demo):
    fresh = await an_order(ask, capture_method="manual")
    paid = await paid_in_cash(ask, core, demo)

    assert told(await ask(at(fresh), CAPTURE)) == (400, "order_not_authorized")
    assert told(await ask(at(paid), CAPTURE)) == (400, "order_already_captured")
    assert told(await ask(at(paid), VOID)) == (400, "order_already_captured")
    assert told(await ask(at("order_of_nobody"), VOID)) == (404, "order_not_found")


@pytest.mark.parametrize("name", ["x-idempotency-key", "idempotency-key"])
async def test_a_key_is_good_for_one_capture(ask, core, demo, name):
    order_id = await reserved(ask, core, demo)
    other_order = await reserved(ask, core, demo)
    said, key = CAPTURE | {"amount": 100, "is_last_capture": False}, {name: "k-1"}

    first = await ask(at(order_id), said, **key)
    again = await ask(at(order_id), said, **key)
    # Guard: the fingerprint in modifications/usecases/modify_payment.py. Without its amount, or
    # without its payment, this was seen to fail.
    amount = await ask(at(order_id), said | {"amount": 101}, **key)
    action = await ask(at(order_id), VOID, **key)
    order = await ask(at(other_order), said, **key)

    assert first.status == again.status == 200
    assert first.body == again.body
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (
        None,
        "true",
    )
    for refused in (amount, action, order):
        assert told(refused) == (422, "request_invalid")
        assert refused.json()["type"] == "idempotency_error"
    assert (await the_payment(core, demo, order_id)).captured.minor == 10_000


@pytest.mark.parametrize("keyed", [True, False])
async def test_of_many_captures_at_once_exactly_one_takes_the_money(ask, core, demo, keyed):
    order_id = await reserved(ask, core, demo)

    answers = await asyncio.gather(
        *(
            ask(at(order_id), CAPTURE | {"amount": 100}, **{"idempotency-key": f"k-{n}"})
            if keyed
            else ask(at(order_id), CAPTURE | {"amount": 100})
            for n in range(20)
        )
    )

    # Guard: one at a time, in modifications/domain/captures.py and by an index beneath it.
    assert Counter(answer.status for answer in answers)[200] == 1
    assert {told(answer) for answer in answers if answer.status != 200} <= {
        (409, "request_in_progress"),
        (400, "order_already_captured"),
    }
    payment = await the_payment(core, demo, order_id)
    assert (payment.captured.minor, payment.held.minor) == (10_000, 0)


async def test_a_capture_against_a_void_has_one_winner(ask, core, demo):
    order_id = await reserved(ask, core, demo)

    answers = await asyncio.gather(*(ask(at(order_id), said) for said in (CAPTURE, VOID) * 5))

    assert Counter(answer.status for answer in answers)[200] == 1
    payment = await the_payment(core, demo, order_id)
    assert sorted((payment.captured.minor, payment.released_minor)) == [0, 29_999]


async def test_a_capture_whose_answer_was_lost_is_pending_and_a_repeat_learns_it(ask, core, demo):
    order_id = await reserved(ask, core, demo, "capture_lost_answer")
    key = {"x-idempotency-key": "k-1"}

    first = await ask(at(order_id), CAPTURE, **key)
    again = await ask(at(order_id), CAPTURE, **key)

    authorization = first.json()["authorization"]
    assert first.status == 200
    assert (authorization["action"], authorization["status"]) == ("capture", "pending")
    assert (first.json()["is_captured"], first.json()["payment_status"]) == (False, "pending")
    assert authorization["action_reference"]
    assert again.json()["authorization"]["status"] == "success"
    assert again.json()["is_captured"] is True


async def test_a_capture_that_the_provider_refuses_says_why_and_leaves_the_reservation(
    ask, core, demo
):
    order_id = await reserved(ask, core, demo, "capture_refused")

    refused = (await ask(at(order_id), CAPTURE)).json()
    voided = (await ask(at(order_id), VOID)).json()

    assert refused["authorization"]["status"] == "failed"
    assert refused["payment_status"] == "pending"
    assert refused["error_details"][0]["error_code"]
    assert voided["authorization"]["status"] == "success"


BAD_CHANGES = [
    ("nothing", b"", "request_invalid"),
    ("a list", b"[]", "request_invalid"),
    ("no action", b"{}", "action_missing"),
    ("an unknown member", b'{"action": "VOID", "reason": "x"}', "request_invalid"),
    ("another action", b'{"action": "REFUND"}', "action_invalid"),
    ("an action that is a number", b'{"action": 1}', "action_invalid"),
    ("a member twice", b'{"action": "VOID", "action": "CAPTURE"}', "request_invalid"),
    ("a void of an amount", b'{"action": "VOID", "amount": 1}', "amount_invalid"),
    (
        "a last void",
        b'{"action": "VOID", "is_last_capture": true}',
        "is_last_capture_invalid",
    ),
    (
        "a word for true",
        b'{"action": "CAPTURE", "is_last_capture": "yes"}',
        "is_last_capture_invalid",
    ),
    *(
        (f"an amount of {text}", b'{"action": "CAPTURE", "amount": %s}' % text.encode(), code)
        for text, code in (
            ("0", "amount_invalid"),
            ("0.00", "amount_invalid"),
            ("-1", "amount_invalid"),
            ("1.001", "amount_invalid"),
            ("0.30000000000000004", "amount_invalid"),
            ("1e400", "amount_invalid"),
            ("92233720368547758.08", "amount_invalid"),
            ('"1"', "amount_invalid"),
            ("true", "amount_invalid"),
            ("[]", "amount_invalid"),
            ("NaN", "request_invalid"),
            ("9" * 50, "request_invalid"),
        )
    ),
]


async def test_every_bad_change_is_answered_with_400_and_its_code(client, headers, ask, core, demo):
    path, answers = at(await reserved_in_wallet(ask, core, demo)), {}

    for what, body, _ in BAD_CHANGES:
        answer = await client.request("POST", path, headers=headers, content=body)
        assert set(answer.json()) == {"message", "code", "type"}, what
        answers[what] = told(answer)

    assert answers == {what: (400, code) for what, _, code in BAD_CHANGES}


async def test_null_is_absent_and_an_action_may_be_written_small(ask, core, demo):
    order_id = await reserved_in_wallet(ask, core, demo)

    said = {"action": "capture", "amount": None, "is_last_capture": None}
    answer = await ask(at(order_id), said)

    assert (answer.status, answer.json()["payment_amount"]) == (200, 299.99)


async def test_who_is_not_known_changes_nothing(ask, core, demo, headers):
    order_id = await reserved_in_wallet(ask, core, demo)

    answer = await ask(at(order_id), CAPTURE, **{"x-client-secret": "wrong"})

    assert answer.status == 401
    assert (await the_payment(core, demo, order_id)).captured.minor == 0


@pytest.mark.parametrize("word", ["later", "", "MANUAL "])
async def test_a_capture_method_there_is_not_is_refused(client, headers, word):
    content = json.dumps(GOOD | {"capture_method": word}).encode()
    answer = await client.request("POST", "/v1/orders:create", headers=headers, content=content)

    assert told(answer) == (400, "capture_method_invalid")


async def test_automatic_is_what_no_word_means(ask):
    mine = GOOD | {"order_id": "shop-1"}

    first = await ask("/v1/orders:create", mine)
    again = await ask("/v1/orders:create", mine | {"capture_method": "AUTOMATIC"})
    other = await ask("/v1/orders:create", mine | {"capture_method": "manual"})

    assert again.body == first.body
    assert told(other) == (409, "order_already_exists")
