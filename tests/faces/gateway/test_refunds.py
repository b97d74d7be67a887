"""Refunds of the gateway face: its words, and how a merchant's client meets them."""

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import kassa.faces.gateway
from kassa.base.domain.errors import ERRORS, AmountTooLarge, InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.gateway import contract
from kassa.identity.usecases.companies import NewCompany, add_company, put_api_key
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.payments.domain.modifications import Modification
from kassa.payments.usecases.find_payments import get_payment

EXAMPLES = Path(kassa.faces.gateway.__file__).parent / "examples"
NOW = datetime(2026, 11, 22, 2, 20, 2, tzinfo=UTC)
PATH = "/gateway/payment-requests"
PAID = "4242424242424242"
LOST_ANSWER, NEVER_ARRIVED, REFUSED = "4000000000006025", "4000000000006033", "4000000000006058"
M = ModificationStatus


def a_refund(status: ModificationStatus = M.SUCCEEDED, **changes: Any) -> Modification:
    refund = Modification(
        company_id="cmp_1",
        id="re1_01k3z8m4q5v7x9y2a4b6c8d0ef",
        payment_id="py_01k3z8m4q5v7x9y2a4b6c8d0ef",
        attempt_id="at1_01k3z8m4q5v7x9y2a4b6c8d0ef",
        number=1,
        kind=ModificationKind.REFUND,
        status=status,
        amount=Money(10_050, "CNY"),
        connector="sandbox",
        actor="api_key:1",
        request_scope="gateway.refunds",
        request_id="refund_1",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(refund, **changes)


def refused() -> Modification:
    said = "The bank refused the refund."
    return a_refund(M.FAILED, failure_code="refund_refused", failure_message=said)


def a_request(method: str, end: str = "") -> Request:
    path = f"{PATH}/py_1/refunds{end}"
    return Request({"type": "http", "method": method, "path": path, "headers": []})


def too_much() -> KassaError:
    return AmountTooLarge("300.00 CNY is more than the 299.90 CNY that can still be given back")


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (contract.write_refund(a_refund()), "refund_answer_done.json"),
        (contract.write_refund(a_refund(M.PROCESSING)), "refund_answer_unknown.json"),
        (contract.write_refund(refused()), "refund_answer_failed.json"),
        (contract.write_error(a_request("POST"), too_much()), "refund_answer_refused.json"),
    ],
)
def test_an_answer_is_as_its_example(written: Response, name: str) -> None:
    shown = json.loads(bytes(written.body), object_pairs_hook=list)

    assert shown == json.loads((EXAMPLES / name).read_text(), object_pairs_hook=list)
    assert written.headers["cache-control"] == "no-store"


def test_the_example_request_is_read_digit_by_digit() -> None:
    value = edge.parse_json((EXAMPLES / "refund_request.json").read_bytes())

    wanted = contract.check_refund(edge.convert(value, contract.RefundRequest))

    assert wanted.refundId == "refund_1"
    assert wanted.amount is not None
    assert Money.from_major(wanted.amount, "CNY") == Money(10_050, "CNY")


@pytest.mark.parametrize("status", ModificationStatus)
def test_the_result_is_true_exactly_when_the_money_is_back(status: ModificationStatus) -> None:
    result = contract.refund_of(a_refund(status))

    assert result.refundResult is (status is M.SUCCEEDED)
    assert (result.error is None) is result.refundResult
    assert result.refundId == "refund_1"


def test_what_is_not_known_and_what_is_waiting_are_told_apart() -> None:
    assert set(contract.REFUND_RESULT) == set(ModificationStatus)
    said = [
        contract.refund_of(one).error or ""
        for one in (
            a_refund(M.PROCESSING),
            a_refund(M.PROCESSING, provider_reference="sbx_1"),
            a_refund(M.REQUESTED),
            refused(),
        )
    ]

    kinds = [text.partition(": ")[0] for text in said]
    assert kinds == ["UNKNOWN", "PENDING", "PENDING", "FAILED"]


@pytest.mark.parametrize("code", [*ERRORS, "internal"])
@pytest.mark.parametrize(("method", "end"), [("POST", ""), ("GET", "/refund_1")])
def test_every_error_is_told_in_this_resources_members(code: str, method: str, end: str) -> None:
    error = ERRORS.get(code, KassaError)("a sentence")

    told = contract.write_error(a_request(method, end), error)

    body = json.loads(bytes(told.body))
    assert list(body) == ["refundId", "refundResult", "error"]
    assert (body["refundId"], body["refundResult"]) == (None, False)
    assert body["error"].startswith(f"{code.upper()}: ")
    assert told.status_code == contract.HTTP[code]


@pytest.mark.parametrize("text", ["", "a b", "a/b", "x" * 65, "é", "a\n"])
def test_what_can_be_no_refund_id_names_none_and_makes_none(text: str) -> None:
    with pytest.raises(NotFound):
        contract.read_refund_id(text)
    with pytest.raises(InvalidRequest, match="refundId"):
        contract.check_refund(contract.RefundRequest(refundId=text))


def bearer(demo: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {demo.api_key}"}


async def a_paid_request(client: Any, demo: Any, card: str = PAID, order: str = "order_tea") -> str:
    wanted = {
        "userId": "user_1",
        "orderId": order,
        "amount": 299.9,
        "paymentMethod": "credit card",
        "payerAccount": {"accountType": "card", "accountNumber": card},
        "payeeAccount": {"accountType": "business", "accountNumber": "biz_001"},
    }
    answer = await client.request("POST", PATH, headers=bearer(demo), json=wanted)
    payment_id: str = answer.json()["paymentRequestId"]
    return payment_id


async def refund(client: Any, demo: Any, payment_id: str, **members: Any) -> Any:
    said = {"refundId": "refund_1", **members}
    path = f"{PATH}/{payment_id}/refunds"
    return await client.request("POST", path, headers=bearer(demo), json=said)


async def ask(client: Any, demo: Any, payment_id: str, refund_id: str = "refund_1") -> Any:
    path = f"{PATH}/{payment_id}/refunds/{refund_id}"
    return await client.request("GET", path, headers=bearer(demo))


async def refunded(core: Any, demo: Any, payment_id: str) -> int:
    view = await get_payment(core, demo.company_id, payment_id)
    minor: int = view.payment.refunded.minor
    return minor


@pytest.mark.anyio
async def test_a_part_and_then_all_that_is_left_go_back(core: Any, client: Any, demo: Any) -> None:
    payment_id = await a_paid_request(client, demo)

    part = await refund(client, demo, payment_id, amount=100.5, reason="One cup was broken")
    rest = await refund(client, demo, payment_id, refundId="refund_2")
    more = await refund(client, demo, payment_id, refundId="refund_3")
    payment = await client.request("GET", f"{PATH}/{payment_id}", headers=bearer(demo))

    done = {"refundId": "refund_1", "refundResult": True, "error": None}
    assert (part.status, part.json()) == (200, done)
    assert list(part.json()) == ["refundId", "refundResult", "error"]
    assert (rest.status, rest.json()) == (200, {**done, "refundId": "refund_2"})
    assert (await ask(client, demo, payment_id)).json() == done
    # Guard: what is left, in modifications/domain/refunds.py and by the bounds of the row.
    assert (more.status, more.json()["refundResult"]) == (422, False)
    assert more.json()["error"].startswith("AMOUNT_TOO_LARGE: ")
    assert await refunded(core, demo, payment_id) == 29_990
    assert payment.json() == {"paymentResult": True, "error": None}


@pytest.mark.anyio
async def test_an_id_names_one_refund_for_ever(core: Any, client: Any, demo: Any) -> None:
    payment_id = await a_paid_request(client, demo)
    other = await a_paid_request(client, demo, order="order_cake")

    answers = await asyncio.gather(
        *(refund(client, demo, payment_id, amount=10) for _ in range(10))
    )
    same = await refund(client, demo, payment_id, amount=10.0)
    contradictions = [
        await refund(client, demo, payment_id, amount=11),
        await refund(client, demo, payment_id),
        await refund(client, demo, payment_id, amount=10, reason="another"),
        await refund(client, demo, other, amount=10),
    ]

    # A repeat that arrives while the first is still at the provider is unknown.
    assert {answer.status for answer in answers} == {200}
    assert same.json() == {"refundId": "refund_1", "refundResult": True, "error": None}
    # Guard: the fingerprint of the request (without its amount, or without its payment, this was
    # seen to fail), and the unique index on (scope, id) beneath it.
    for answer in contradictions:
        assert answer.status == 422
        assert answer.json()["error"].startswith("IDEMPOTENCY_MISMATCH: ")
    assert await refunded(core, demo, payment_id) == 1_000
    assert await refunded(core, demo, other) == 0


@pytest.mark.anyio
async def test_many_refunds_at_once_never_give_back_more_than_there_is(
    core: Any, client: Any, demo: Any
) -> None:
    payment_id = await a_paid_request(client, demo)

    answers = await asyncio.gather(
        *(refund(client, demo, payment_id, refundId=f"r_{n}", amount=70) for n in range(12))
    )

    assert Counter(answer.status for answer in answers) == {200: 4, 422: 8}
    assert await refunded(core, demo, payment_id) == 28_000


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("card", "first"), [(LOST_ANSWER, "UNKNOWN"), (NEVER_ARRIVED, "UNKNOWN"), (REFUSED, "FAILED")]
)
async def test_a_refund_is_true_only_when_it_is_certain(
    core: Any, client: Any, demo: Any, card: str, first: str
) -> None:
    payment_id = await a_paid_request(client, demo, card)

    answer = await refund(client, demo, payment_id)
    asked = await ask(client, demo, payment_id)
    other = await refund(client, demo, payment_id, refundId="refund_2", amount=299.9)

    assert (answer.status, answer.json()["refundResult"]) == (200, False)
    assert answer.json()["error"].startswith(f"{first}: ")
    assert asked.json() == answer.json()
    # Guard: what is unknown stays reserved (refund_reserved); else both could go out.
    assert other.status == (422 if first == "UNKNOWN" else 200)
    assert await refunded(core, demo, payment_id) == 0


@pytest.mark.anyio
async def test_a_refund_whose_answer_was_lost_becomes_true_when_the_worker_learns_it(
    core: Any, client: Any, demo: Any
) -> None:
    payment_id = await a_paid_request(client, demo, LOST_ANSWER)
    before = await refund(client, demo, payment_id)

    async with core.db.connection() as connection:
        await connection.execute("update modification set next_query_at = now()")
    await pursue_modifications(core)
    after = await refund(client, demo, payment_id)

    assert before.json()["refundResult"] is False
    assert after.json() == {"refundId": "refund_1", "refundResult": True, "error": None}
    assert (await ask(client, demo, payment_id)).json() == after.json()


@pytest.mark.anyio
async def test_what_was_not_paid_is_not_given_back(core: Any, client: Any, demo: Any) -> None:
    payment_id = await a_paid_request(client, demo, "4000000000000002")

    answer = await refund(client, demo, payment_id)

    assert answer.status == 409
    assert answer.json()["error"].startswith("ILLEGAL_TRANSITION: ")
    assert (await ask(client, demo, payment_id)).status == 404


def sent(**members: Any) -> bytes:
    return json.dumps({"refundId": "refund_1", **members}).encode()


def raw(text: str) -> bytes:
    return b'{"refundId": "refund_1", "amount": %s}' % text.encode()


BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "a list": (b"[]", 400),
    "no id": (b'{"amount": 1}', 400),
    "the id is null": (b'{"refundId": null}', 400),
    "the id is a number": (b'{"refundId": 1}', 400),
    "the id is empty": (sent(refundId=""), 400),
    "the id is too long": (sent(refundId="x" * 65), 400),
    "the id has a slash": (sent(refundId="a/b"), 400),
    "the id has a line end": (sent(refundId="abc\n"), 400),
    "an unknown member": (sent(currency="CNY"), 400),
    "too large": (sent(reason="x" * 70_000), 413),
    "an empty reason": (sent(reason=""), 400),
    "a reason too long": (sent(reason="x" * 129), 400),
    "a reason with NUL": (sent(reason="a\x00"), 400),
    "a reason with half a character": (sent(reason="\ud800"), 400),
    "the amount is a text": (sent(amount="1"), 400),
    "the amount is true": (sent(amount=True), 400),
    "the amount is zero": (raw("0.00"), 400),
    "the amount is negative": (raw("-1"), 400),
    "the amount has too many digits": (raw("1.001"), 400),
    "the amount is a binary fraction's image": (raw("0.30000000000000004"), 400),
    "the amount is a crumb": (raw("1e-7"), 400),
    "the amount is endless": (raw("1e999999999"), 400),
    "the amount is beyond 64 bits": (raw("92233720368547758.08"), 400),
    "the amount is NaN": (raw("NaN"), 400),
}


@pytest.mark.anyio
async def test_every_bad_refund_gets_its_exact_answer(core: Any, client: Any, demo: Any) -> None:
    payment_id, got = await a_paid_request(client, demo), {}
    path = f"{PATH}/{payment_id}/refunds"

    for name, (content, _) in BAD_BODIES.items():
        answer = await client.request("POST", path, headers=bearer(demo), content=content)
        told = answer.json()
        assert (told["refundId"], told["refundResult"]) == (None, False)
        got[name] = (answer.status, told["error"].partition(": ")[0])

    assert got == {name: (status, "INVALID_REQUEST") for name, (_, status) in BAD_BODIES.items()}
    assert await refunded(core, demo, payment_id) == 0


@pytest.mark.anyio
async def test_what_is_not_there_or_not_yours_is_not_found(
    core: Any, client: Any, demo: Any
) -> None:
    payment_id = await a_paid_request(client, demo)
    other_payment = await a_paid_request(client, demo, order="order_cake")
    await refund(client, demo, payment_id, amount=1)
    new = NewCompany(id="cmp_other", business_id="biz_other", name="Other", currency="CNY")
    await put_api_key(core, await add_company(core, new), "sk_other_secret")
    stranger = {"authorization": "Bearer sk_other_secret"}
    address = f"{PATH}/{payment_id}/refunds"

    answers = [
        await ask(client, demo, payment_id, "refund_2"),
        await ask(client, demo, payment_id, "%00"),
        await ask(client, demo, payment_id, "x" * 300),
        await ask(client, demo, other_payment),
        await refund(client, demo, "py_01k3z8m4q5v7x9y2a4b6c8d0ef"),
        await client.request("GET", f"{address}/refund_1", headers=stranger),
        await client.request("POST", address, headers=stranger, content=sent()),
    ]

    assert {answer.status for answer in answers} == {404}
    assert len({answer.body for answer in answers}) == 1
    assert answers[0].json() == {
        "refundId": None,
        "refundResult": False,
        "error": "NOT_FOUND: no such payment request or refund of yours",
    }


ELSEWHERE = [
    ("GET", f"{PATH}/py_1/refunds", "POST"),
    ("DELETE", f"{PATH}/py_1/refunds/refund_1", "GET, HEAD"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("method", "path", "allowed"), ELSEWHERE)
async def test_a_wrong_verb_is_told_in_this_resources_words(
    client: Any, method: str, path: str, allowed: str
) -> None:
    answer = await client.request(method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.json()["refundResult"] is False


@pytest.mark.anyio
async def test_who_shows_no_good_key_gives_nothing_back(core: Any, client: Any, demo: Any) -> None:
    payment_id = await a_paid_request(client, demo)

    for headers in ({}, {"authorization": "Bearer sk_nobody"}):
        address = f"{PATH}/{payment_id}/refunds"
        answer = await client.request("POST", address, headers=headers, content=sent())
        assert (answer.status, answer.json()["refundResult"]) == (401, False)

    assert await refunded(core, demo, payment_id) == 0
