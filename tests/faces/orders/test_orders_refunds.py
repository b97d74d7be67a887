"""Refunds over HTTP: bounded, once per id, in words that Cashfree's own clients can read."""

import asyncio
from collections import Counter

import pytest
from tests.faces.orders.paying import (
    an_order,
    paid_by_card,
    paid_in_cash,
    pay_by_wallet,
    reserved_in_wallet,
    the_payment,
)

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.identity.usecases.authenticate import authenticate_api_key
from kassa.identity.usecases.companies import NewCompany, add_company, put_orders_client
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.wallet.usecases.wallet_users import balance_of

pytestmark = pytest.mark.anyio


def at(order_id: str, refund_id: str = "") -> str:
    return f"/pg/orders/{order_id}/refunds" + (f"/{refund_id}" if refund_id else "")


def told(answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


def asked(amount: object = 100, refund_id: str | None = "refund_1", **members: object):
    said = {"refund_amount": amount, "refund_id": refund_id} | members
    return {name: value for name, value in said.items() if value is not None}


async def test_a_refund_gives_a_part_back_and_can_be_read(ask, core, demo):
    order_id = await an_order(ask)
    before = await balance_of(core, demo.company_id, demo.wallet_user_id, "CNY")
    await pay_by_wallet(core, demo, order_id)

    answer = await ask(at(order_id), asked(100.5, refund_note="torn", refund_speed="INSTANT"))
    refund = answer.json()
    one = await ask(at(order_id, "refund_1"))
    every = await ask(at(order_id))
    [payment] = (await ask(f"/pg/orders/{order_id}/payments")).json()
    order = (await ask(f"/pg/orders/{order_id}")).json()

    assert answer.status == one.status == every.status == 200
    assert b'"refund_amount":100.50,' in answer.body
    assert (refund["refund_status"], refund["refund_type"]) == ("SUCCESS", "MERCHANT_INITIATED")
    assert (refund["entity"], refund["order_id"]) == ("refund", order_id)
    assert (refund["refund_id"], refund["refund_note"]) == ("refund_1", "torn")
    assert refund["cf_payment_id"] == refund["payment_id"] == payment["id"]
    assert isinstance(refund["cf_refund_id"], str)
    assert refund["refund_speed"]["requested"] == "INSTANT"
    assert refund["processed_at"]
    assert every.json() == [refund] == [one.json()]
    assert (payment["payment_status"], payment["payment_amount"]) == ("paid", 299.99)
    assert "100.50 CNY was given back" in payment["payment_message"]
    assert order["order_status"] == "paid"
    after = await balance_of(core, demo.company_id, demo.wallet_user_id, "CNY")
    assert after == before - 29_999 + 10_050


async def test_refunds_add_up_to_what_was_captured_and_not_further(ask, core, demo):
    order_id = await reserved_in_wallet(ask, core, demo)
    await ask(f"/pg/orders/{order_id}/authorization", {"action": "CAPTURE", "amount": 200})

    one = await ask(at(order_id), asked(150, "refund_1"))
    more = await ask(at(order_id), asked(50.01, "refund_2"))
    rest = await ask(at(order_id), asked(50, "refund_2"))
    none = await ask(at(order_id), asked(0.01, "refund_3"))

    assert one.status == rest.status == 200
    # Guard: what is left, in modifications/domain/refunds.py and by the bounds of the row.
    assert told(more) == told(none) == (400, "refund_amount_invalid")
    assert "50.00 CNY" in more.json()["message"]
    assert [item["refund_id"] for item in (await ask(at(order_id))).json()] == [
        "refund_1",
        "refund_2",
    ]


async def test_many_refunds_at_once_never_give_back_more_than_there_is(ask, core, demo):
    order_id = await paid_in_cash(ask, core, demo)

    answers = await asyncio.gather(
        *(ask(at(order_id), asked(70, f"refund_{number}")) for number in range(20))
    )

    assert Counter(answer.status for answer in answers) == {200: 4, 400: 16}
    assert (await the_payment(core, demo, order_id)).refunded == Money(28_000, "CNY")


async def test_an_id_names_one_refund_for_ever(ask, core, demo):
    order_id, other = await paid_in_cash(ask, core, demo), await paid_in_cash(ask, core, demo)
    said = asked(100, refund_note="torn")

    answers = await asyncio.gather(*(ask(at(order_id), said) for _ in range(10)))
    again = await ask(at(order_id), said | {"refund_speed": "STANDARD"})
    refused = [
        await ask(at(order_id), said | {"refund_amount": 100.01}),
        await ask(at(order_id), said | {"refund_note": "broken"}),
        await ask(at(order_id), said | {"refund_speed": "INSTANT"}),
        await ask(at(other), said),
    ]

    assert {answer.status for answer in answers} == {200}
    assert {answer.body for answer in answers} == {again.body}
    assert again.headers["idempotent-replayed"] == "true"
    fresh = [answer for answer in answers if "idempotent-replayed" not in answer.headers]
    assert len(fresh) == 1
    # Guard: the fingerprint of the request (without its amount, or without its payment, this was
    # seen to fail), and the unique index on (scope, id) beneath it.
    assert [told(one) for one in refused] == [(409, "refund_already_exists")] * 4
    assert (await the_payment(core, demo, order_id)).refunded == Money(10_000, "CNY")
    assert (await the_payment(core, demo, other)).refunded.minor == 0


async def test_without_an_id_each_request_is_a_refund_unless_a_key_says_otherwise(ask, core, demo):
    order_id = await paid_in_cash(ask, core, demo)
    said, key = asked(10, None), {"x-idempotency-key": "k-1"}

    made = [(await ask(at(order_id), said)).json()["refund_id"] for _ in range(2)]
    keyed = [await ask(at(order_id), said, **key) for _ in range(2)]
    other = await ask(at(order_id), asked(11, None), **key)

    assert len(set(made)) == 2
    assert keyed[0].body == keyed[1].body
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")
    assert (await the_payment(core, demo, order_id)).refunded == Money(3_000, "CNY")
    for refund_id in [*made, keyed[0].json()["refund_id"]]:
        assert (await ask(at(order_id, refund_id))).json()["refund_id"] == refund_id


async def test_a_key_beside_an_id_stands_for_that_id_only(ask, core, demo):
    order_id, key = await paid_in_cash(ask, core, demo), {"idempotency-key": "k-1"}

    first = await ask(at(order_id), asked(10, "refund_1"), **key)
    again = await ask(at(order_id), asked(10, "refund_1"), **key)
    other = await ask(at(order_id), asked(10, "refund_2"), **key)

    assert first.body == again.body
    assert (other.status, other.json()["type"]) == (422, "idempotency_error")


async def test_what_has_no_money_gives_none_back(ask, core, demo):
    waiting = await an_order(ask)
    held = await reserved_in_wallet(ask, core, demo)

    for order_id in (waiting, held):
        assert told(await ask(at(order_id), asked())) == (400, "order_not_paid")
    assert told(await ask(at("order_of_nobody"), asked())) == (404, "order_not_found")


async def test_a_refund_without_an_answer_is_pending_and_reading_it_asks(ask, core, demo):
    order_id = await paid_by_card(ask, core, demo, "refund_lost_answer")

    pending = await ask(at(order_id), asked())
    too_much = await ask(at(order_id), asked(200, "refund_2"))
    done = await ask(at(order_id, "refund_1"))

    assert (pending.status, pending.json()["refund_status"]) == (200, "PENDING")
    assert pending.json()["processed_at"] is None
    # Guard: what is unknown stays reserved (refund_reserved); else both would fit.
    assert told(too_much) == (400, "refund_amount_invalid")
    assert done.json()["refund_status"] == "SUCCESS"


async def test_a_refused_refund_reads_as_canceled_and_its_amount_is_free_again(ask, core, demo):
    order_id = await paid_by_card(ask, core, demo, "refund_refused")

    refused = await ask(at(order_id), asked(299.99))
    again = await ask(at(order_id), asked(299.99))
    another = await ask(at(order_id), asked(299.99, "refund_2"))

    assert (refused.status, refused.json()["refund_status"]) == (200, "CANCELLED")
    assert refused.json()["status_description"]
    assert refused.json()["processed_at"] is None
    assert again.body == refused.body
    assert another.status == 200


async def test_a_refund_made_elsewhere_is_seen_under_our_id(ask, core, demo):
    order_id = await paid_in_cash(ask, core, demo)
    payment = await the_payment(core, demo, order_id)
    shop = await authenticate_api_key(core, demo.api_key)
    done = await modify_payment(
        core,
        ModifyPayment(
            company_id=shop.company.id,
            payment_id=payment.id,
            kind=ModificationKind.REFUND,
            actor="test",
            request_scope="elsewhere",
            request_id="refund_1",
        ),
    )

    [seen] = (await ask(at(order_id))).json()

    assert seen["refund_id"] == seen["cf_refund_id"] == done.modification.id
    assert (await ask(at(order_id, seen["refund_id"]))).json() == seen
    assert told(await ask(at(order_id, "refund_1"))) == (404, "refund_not_found")


async def test_a_refund_that_is_not_of_this_order_is_not_found(ask, core, demo):
    order_id, other = await paid_in_cash(ask, core, demo), await paid_in_cash(ask, core, demo)
    await ask(at(order_id), asked())

    for path in (
        at(other, "refund_1"),
        at(order_id, "refund_2"),
        at(order_id, "%00"),
        at(order_id, "%ff"),
        at(order_id, "x" * 500),
    ):
        assert told(await ask(path)) == (404, "refund_not_found")


async def test_another_companys_refund_does_not_exist(ask, core, demo):
    order_id = await paid_in_cash(ask, core, demo)
    await ask(at(order_id), asked())
    new = NewCompany(id="cmp_other", business_id="biz_other", name="Other", currency="CNY")
    other = await add_company(core, new)
    await put_orders_client(core, other, "client_other", "secret_other")
    stranger = {"x-client-id": "client_other", "x-client-secret": "secret_other"}

    for path, said in (
        (at(order_id), None),
        (at(order_id, "refund_1"), None),
        (at(order_id), asked(1, "refund_2")),
        (f"/pg/orders/{order_id}/authorization", {"action": "VOID"}),
    ):
        assert told(await ask(path, said, **stranger)) == (404, "order_not_found")


BAD_REFUNDS = [
    ("nothing", b"", "request_invalid"),
    ("no amount", b"{}", "refund_amount_missing"),
    ("an unknown member", b'{"refund_amount": 1, "order_id": "x"}', "request_invalid"),
    ("splits", b'{"refund_amount": 1, "refund_splits": []}', "request_invalid"),
    ("a list", b"[1]", "request_invalid"),
    *(
        (f"an amount of {text}", b'{"refund_amount": %s}' % text.encode(), code)
        for text, code in (
            ("0", "refund_amount_invalid"),
            ("-0.0", "refund_amount_invalid"),
            ("-5", "refund_amount_invalid"),
            ("0.001", "refund_amount_invalid"),
            ("1e-400", "refund_amount_invalid"),
            ("92233720368547758.08", "refund_amount_invalid"),
            ("300", "refund_amount_invalid"),
            ('"1"', "refund_amount_invalid"),
            ("null", "refund_amount_invalid"),
            ("false", "refund_amount_invalid"),
            ("Infinity", "request_invalid"),
        )
    ),
    *(
        (
            f"{member} of {text[:20]}",
            b'{"refund_amount": 1, "%s": %s}' % (member.encode(), text),
            f"{member}_invalid",
        )
        for member, text in (
            ("refund_id", b'""'),
            ("refund_id", b'"ab"'),
            ("refund_id", b'"%s"' % (b"a" * 41)),
            ("refund_id", b'"a/b/c"'),
            ("refund_id", b'"abc\\n"'),
            ("refund_id", b"123"),
            ("refund_note", b'"ab"'),
            ("refund_note", b'"%s"' % (b"a" * 101)),
            ("refund_note", b'"abc\\u0000"'),
            ("refund_note", b'"abc\\u001b"'),
            ("refund_note", b"{}"),
            ("refund_speed", b'"FAST"'),
            ("refund_speed", b'"instant"'),
            ("refund_speed", b"1"),
        )
    ),
]


async def test_every_bad_refund_is_answered_with_400_and_its_code(client, headers, ask, core, demo):
    order_id, answers = await paid_in_cash(ask, core, demo), {}

    for what, body, _ in BAD_REFUNDS:
        answer = await client.request("POST", at(order_id), headers=headers, content=body)
        assert set(answer.json()) == {"message", "code", "type"}, what
        answers[what] = told(answer)

    assert answers == {what: (400, code) for what, _, code in BAD_REFUNDS}
    assert (await the_payment(core, demo, order_id)).modifications == 0


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_an_unusable_key_refunds_nothing(ask, core, demo, key):
    order_id = await paid_in_cash(ask, core, demo)

    answer = await ask(at(order_id), asked(), **{"x-idempotency-key": key})

    assert told(answer) == (400, "idempotency_key_invalid")
    assert (await ask(at(order_id))).json() == []


async def test_amounts_have_the_orders_currencys_digits(ask, core, demo):
    order_id = await paid_in_cash(ask, core, demo, order_currency="KWD", order_amount=1.5)

    answer = await ask(at(order_id), asked(0.001))

    assert b'"refund_amount":0.001,' in answer.body
    assert answer.json()["refund_currency"] == "KWD"
