"""The gateway face's words, without a server: golden shapes, tables, and what is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

import kassa.faces.gateway
from kassa.base.domain.errors import ERRORS, InvalidRequest, KassaError, NotFound
from kassa.base.domain.lifecycle import FUNDS_MOVED, PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.gateway import contract
from kassa.orders.domain.orders import Module
from kassa.payments.domain.payments import Payment

EXAMPLES = Path(kassa.faces.gateway.__file__).parent / "examples"
CASHIER = "https://pay.example.com/pay/sess_1"
NOW = datetime(2026, 11, 22, 2, 20, 2, tzinfo=UTC)


def a_payment(status: PaymentStatus = PaymentStatus.CREATED) -> Payment:
    nothing = Money(0, "CNY")
    return Payment(
        company_id="cmp_1",
        id="py_01k3z8m4q5v7x9y2a4b6c8d0ef",
        order_id="order_2026_0001",
        business_id="biz_1",
        amount=Money(29_990, "CNY"),
        status=status,
        method=None,
        module=Module.RETAIL,
        authorized=nothing,
        captured=nothing,
        refunded=nothing,
        refund_reserved=nothing,
        fee=nothing,
        surplus_amount=nothing,
        face="gateway",
        created_at=NOW,
        updated_at=NOW,
        expires_at=NOW,
    )


def declined() -> Payment:
    return replace(
        a_payment(PaymentStatus.FAILED),
        failure_code="card_declined",
        failure_message="the card was declined",
    )


def a_request(method: str) -> Request:
    return Request({"type": "http", "method": method, "path": "/", "headers": []})


def too_precise() -> KassaError:
    with pytest.raises(InvalidRequest) as refused:
        Money.from_major("1000.123", "CNY")
    return refused.value


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (
            contract.write_created(a_payment(PaymentStatus.CAPTURED), CASHIER),
            "create_answer_paid.json",
        ),
        (contract.write_created(a_payment(), CASHIER), "create_answer_pending.json"),
        (contract.write_created(declined(), CASHIER), "create_answer_failed.json"),
        (
            contract.write_error(a_request("POST"), too_precise()),
            "create_answer_refused.json",
        ),
        (
            contract.write_result(a_payment(PaymentStatus.SETTLED), CASHIER),
            "query_answer_paid.json",
        ),
        (
            contract.write_result(a_payment(PaymentStatus.PROCESSING), CASHIER),
            "query_answer_unknown.json",
        ),
        (
            contract.write_error(a_request("GET"), NotFound("payment py_1 of another company")),
            "query_answer_not_found.json",
        ),
    ],
)
def test_an_answer_is_as_its_example(written: Response, name: str) -> None:
    shown = json.loads(bytes(written.body), object_pairs_hook=list)

    assert shown == json.loads((EXAMPLES / name).read_text(), object_pairs_hook=list)
    assert written.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["create_request.json", "create_request_alipay.json"])
def test_the_example_requests_are_read(name: str) -> None:
    value = edge.parse_json((EXAMPLES / name).read_bytes())

    wanted = contract.check_texts(edge.convert(value, contract.PaymentRequest))

    assert Money.from_major(wanted.amount, "CNY") == Money(29_990, "CNY")


def test_every_status_has_a_result() -> None:
    assert set(contract.RESULT) == set(PaymentStatus)


@pytest.mark.parametrize("status", PaymentStatus)
def test_the_result_is_true_exactly_when_the_money_is_certain(status: PaymentStatus) -> None:
    result = contract.result_of(a_payment(status), CASHIER)

    assert result.paymentResult is (status in FUNDS_MOVED)
    assert (result.error is None) is result.paymentResult


@pytest.mark.parametrize("status", sorted(set(PaymentStatus) - FUNDS_MOVED))
def test_a_program_can_split_what_error_says(status: PaymentStatus) -> None:
    error = contract.result_of(a_payment(status), CASHIER).error or ""

    kind, _, rest = error.partition(": ")
    assert kind in {"PENDING", "UNKNOWN", "FAILED"}
    if kind == "FAILED":
        code, mark, sentence = rest.partition(": ")
        assert code.replace("_", "").isalpha()
        assert mark
        assert sentence


def test_a_payer_who_is_awaited_is_told_where() -> None:
    for status in (PaymentStatus.CREATED, PaymentStatus.REQUIRES_ACTION):
        error = contract.result_of(a_payment(status), CASHIER).error or ""

        assert error.startswith("PENDING: ")
        assert error.endswith(CASHIER)


def test_accepted_and_undecided_is_pending_while_unanswered_is_unknown() -> None:
    unanswered = a_payment(PaymentStatus.PROCESSING)
    accepted = replace(unanswered, provider_reference="ch_1")

    assert (contract.result_of(unanswered, CASHIER).error or "").startswith("UNKNOWN: ")
    assert (contract.result_of(accepted, CASHIER).error or "").startswith("PENDING: ")


def test_surplus_money_is_no_success_and_is_not_hidden_either() -> None:
    late = replace(a_payment(PaymentStatus.CAPTURED), surplus=True)

    result = contract.result_of(late, CASHIER)

    assert result.paymentResult is False
    assert (result.error or "").startswith("FAILED: surplus: the money came")


@pytest.mark.parametrize("code", [*ERRORS, "internal"])
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_every_error_has_the_members_of_its_operation(code: str, method: str) -> None:
    kind = ERRORS.get(code, KassaError)

    told = contract.write_error(a_request(method), kind("a sentence"))

    body = json.loads(bytes(told.body))
    assert told.status_code == contract.HTTP[code]
    assert body.pop("paymentRequestId", None) is None
    assert body.pop("paymentResult") is False
    assert body.pop("error").startswith(f"{code.upper()}: ")
    assert body == {}


def test_the_error_table_has_no_word_that_is_never_said() -> None:
    assert set(contract.HTTP) == {*ERRORS, "internal"}


ACCOUNT = {"accountType": "bank account", "accountNumber": "6222020200112233445"}
GOOD = {
    "userId": "user_1",
    "orderId": "order_1",
    "amount": 10,
    "paymentMethod": "cash",
    "payeeAccount": ACCOUNT,
}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"userId": ""}, "userId"),
        ({"userId": 1}, "userId"),
        ({"userId": "u" * 65}, "userId"),
        ({"userId": "u\x00"}, "userId"),
        ({"userId": "\udc00"}, "userId"),
        ({"orderId": "ab"}, "orderId"),
        ({"orderId": "o" * 46}, "orderId"),
        ({"orderId": "order 1"}, "orderId"),
        ({"orderId": "order_1\n"}, "orderId"),
        ({"amount": "10"}, "amount"),
        ({"amount": True}, "amount"),
        ({"amount": None}, "amount"),
        ({"paymentMethod": 3}, "paymentMethod"),
        ({"payeeAccount": "6222"}, "payeeAccount"),
        ({"payeeAccount": {**ACCOUNT, "iban": "x"}}, "iban"),
        ({"payeeAccount": {"accountType": "bank"}}, "accountNumber"),
        ({"payeeAccount": {"accountNumber": "6222"}}, "accountType"),
        ({"payeeAccount": {**ACCOUNT, "accountType": "4242424242424242"}}, "accountType"),
        ({"payeeAccount": {**ACCOUNT, "accountNumber": "6\x002"}}, "accountNumber"),
        ({"payerAccount": {**ACCOUNT, "accountName": "\x1b"}}, "accountName"),
        ({"payerAccount": []}, "payerAccount"),
        ({"module": "grooming"}, "module"),
        ({"module": "SPA"}, "module"),
        ({"currency": "CNY"}, "currency"),
    ],
)
def test_a_bad_member_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        contract.check_texts(edge.convert({**GOOD, **change}, contract.PaymentRequest))

    assert said in refused.value.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"orderId": "a b"}, "orderId: 3 to 45 letters, digits, _ or - are needed"),
        (
            {"payeeAccount": {**ACCOUNT, "accountType": "4242"}},
            "payeeAccount.accountType: 1 to 32 letters, spaces, _ or - are needed, a letter first",
        ),
    ],
)
def test_what_is_right_is_said_in_words(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        contract.check_texts(edge.convert({**GOOD, **change}, contract.PaymentRequest))

    assert refused.value.message == said


@pytest.mark.parametrize("member", GOOD)
def test_a_missing_member_is_named(member: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != member}

    with pytest.raises(InvalidRequest, match=member):
        edge.convert(body, contract.PaymentRequest)


@pytest.mark.parametrize("text", ["py_01k3z8m4q5v7x9y2a4b6c8d0ef", "x"])
def test_what_looks_like_an_id_is_looked_up(text: str) -> None:
    assert contract.read_request_id(text) == text


@pytest.mark.parametrize("text", ["", "py 1", "py_\x00", "é", "p" * 65, "py_1\n"])
def test_what_cannot_be_an_id_is_not_found(text: str) -> None:
    with pytest.raises(NotFound):
        contract.read_request_id(text)
