"""Every state inside has a word in the API, in every version, without a database."""

from dataclasses import replace
from itertools import product

import msgspec
import pytest
from starlette.datastructures import Headers
from tests.faces.orders.samples import (
    a_failed_payment,
    a_modification,
    a_paid_payment,
    a_partly_captured_payment,
    a_payment,
    a_refund,
    a_reserved_payment,
    a_share,
    an_order,
)
from tests.faces.orders.strictness import (
    ALL,
    INTEGER_IDS,
    check_order,
    check_payment,
    check_refund,
    check_settlement,
)

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.base.domain.money import Money
from kassa.faces import edge
from kassa.faces.orders.pg import entities, states
from kassa.faces.orders.pg.versions import VERSIONS, number_of, read_version
from kassa.orders.domain.orders import Customer
from kassa.payments.domain.payments import Method

VERSION = VERSIONS["2025-01-01"]


def wire(value):
    """As it reads after it went over the wire."""
    return msgspec.json.decode(edge.to_json(value))


def test_every_state_has_its_word():
    assert set(states.ORDER_STATUS) == set(product(OrderStatus, states.Standing))
    assert set(states.PAYMENT_STATUS) == set(PaymentStatus)
    assert set(states.ACTION_STATUS) == set(ModificationStatus)
    assert set(states.GROUP) == set(states.METHOD_KEY) == set(Method)


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("status", list(OrderStatus))
@pytest.mark.parametrize("closing", [True, False])
def test_every_order_reads_in_every_version(version, status, closing):
    order = an_order(status=status)
    for payments in ([a_payment(PaymentStatus.CREATED)], [a_reserved_payment()]):
        said = entities.write_order(
            order, payments, VERSIONS[version], base_url="https://pay.example", closing=closing
        )

        check_order(version, wire(said))


PAYMENTS = [
    *(a_payment(status) for status in PaymentStatus if status is not PaymentStatus.FAILED),
    *(a_paid_payment(method=method) for method in Method),
    a_failed_payment(),
    a_reserved_payment(),
    a_partly_captured_payment(),
]


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("payment", PAYMENTS, ids=lambda one: f"{one.status}-{one.method}")
def test_every_payment_reads_in_every_version(version, payment):
    for kind, status in product((ModificationKind.CAPTURE, ModificationKind.VOID), states._M):
        done = [a_modification(kind, status=status)]

        said = entities.write_payment(an_order(), payment, done, VERSIONS[version])

        check_payment(version, wire(said))


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("status", list(ModificationStatus))
@pytest.mark.parametrize("changes", [{}, {"surplus": True}, {"failure_code": "amount_mismatch"}])
def test_every_refund_reads_in_every_version(version, status, changes):
    refund = a_refund(status=status, **changes)

    check_refund(version, wire(entities.write_refund(an_order(), refund, VERSIONS[version])))


@pytest.mark.parametrize("version", ALL)
def test_a_settlement_reads_in_every_version(version):
    payment = a_paid_payment()

    said = entities.write_settlement(an_order(), payment, a_share(), VERSIONS[version])

    check_settlement(version, wire(said))


@pytest.mark.parametrize(
    "payment, word",
    [
        (a_payment(PaymentStatus.CANCELED), "CANCELLED"),
        (a_reserved_payment(status=PaymentStatus.CANCELED, released_minor=29990), "VOID"),
        (a_reserved_payment(status=PaymentStatus.EXPIRED, released_minor=29990), "VOID"),
        (a_partly_captured_payment(), "SUCCESS"),
        (a_paid_payment(surplus=True, surplus_amount=Money(29990, "INR")), "CANCELLED"),
    ],
)
def test_what_became_of_the_money_decides_a_payments_word(payment, word):
    assert states.payment_status(payment) == word


def test_money_that_was_reserved_makes_an_order_paid_for_ever():
    held = a_reserved_payment()
    voided = a_reserved_payment(status=PaymentStatus.CANCELED, released_minor=29990)
    late = a_paid_payment(surplus=True, surplus_amount=Money(29990, "INR"))

    def word(status, payment, **said):
        return states.order_status(an_order(status=status), [payment], VERSION, **said)

    assert word(OrderStatus.ACTIVE, held) == "PAID"
    assert word(OrderStatus.CANCELED, voided) == "PAID"
    assert word(OrderStatus.EXPIRED, late) == "EXPIRED"
    assert word(OrderStatus.ACTIVE, a_failed_payment(), closing=True) == "TERMINATION_REQUESTED"
    assert word(OrderStatus.PAID, a_paid_payment(), closing=True) == "PAID"


@pytest.mark.parametrize(
    "phone, shown",
    [("+91 99999-99999", "9999999999"), ("9000090000", "9000090000"), ("12345", None), ("", None)],
)
def test_a_phone_number_is_shown_with_its_last_ten_digits(phone, shown):
    order = an_order(customer=Customer(id="cust_77", number=1, phone=phone))

    said = entities.write_order(order, [], VERSION, base_url="https://pay.example")

    assert said["customer_details"]["customer_phone"] == shown


def test_an_id_is_found_in_any_versions_writing():
    own = "py_01jd0000000000000000000000"

    assert VERSION.names(own, own)
    assert VERSION.names(own, str(number_of(own)))
    assert not VERSION.names(own, f"{own}x")
    assert VERSIONS[INTEGER_IDS].echo("12") == 12
    assert VERSIONS[INTEGER_IDS].echo("1" * 5000) is None


@pytest.mark.parametrize("said", ["", "2022-01-01", "2025-01-01, 2025-01-01", "latest"])
def test_a_version_that_is_not_served_is_refused(said):
    with pytest.raises(InvalidRequest):
        read_version(Headers({"x-api-version": said}))


def test_a_version_named_twice_is_refused():
    twice = Headers(raw=[(b"x-api-version", b"2025-01-01"), (b"x-api-version", b"2023-08-01")])

    with pytest.raises(InvalidRequest):
        read_version(twice)


def test_a_masked_instrument_that_is_no_card_shows_no_digits():
    payment = replace(a_paid_payment(), instrument="****paid")

    said = entities.write_payment(an_order(), payment, [], VERSION)

    assert said["payment_method"]["card"]["card_number"] is None
