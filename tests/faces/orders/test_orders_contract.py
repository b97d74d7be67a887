"""The orders interface's words, without a server."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from starlette.requests import Request
from tests.faces.orders.bad_requests import BAD_CREATES, GOOD
from tests.faces.orders.samples import (
    BASE_URL,
    CREATED,
    EXPIRES,
    PRINCIPAL,
    a_failed_payment,
    a_paid_payment,
    a_payment,
    an_order,
    golden,
)

from kassa.base.domain.errors import (
    ERRORS,
    RETRYABLE,
    IdempotencyMismatch,
    InvalidRequest,
    KassaError,
    RateLimited,
    Unauthenticated,
)
from kassa.base.domain.lifecycle import FUNDS_MOVED, ModificationStatus, OrderStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.orders import authorization, contract, failures, refunds, resources
from kassa.orders.domain.orders import Module
from kassa.orders.usecases.create_order import CreatedOrder, NewOrder

NOW = datetime(2026, 11, 22, 2, 20, tzinfo=UTC)


def read(body: bytes, request_id: str | None = None) -> NewOrder:
    if len(body) > edge.BODY_LIMIT:
        raise InvalidRequest("the body is larger than the limit", reason="body_too_large")
    wanted = edge.convert(edge.parse_json(body), contract.CreateOrder)
    return contract.read_create(wanted, PRINCIPAL, request_id=request_id, now=NOW)


def told(error: KassaError) -> tuple[int, dict[str, str]]:
    response = failures.write_error(Request({"type": "http"}), error)
    return response.status_code, json.loads(response.body)


def as_json(value: object) -> object:
    return json.loads(edge.to_json(value), parse_float=Decimal)


def test_every_status_and_every_error_has_its_words():
    for table in (
        resources.PAYMENT_WORD,
        resources.PAYMENT_MESSAGE,
        authorization.AUTHORIZATION,
    ):
        assert set(table) == set(PaymentStatus)
    assert set(resources.CLOSED_ORDER_WORD) == set(OrderStatus) - {OrderStatus.ACTIVE}
    words = {*resources.PAYMENT_WORD.values(), *resources.CLOSED_ORDER_WORD.values()}
    assert set(contract.VERDICT) == words
    assert set(failures.FAILURES) == {*ERRORS, KassaError.code}
    assert set(authorization.CLAIM_STATUS) == set(ModificationStatus)
    assert set(refunds.REFUND_STATUS) == set(ModificationStatus)
    readable = {"SUCCESS", "PENDING", "CANCELLED", "ONHOLD"}  # by Cashfree's own client
    assert {*refunds.REFUND_STATUS.values(), refunds.ON_HOLD} == readable
    assert set(refunds.DESCRIPTION) == readable


def test_only_money_that_moved_reads_as_paid():
    for status in PaymentStatus:
        verdict = contract.write_verdict(an_order(), [a_payment(status)])
        assert (verdict.code == "200") == (status in FUNDS_MOVED)
        assert (resources.PAYMENT_WORD[status] == "paid") == (status in FUNDS_MOVED)
        assert resources.write_payment(an_order(), a_payment(status)).is_captured == (
            status in FUNDS_MOVED
        )


def test_the_seeds_create_request_is_read_and_its_answer_written():
    example = golden("create_order")

    wanted = read(json.dumps(GOOD).encode())
    order = an_order(return_url="https://return.url")
    answer = contract.write_created(
        CreatedOrder(order, a_payment(PaymentStatus.CREATED), False), BASE_URL
    )

    assert example["request"] == as_json(GOOD)
    assert wanted.amount == Money(29999, "CNY")
    assert (wanted.customer_name, wanted.customer_email) == ("Alice", "alice@example.com")
    assert wanted.customer_phone == "9999999999"
    assert as_json(answer) == example["answer"]


def test_the_seeds_verify_request_is_read_and_its_answer_written():
    example = golden("verify_payment")

    wanted = edge.convert(example["request"], contract.VerifyPayment)
    verdict = contract.write_verdict(an_order(status=OrderStatus.PAID), [a_paid_payment()])

    assert wanted.order_id == "order_xyz789"
    assert as_json(verdict) == example["answer"]


def test_a_request_with_every_member_is_read_and_shown_again_as_the_order():
    example = golden("create_order_full")

    wanted = read(edge.to_json(example["request"]), request_id="key-1")
    shown = resources.write_order(
        an_order(
            status=OrderStatus.PAID,
            amount=wanted.amount,
            expires_at=wanted.expires_at,
            note=wanted.note,
            tags=wanted.tags,
            return_url=wanted.return_url,
            notify_url=wanted.notify_url,
            payment_methods=wanted.payment_methods,
        ),
        [a_paid_payment()],
        BASE_URL,
    )

    assert wanted.amount == Money(29990, "INR")
    assert (wanted.customer_id, wanted.customer_number) == ("77", 77)
    assert (wanted.request_scope, wanted.request_id) == ("orders.create", "key-1")
    assert wanted.module is Module.RETAIL
    assert as_json(shown) == golden("order")["answer"]
    assert b'"order_amount":299.90,' in edge.to_json(shown)


@pytest.mark.parametrize(
    "name, payment", [("payments_paid", a_paid_payment()), ("payments_failed", a_failed_payment())]
)
def test_a_payment_is_shown_with_every_field_of_the_seed(name, payment):
    shown = [resources.write_payment(an_order(), payment)]

    assert as_json(shown) == golden(name)["answer"]


@pytest.mark.parametrize("what, body, code", BAD_CREATES, ids=[bad[0] for bad in BAD_CREATES])
def test_a_bad_create_is_refused_with_the_name_of_its_fault(what, body, code):
    with pytest.raises(InvalidRequest) as refusal:
        read(body)

    status, said = told(refusal.value)
    assert (status, said["type"], said["code"]) == (400, "invalid_request_error", code)
    assert 0 < len(said["message"]) <= 500


@pytest.mark.parametrize(
    "members",
    [
        {"customer_name": "张　三 O'Neill-Ünal"},
        {"customer_phone": "+91 (999) 999-9999"},
        {"customer_email": "a.b+c@mail.example.co.uk"},
        {"order_amount": 1, "order_currency": "JPY"},
        {"order_amount": 0.001, "order_currency": "KWD"},
        {"order_amount": 92233720368547758.07},
        {"order_meta": {"return_url": "http://[2001:db8::1]:8443/{order_id}?a=b#c"}},
        {"order_meta": {"return_url": "https://shop.example"}},
        {"order_meta": None, "order_tags": None, "customer_details": None, "order_note": None},
        {"order_meta": {}, "order_tags": {}, "customer_details": {}, "order_note": ""},
        {"customer_details": {"org_id": 1001, "customer_id": 4294967295}},
        {"order_expiry_time": "2026-11-22T02:20:01Z"},
        {"order_expiry_time": "2027-11-22T02:20:00+00:00"},
        {"module": "grooming"},
        {"capture_method": "Manual"},
        {"capture_method": None},
    ],
)
def test_unusual_but_right_requests_are_taken(members):
    body = json.dumps(GOOD | members).replace("9.223372036854776e+16", "92233720368547758.07")

    assert read(body.encode()).customer_email


def test_an_amount_is_read_digit_by_digit():
    body = json.dumps(GOOD).replace("299.99", "92233720368547758.07").encode()

    assert read(body).amount == Money(2**63 - 1, "CNY")


def test_the_same_moment_with_another_offset_is_the_same_request():
    bodies = [
        json.dumps(GOOD | {"order_expiry_time": text}).encode()
        for text in ("2026-11-30T10:00:00+05:30", "2026-11-30T04:30:00Z")
    ]

    assert read(bodies[0]) == read(bodies[1])
    assert str(read(bodies[0]).expires_at) == str(EXPIRES)


def test_an_expiry_that_passed_is_left_to_whoever_knows_a_repeat():
    body = json.dumps(GOOD | {"order_expiry_time": "2026-11-22T02:19:00Z"}).encode()

    assert read(body).expires_at == NOW - timedelta(minutes=1)


@pytest.mark.parametrize(
    "headers, key",
    [
        ({}, None),
        ({"idempotency-key": "a"}, "a"),
        ({"x-idempotency-key": "b" * 255}, "b" * 255),
        ({"idempotency-key": "c", "x-idempotency-key": "c"}, "c"),
    ],
)
def test_the_idempotency_key_has_two_names(headers, key):
    assert contract.read_key(headers) == key


@pytest.mark.parametrize(
    "headers",
    [
        {"idempotency-key": ""},
        {"idempotency-key": "a b"},
        {"idempotency-key": "ü"},
        {"idempotency-key": "a" * 256},
        {"idempotency-key": "a", "x-idempotency-key": "b"},
    ],
)
def test_an_unusable_idempotency_key_is_refused(headers):
    with pytest.raises(InvalidRequest) as refusal:
        contract.read_key(headers)

    assert told(refusal.value)[1]["code"] == "idempotency_key_invalid"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-client-id": "a"},
        {"x-client-secret": "a"},
        {"x-client-id": "a", "x-client-secret": ""},
        {"x-client-id": "a\x80", "x-client-secret": "b"},
        {"x-client-id": "a", "x-client-secret": "b" * 5000},
    ],
)
def test_credentials_that_cannot_be_are_refused(headers):
    with pytest.raises(Unauthenticated) as refusal:
        contract.read_credentials(headers)

    status, said = told(refusal.value)
    assert (status, said["type"]) == (401, "authentication_error")


def test_without_an_address_of_its_own_an_order_returns_to_the_cashier():
    created = CreatedOrder(an_order(return_url=""), a_payment(PaymentStatus.CREATED), False)

    answer = contract.write_created(created, BASE_URL)

    assert answer.return_url == "https://pay.example/pay/sess_abc123"


@pytest.mark.parametrize(
    "order_status, statuses, word",
    [
        (OrderStatus.ACTIVE, [], "created"),
        (OrderStatus.ACTIVE, [PaymentStatus.CREATED], "created"),
        (OrderStatus.ACTIVE, [PaymentStatus.REQUIRES_ACTION], "created"),
        (OrderStatus.ACTIVE, [PaymentStatus.PROCESSING, PaymentStatus.FAILED], "pending"),
        (OrderStatus.ACTIVE, [PaymentStatus.FAILED, PaymentStatus.CREATED], "created"),
        (OrderStatus.ACTIVE, [PaymentStatus.FAILED], "failed"),
        (OrderStatus.PAID, [PaymentStatus.CAPTURED, PaymentStatus.FAILED], "paid"),
        (OrderStatus.PAID, [PaymentStatus.SETTLED], "paid"),
        (OrderStatus.EXPIRED, [PaymentStatus.EXPIRED], "expired"),
        (OrderStatus.EXPIRED, [PaymentStatus.CAPTURED], "expired"),
        (OrderStatus.CANCELED, [PaymentStatus.CANCELED], "canceled"),
    ],
)
def test_an_order_reads_as_its_deciding_payment(order_status, statuses, word):
    payments = [a_payment(status) for status in statuses]

    assert resources.order_word(an_order(status=order_status), payments) == word


def test_a_failure_is_told_with_its_reason():
    verdict = contract.write_verdict(an_order(), [a_failed_payment()])

    assert verdict == contract.PaymentVerdict(
        "Payment failed: The card was declined", "402", "failed"
    )


def test_money_that_came_too_late_is_shown_and_said_to_go_back():
    late = a_paid_payment(surplus=True)
    order = an_order(status=OrderStatus.EXPIRED)

    shown = resources.write_payment(order, late)

    assert (shown.payment_status, shown.is_captured) == ("paid", True)
    assert "given back" in shown.payment_message
    assert contract.write_verdict(order, [late]).code == "410"


def test_money_that_came_too_late_is_said_to_have_gone_back_once_it_has():
    late = a_paid_payment(surplus=True, surplus_amount=Money(29990, "INR"))
    back = replace(late, surplus_returned_minor=29990)

    said = [resources.write_payment(an_order(), one).payment_message for one in (late, back)]

    assert said[0].endswith("it is to be given back")
    assert said[1].endswith("it was given back")


def test_a_taken_order_id_is_told_apart_from_a_reused_key():
    taken = IdempotencyMismatch("taken", reason="order_id_taken")
    reused = IdempotencyMismatch("reused")

    assert told(taken)[0] == 409
    assert told(taken)[1]["code"] == "order_already_exists"
    assert told(reused)[0] == 422
    assert told(reused)[1]["type"] == "idempotency_error"


@pytest.mark.parametrize("code", sorted(ERRORS))
def test_only_what_may_be_sent_again_says_so(code):
    response = failures.write_error(Request({"type": "http"}), ERRORS[code]("why"))

    body = json.loads(response.body)
    assert ("help" in body) == ("retry-after" in response.headers) == (code in RETRYABLE)


def test_the_pause_of_a_rate_limit_is_told():
    response = failures.write_error(
        Request({"type": "http"}), RateLimited("slow down", retry_after_seconds=7)
    )

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


def test_times_that_have_not_come_are_null_and_missing_text_is_empty():
    shown = resources.write_payment(an_order(), a_payment(PaymentStatus.CREATED))

    assert shown.payment_time == edge.utc_text(CREATED)
    assert shown.payment_completion_time is shown.authorization.end_time is None
    assert (shown.entity, shown.payment_method, shown.error_details) == ("", [], [])


@pytest.mark.parametrize("beside", [{}, {"order_amount": Decimal("299.990")}])
def test_the_amount_may_be_decimal_text_in_json_too(beside):
    said = {key: value for key, value in GOOD.items() if key != "order_amount"}

    found = contract.with_one_amount({**said, **beside, "order_amount_decimal": "299.99"})

    assert found["order_amount"] == Decimal("299.99")
    assert "order_amount_decimal" not in found
    assert contract.with_one_amount({**GOOD, "order_amount_decimal": None}) == GOOD


@pytest.mark.parametrize(
    "said",
    [
        {"order_amount_decimal": 299.99},
        {"order_amount_decimal": "many"},
        {"order_amount_decimal": "5", "order_amount": Decimal("5.5")},
        {"order_amount_decimal": "5.5", "order_amount": 5},
        {"order_amount_decimal": "5", "order_amount": "5"},
        {"order_amount_decimal": "1", "order_amount": True},
    ],
)
def test_two_amounts_that_are_not_one_are_refused(said):
    with pytest.raises(InvalidRequest) as caught:
        contract.with_one_amount(said)

    assert caught.value.field == "order_amount_decimal"
