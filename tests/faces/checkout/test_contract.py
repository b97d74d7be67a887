"""The checkout face's words, without a server: golden shapes, tables, and what is refused."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

import kassa.faces.checkout
from kassa.base.domain.errors import ERRORS, InvalidRequest, KassaError, NotFound, RateLimited
from kassa.base.domain.lifecycle import FUNDS_MOVED, PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.checkout import contract
from kassa.orders.domain.orders import Module
from kassa.payments.domain.payments import Payment

EXAMPLES = Path(kassa.faces.checkout.__file__).parent / "examples"
SAMPLE_TIME = datetime(2019, 4, 19, 15, 31, 20, 807_000, tzinfo=UTC)
PAID_AT = datetime(2026, 11, 22, 2, 21, 40, 500_000, tzinfo=UTC)


def sample_payment() -> Payment:
    """The core's own view of the payment that the documentation prints."""
    nothing = Money(0, "KWD")
    return Payment(
        company_id="cmp_1",
        id="py_1",
        order_id="c3beaaf0-ff02-4adf-b37c-ee41dbc20319",
        business_id="biz_1",
        amount=Money(1_000_123, "KWD"),
        status=PaymentStatus.REQUIRES_ACTION,
        method=None,
        module=Module.RETAIL,
        authorized=nothing,
        captured=nothing,
        refunded=nothing,
        refund_reserved=nothing,
        fee=nothing,
        surplus_amount=nothing,
        payer="test_user_customer_username_0",
        subject="Test Subject",
        description="Test Description",
        number=1,
        face="orders",
        redirect_url="https://openapi.alipaydev.com/gateway.do?XXX=XXX",
        created_at=SAMPLE_TIME,
        updated_at=SAMPLE_TIME,
        expires_at=SAMPLE_TIME,
    )


def paid_payment() -> Payment:
    return replace(
        sample_payment(),
        number=2,
        order_id="order_01k3z8m4q5v7x9y2a4b6c8d0ef",
        amount=Money(29_990, "CNY"),
        status=PaymentStatus.CAPTURED,
        authorized=Money(29_990, "CNY"),
        captured=Money(29_990, "CNY"),
        refunded=Money(0, "CNY"),
        refund_reserved=Money(0, "CNY"),
        fee=Money(0, "CNY"),
        surplus_amount=Money(0, "CNY"),
        description="",
        redirect_url="",
        provider_reference="2026112222001400001000000001",
        created_at=datetime(2026, 11, 22, 2, 20, 2, 56_789, tzinfo=UTC),
        updated_at=PAID_AT,
        captured_at=PAID_AT,
    )


def exactly(body: bytes | str) -> Any:
    """JSON with its member order and the digits of its numbers kept, to compare as printed."""
    return json.loads(
        body,
        object_pairs_hook=lambda pairs: pairs,
        parse_float=lambda text: ("number", text),
        parse_int=lambda text: ("number", text),
    )


def example(name: str) -> Any:
    return exactly((EXAMPLES / name).read_text())


def test_the_documented_payment_comes_out_exactly_as_it_is_printed() -> None:
    written = edge.to_json(contract.write_payment(sample_payment()))

    assert exactly(written) == example("payment.json")


def test_a_paid_payment_comes_out_as_its_example() -> None:
    written = edge.to_json(contract.write_payment(paid_payment()))

    assert exactly(written) == example("payment_confirmed.json")


def test_the_envelope_is_as_its_examples() -> None:
    payment = contract.write_data(contract.write_payment(sample_payment()))
    verified = contract.write_data(True)

    assert exactly(bytes(payment.body)) == example("create_answer.json")
    assert exactly(bytes(verified.body)) == example("verify_answer.json")
    assert payment.headers["cache-control"] == "no-store"


def test_the_example_request_is_read() -> None:
    value = edge.parse_json((EXAMPLES / "create_request.json").read_bytes())

    wanted = contract.check_create(edge.convert(value, contract.CreatePayment))

    assert wanted.orderId == "c3beaaf0-ff02-4adf-b37c-ee41dbc20319"
    assert (wanted.subject, wanted.description) == ("Test Subject", "Test Description")


def test_every_status_has_one_of_the_four_words() -> None:
    assert set(contract.STATUS) == set(PaymentStatus)
    assert set(contract.STATUS.values()) == {"PENDING", "CONFIRMED", "TIMEOUT", "INVALID"}


@pytest.mark.parametrize("status", PaymentStatus)
def test_confirmed_is_said_exactly_when_funds_moved(status: PaymentStatus) -> None:
    written = contract.write_payment(replace(sample_payment(), status=status))

    assert written.confirmed is (status in FUNDS_MOVED)
    assert (written.status == "CONFIRMED") is written.confirmed
    assert written.valid is written.confirmed


def test_surplus_money_is_confirmed_but_not_valid() -> None:
    written = contract.write_payment(replace(paid_payment(), surplus=True))

    assert (written.status, written.confirmed, written.valid) == ("CONFIRMED", True, False)


def refunded(minor: int) -> dict[str, Any]:
    return {"refunded": Money(minor, "CNY")}


SURPLUS = {"surplus": True, "surplus_amount": Money(29_990, "CNY")}


@pytest.mark.parametrize(
    ("changes", "status", "confirmed", "valid"),
    [
        ({}, "CONFIRMED", True, True),
        (refunded(29_989), "CONFIRMED", True, True),
        (refunded(29_990), "INVALID", False, False),
        ({"refund_reserved": Money(29_990, "CNY")}, "CONFIRMED", True, True),
        (SURPLUS, "CONFIRMED", True, False),
        ({**SURPLUS, "surplus_reserved_minor": 29_990}, "CONFIRMED", True, False),
        ({**SURPLUS, "surplus_returned_minor": 29_990}, "INVALID", False, False),
        # Paid a second time, and the second money went back: the first is still there.
        (
            {"surplus_amount": Money(29_990, "CNY"), "surplus_returned_minor": 29_990},
            "CONFIRMED",
            True,
            True,
        ),
        ({"disputed_minor": 29_990}, "INVALID", False, False),
        ({"disputed_minor": 10_000}, "CONFIRMED", True, True),
        ({"disputed_minor": 10_000, **refunded(19_990)}, "INVALID", False, False),
        (
            {"disputed_minor": 29_990, "double_paid_minor": 29_990, **refunded(29_990)},
            "INVALID",
            False,
            False,
        ),
        ({"captured": Money(10_000, "CNY"), "released_minor": 19_990}, "CONFIRMED", True, True),
        (
            {"captured": Money(10_000, "CNY"), "released_minor": 19_990, **refunded(10_000)},
            "INVALID",
            False,
            False,
        ),
    ],
)
@pytest.mark.parametrize("paid", sorted(FUNDS_MOVED))
def test_money_that_has_all_gone_back_confirms_nothing(
    paid: PaymentStatus, changes: dict[str, Any], status: str, confirmed: bool, valid: bool
) -> None:
    payment = replace(paid_payment(), status=paid, **changes)

    written = contract.write_payment(payment)

    assert (written.status, written.confirmed, written.valid) == (status, confirmed, valid)
    assert contract.is_confirmed(payment) is confirmed
    assert written.confirmedAt == "2026-11-22T02:21:40.500+0000"


def test_a_payment_that_was_given_back_comes_out_as_its_example() -> None:
    written = edge.to_json(contract.write_payment(replace(paid_payment(), **refunded(29_990))))

    assert exactly(written) == example("payment_given_back.json")


@pytest.mark.parametrize(
    ("minor", "currency", "printed"),
    [
        (29_990, "CNY", "299.90"),
        (1, "CNY", "0.01"),
        (500, "JPY", "500"),
        (100, "JPY", "100"),
        (1, "KWD", "0.001"),
        (12_345, "CLF", "1.2345"),
        (2**63 - 1, "CNY", "92233720368547758.07"),
    ],
)
def test_an_amount_has_exactly_its_currencys_digits(
    minor: int, currency: str, printed: str
) -> None:
    payment = replace(sample_payment(), amount=Money(minor, currency))

    body = edge.to_json(contract.write_payment(payment))

    assert f'"totalAmount":{printed},'.encode() in body


@pytest.mark.parametrize("code", [*ERRORS, "internal"])
def test_every_error_is_told_in_one_shape(code: str) -> None:
    kind = ERRORS.get(code, KassaError)

    told = contract.write_error(a_request(), kind("a sentence"))

    body = json.loads(bytes(told.body))
    assert told.status_code == contract.HTTP[code]
    assert list(body) == ["data", "error"]
    assert body["data"] is None
    assert body["error"]["code"] == code
    assert told.headers["cache-control"] == "no-store"


def test_the_error_table_has_no_word_that_is_never_said() -> None:
    assert set(contract.HTTP) == {*ERRORS, "internal"}


def test_an_error_is_as_its_example() -> None:
    told = contract.write_error(a_request(), NotFound("payment py_1 of another company"))

    assert exactly(bytes(told.body)) == example("error_answer.json")


def test_who_should_wait_is_told_how_long() -> None:
    told = contract.write_error(a_request(), RateLimited("slow down", retry_after_seconds=7))

    assert (told.status_code, told.headers["retry-after"]) == (429, "7")


def test_who_is_unknown_is_told_how_to_authenticate() -> None:
    told = contract.write_error(a_request(), ERRORS["unauthenticated"]("who?"))

    assert told.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("text", ["1", "42", "9223372036854775807"])
def test_a_positive_integer_is_an_id(text: str) -> None:
    assert contract.read_number(text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        *("0", "-1", "+1", "01", "1.0", "1e3", "abc", "", " 1", "1\n", "１", "9" * 5000),
        *("9223372036854775808", "py_01k3z8m4q5v7x9y2a4b6c8d0ef", "\x00", "retry"),
    ],
)
def test_anything_else_names_no_payment(text: str) -> None:
    with pytest.raises(NotFound):
        contract.read_number(text)


GOOD = {"orderId": "order_1", "subject": "Tea", "description": "Two cups"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"orderId": None}, "orderId"),
        ({"orderId": 7}, "orderId"),
        ({"orderId": ""}, "orderId"),
        ({"orderId": "o" * 65}, "orderId"),
        ({"subject": None}, "subject"),
        ({"subject": ["Tea"]}, "subject"),
        ({"subject": ""}, "subject"),
        ({"subject": " \t"}, "subject"),
        ({"subject": "s" * 257}, "subject"),
        ({"subject": "Tea\x00"}, "subject"),
        ({"subject": "Tea\x1b[31m"}, "subject"),
        ({"subject": "\ud800"}, "subject"),
        ({"description": "d" * 401}, "description"),
        ({"description": 1.5}, "description"),
        ({"description": "\x7f"}, "description"),
        ({"amount": 1}, "amount"),
        ({"descripton": "misspelled"}, "descripton"),
    ],
)
def test_a_bad_member_is_refused_by_name(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        contract.check_create(edge.convert({**GOOD, **change}, contract.CreatePayment))

    assert said in refused.value.message


@pytest.mark.parametrize("member", ["orderId", "subject"])
def test_a_missing_member_is_named(member: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != member}

    with pytest.raises(InvalidRequest, match=member):
        edge.convert(body, contract.CreatePayment)


@pytest.mark.parametrize("text", ["Tea & cake", "茶　と　菓子", "two\nlines", "🍵", "s" * 256])
def test_any_text_people_write_is_a_subject(text: str) -> None:
    body = {**GOOD, "subject": text}

    assert contract.check_create(edge.convert(body, contract.CreatePayment)).subject == text


def test_an_order_id_that_no_order_can_have_is_simply_not_found() -> None:
    with pytest.raises(NotFound):
        contract.check_create(edge.convert({**GOOD, "orderId": "a\x00b"}, contract.CreatePayment))


def a_request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "headers": []})
