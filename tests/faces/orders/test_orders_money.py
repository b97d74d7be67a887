"""What became of the money, in the orders interface's words, without a server."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from starlette.requests import Request
from tests.faces.orders.samples import (
    CHANGED,
    PRINCIPAL,
    RESERVED_UNTIL,
    a_failed_payment,
    a_modification,
    a_paid_payment,
    a_partly_captured_payment,
    a_payment,
    a_refund,
    a_reserved_payment,
    a_share,
    an_order,
    golden,
)

from kassa.base.domain.errors import AmountTooLarge, IllegalTransition
from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
    SettlementStatus,
)
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.orders import (
    authorization,
    changes,
    contract,
    failures,
    refunds,
    resources,
    settlements,
)
from kassa.payments.domain.payments import CaptureMethod

CAPTURE, VOID = ModificationKind.CAPTURE, ModificationKind.VOID
M, S = ModificationStatus, PaymentStatus


def as_json(value: object) -> object:
    return json.loads(edge.to_json(value), parse_float=Decimal)


def test_a_reserved_payment_is_shown_as_its_example():
    shown = [resources.write_payment(an_order(), a_reserved_payment())]

    assert as_json(shown) == golden("payments_authorized")["answer"]


def test_a_capture_is_read_and_answered_as_its_example():
    example = golden("capture")

    wanted = edge.convert(example["request"], changes.ChangeAuthorization)
    asked = changes.read_change(wanted, a_reserved_payment(), PRINCIPAL, "key-1")
    answer = resources.write_payment(
        an_order(status=OrderStatus.PAID),
        a_partly_captured_payment(),
        about=a_modification(CAPTURE),
    )

    assert (asked.kind, asked.amount, asked.is_last) == (CAPTURE, Money(10000, "INR"), True)
    assert (asked.request_scope, asked.request_id) == ("orders.authorization:demo", "key-1")
    assert as_json(answer) == example["answer"]


def test_a_void_is_read_and_answered_as_its_example():
    example = golden("void")
    voided = a_reserved_payment(
        status=S.CANCELED, released_minor=29990, authorization_expires_at=None, modifications=1
    )

    wanted = edge.convert(example["request"], changes.ChangeAuthorization)
    asked = changes.read_change(wanted, a_reserved_payment(), PRINCIPAL, None)
    answer = resources.write_payment(
        an_order(), voided, about=a_modification(VOID, amount=Money(29990, "INR"))
    )

    assert (asked.kind, asked.amount, asked.request_id) == (VOID, None, None)
    assert as_json(answer) == example["answer"]


def test_a_refund_is_read_and_answered_as_its_example():
    example = golden("refund")

    wanted = edge.convert(example["request"], changes.CreateRefund)
    asked = changes.read_refund(wanted, a_paid_payment(), PRINCIPAL, None, "refund_fresh")

    assert (asked.amount, asked.reason) == (Money(10000, "INR"), "One cup was broken")
    assert (asked.request_scope, asked.request_id) == ("orders.refunds", "refund_1")
    assert as_json(refunds.write_refund(an_order(), a_refund())) == example["answer"]


def test_settlements_are_shown_as_their_example():
    shown = settlements.write_settlements(an_order(), [a_paid_payment()], [a_share()])

    assert as_json(shown) == golden("settlements")["answer"]


def test_a_settlements_amounts_add_up_and_its_numbers_are_numbers():
    [shown] = settlements.write_settlements(an_order(), [a_paid_payment()], [a_share()])

    kept = shown.service_charge + shown.service_tax
    assert shown.settlement_amount == shown.payment_amount + shown.adjustment_amount - kept
    assert type(shown.settlement_id) is type(shown.transfer_id) is int


@pytest.mark.parametrize("status", SettlementStatus)
def test_a_transfer_is_told_once_it_has_arrived(status):
    shown = settlements.write_settlements(an_order(), [a_paid_payment()], [a_share(status)])

    assert bool(shown) is (status is not SettlementStatus.OPEN)
    for one in shown:
        arrived = status is SettlementStatus.PAID
        assert one.settlement_status == status.value
        assert (one.transfer_id is not None) is arrived
        assert (one.transfer_time is not None) is arrived


@pytest.mark.parametrize(
    "payment, claim, words",
    [
        (a_payment(S.CREATED), None, ("", "")),
        (a_payment(S.PROCESSING), None, ("capture", "pending")),
        (
            a_payment(S.PROCESSING, capture_method=CaptureMethod.MANUAL),
            None,
            ("authorize", "pending"),
        ),
        (
            replace(a_failed_payment(), capture_method=CaptureMethod.MANUAL),
            None,
            ("authorize", "failed"),
        ),
        (a_failed_payment(), None, ("capture", "failed")),
        (a_paid_payment(), None, ("capture", "success")),
        (a_reserved_payment(), None, ("authorize", "success")),
        (a_reserved_payment(), a_modification(CAPTURE, status=M.REQUESTED), ("capture", "pending")),
        (a_reserved_payment(), a_modification(VOID, status=M.PROCESSING), ("void", "pending")),
        (a_reserved_payment(), a_modification(CAPTURE, status=M.FAILED), ("capture", "failed")),
        (a_partly_captured_payment(), a_modification(CAPTURE), ("capture", "success")),
        (a_reserved_payment(status=S.CANCELED, released_minor=29990), None, ("void", "success")),
        (a_reserved_payment(status=S.EXPIRED, released_minor=29990), None, ("void", "success")),
        (a_payment(S.EXPIRED), None, ("", "")),
    ],
)
def test_the_last_that_was_done_to_a_reservation_is_told(payment, claim, words):
    done = [] if claim is None else [claim]

    shown = resources.write_payment(an_order(), payment, done).authorization

    assert (shown.action, shown.status) == words
    assert bool(shown.start_time) is bool(shown.action)


def test_a_claim_of_surplus_or_of_another_payment_is_not_told():
    others = [
        a_modification(VOID, surplus=True),
        a_modification(VOID, payment_id="py_2"),
        a_refund(),
    ]

    assert authorization.last_claim(a_paid_payment(), others) is None


def test_a_deadline_is_told_while_money_is_reserved():
    held = resources.write_payment(an_order(), a_reserved_payment()).authorization
    done = resources.write_payment(
        an_order(), a_partly_captured_payment(), about=a_modification(CAPTURE)
    ).authorization

    assert held.approve_by == held.end_time == edge.utc_text(RESERVED_UNTIL)
    assert done.end_time == done.action_time == edge.utc_text(CHANGED)


def test_reserved_money_is_pending_for_the_order_and_for_who_verifies():
    order, payment = an_order(), a_reserved_payment()

    assert resources.order_word(order, [payment]) == "pending"
    assert contract.write_verdict(order, [payment]).code == "202"
    assert not resources.write_payment(order, payment).is_captured


@pytest.mark.parametrize(
    "refund, status, kind",
    [
        (a_refund(), "SUCCESS", "MERCHANT_INITIATED"),
        (a_refund(status=M.REQUESTED, completed_at=None), "PENDING", "MERCHANT_INITIATED"),
        (a_refund(status=M.PROCESSING, completed_at=None), "PENDING", "MERCHANT_INITIATED"),
        (
            a_refund(status=M.PROCESSING, completed_at=None, failure_code="amount_mismatch"),
            "ONHOLD",
            "MERCHANT_INITIATED",
        ),
        (
            a_refund(status=M.FAILED, failure_code="no", failure_message="The bank said no."),
            "CANCELLED",
            "MERCHANT_INITIATED",
        ),
        (a_refund(surplus=True, request_scope="surplus"), "SUCCESS", "PAYMENT_AUTO_REFUND"),
    ],
)
def test_a_refund_reads_in_words_that_cashfrees_client_takes(refund, status, kind):
    shown = refunds.write_refund(an_order(), refund)

    assert (shown.refund_status, shown.refund_type) == (status, kind)
    assert (shown.processed_at is not None) is (status == "SUCCESS")
    said = refund.failure_message or refunds.DESCRIPTION[status]
    assert shown.status_description == said
    assert shown.refund_id == (refund.id if refund.surplus else "refund_1")


def test_the_payment_that_had_the_reservation_is_the_one_that_is_meant():
    failed, held = a_failed_payment(id="py_1"), a_reserved_payment(id="py_2")
    late = a_paid_payment(id="py_3", surplus=True)

    assert changes.reserving_payment([failed, held, late]).id == "py_2"
    assert changes.reserving_payment([failed]).id == "py_1"
    assert changes.refundable_payment([late, a_paid_payment(id="py_4"), failed]).id == "py_4"
    assert changes.refundable_payment([failed, late]).id == "py_3"


@pytest.mark.parametrize(
    "error, status, code",
    [
        (AmountTooLarge("x", reason="capture_amount"), 400, "amount_invalid"),
        (AmountTooLarge("x", reason="refund_amount"), 400, "refund_amount_invalid"),
        (IllegalTransition("x", reason="already_captured"), 400, "order_already_captured"),
        (IllegalTransition("x", reason="already_voided"), 400, "order_id_voided"),
        (IllegalTransition("x", reason="authorization_expired"), 400, "authorization_expired"),
        (IllegalTransition("x", reason="not_authorized"), 400, "order_not_authorized"),
        (IllegalTransition("x", reason="claim_in_progress"), 409, "request_in_progress"),
        (IllegalTransition("x", reason="not_paid"), 400, "order_not_paid"),
        (IllegalTransition("x", reason="surplus"), 400, "order_not_paid"),
    ],
)
def test_a_refusal_has_the_name_of_its_reason(error, status, code):
    answer = failures.write_error(Request({"type": "http"}), error)

    body = json.loads(answer.body)
    assert (answer.status_code, body["code"]) == (status, code)
    assert body["type"] == "invalid_request_error"
