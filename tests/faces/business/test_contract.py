"""The business face's words, without a server."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.faces.business import golden
from tests.faces.business.payments import a_refund, a_summary

from kassa.base.domain.errors import ERRORS, InvalidRequest, NotFound
from kassa.base.domain.lifecycle import FUNDS_MOVED, PaymentStatus
from kassa.base.domain.money import EXPONENT, MAX_MINOR, Money
from kassa.faces import edge
from kassa.faces.business import contract
from kassa.orders.domain.orders import Module
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.payments import Method
from kassa.payments.domain.summaries import Summary
from moego.business.payment.v1 import payment_pb2


def test_every_status_and_module_has_a_word_of_the_published_enum():
    assert set(contract.STATUS) == set(PaymentStatus)
    assert set(contract.MODULE) == set(Module)
    published = set(payment_pb2.Payment.Status.keys()) - {"STATUS_UNSPECIFIED"}
    assert set(contract.STATUS.values()) == published
    published = set(payment_pb2.Payment.Module.keys()) - {"MODULE_UNSPECIFIED"}
    assert set(contract.MODULE.values()) == published


def test_a_payment_reads_as_paid_exactly_when_funds_moved():
    paid = {status for status, word in contract.STATUS.items() if word in ("PAID", "COMPLETED")}
    assert paid == FUNDS_MOVED


@pytest.mark.parametrize(
    "minor, currency, units, nanos",
    [
        (1234, "CNY", 12, 340_000_000),
        (5, "USD", 0, 50_000_000),
        (1234, "JPY", 1234, 0),
        (1_001, "KWD", 1, 1_000_000),
        (12_345, "CLF", 1, 234_500_000),
        (0, "CNY", 0, 0),
        (-175, "USD", -1, -750_000_000),
        (-50, "USD", 0, -500_000_000),
        (MAX_MINOR, "JPY", MAX_MINOR, 0),
    ],
)
def test_money_is_split_exactly_with_one_sign(minor, currency, units, nanos):
    assert contract.to_money_parts(minor, currency) == (units, nanos)


def monies(currency: str) -> st.SearchStrategy[Money]:
    return st.integers(0, SHARE).map(lambda minor: Money(minor, currency))


SHARE = MAX_MINOR // 8  # so that the sum of all parts is on the wire what it is inside


def moments() -> st.SearchStrategy[datetime]:
    offsets = st.integers(-14, 14).map(lambda hours: timezone(timedelta(hours=hours)))
    return st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn beside it
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.one_of(st.just(UTC), offsets),
    ) | st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


def texts() -> st.SearchStrategy[str]:
    return st.text(st.characters(codec="utf-8"), max_size=40)


def refunds(currency: str) -> st.SearchStrategy[Modification]:
    return st.builds(
        lambda amount, reason, at, actor, surplus: a_refund(
            amount=amount, reason=reason, completed_at=at, actor=actor, surplus=surplus
        ),
        monies(currency),
        texts(),
        moments(),
        st.sampled_from(["operator:cli", "api_key:k1", "worker"]),
        st.booleans(),
    )


def minors(most: int = MAX_MINOR) -> st.SearchStrategy[int]:
    return st.integers(0, most)


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    currency = draw(st.sampled_from(sorted(EXPONENT)))
    return a_summary(
        id=draw(texts()),
        business_id=draw(texts()),
        order_id=draw(texts()),
        customer_id=draw(texts()),
        customer_name=draw(texts()),
        method=draw(st.none() | st.sampled_from(Method)),
        status=draw(st.sampled_from(PaymentStatus)),
        module=draw(st.sampled_from(Module)),
        currency=currency,
        amount_minor=draw(minors()),
        captured_minor=draw(minors(SHARE)),
        fee_minor=draw(minors(SHARE)),
        refunded_minor=draw(minors(SHARE)),
        disputed_minor=draw(minors(SHARE)),
        surplus=draw(st.booleans()),
        surplus_minor=draw(minors(SHARE)),
        surplus_returned_minor=draw(minors(SHARE)),
        created_at=draw(moments()),
        updated_at=draw(moments()),
        refunds=draw(st.lists(refunds(currency), max_size=2)),
        surplus_fee_minor=draw(minors(SHARE)),
    )


@settings(deadline=None)
@given(payment=summaries())
def test_the_json_is_what_protobuf_makes_of_the_message(payment: Summary):
    mapped = json_format.MessageToDict(
        contract.to_message(payment), always_print_fields_with_no_presence=True
    )

    written = json.loads(edge.to_json(contract.to_json(payment)))

    assert written == mapped
    assert list(written) == [field.json_name for field in payment_pb2.Payment.DESCRIPTOR.fields]


@settings(deadline=None)
@given(payment=summaries())
def test_money_on_this_wire_adds_up_to_the_amount_inside(payment: Summary):
    money = contract.to_message(payment).amount

    assert (
        money.units + Decimal(money.nanos).scaleb(-9)
        == Money(payment.amount_minor, payment.currency).major
    )
    assert money.currency_code == payment.currency


def test_the_net_is_what_the_parts_come_to_and_may_be_below_zero():
    payment = a_summary(refunded_minor=200, disputed_minor=1234)

    written = json.loads(edge.to_json(contract.to_json(payment)))

    assert written["netAmount"] == {"currencyCode": "CNY", "units": "-2", "nanos": -650_000_000}


def test_who_of_the_staff_refunded_is_named_and_no_program():
    by = [
        contract.to_message(a_summary(refunds=[a_refund(actor=actor)])).refunds[0]
        for actor in ("operator:ana", "api_key:sk_1", "kassa:surplus")
    ]

    assert [one.staff_id for one in by] == ["ana", "", ""]


@settings(deadline=None)
@given(found=st.lists(summaries(), max_size=3), token=texts(), until=st.none() | moments())
def test_a_list_is_what_protobuf_makes_of_the_message(
    found: list[Summary], token: str, until: datetime | None
):
    page = contract.ListedPayments(found, token, token, until)
    mapped = json_format.MessageToDict(
        contract.to_list_message(page), always_print_fields_with_no_presence=True
    )

    assert json.loads(edge.to_json(contract.to_list_json(page))) == mapped


def test_an_empty_list_still_has_both_members():
    assert contract.to_list_json(contract.ListedPayments([], "")) == {
        "nextPageToken": "",
        "payments": [],
        "changesToken": "",
    }


def test_the_golden_payment_is_written_as_printed():
    printed = golden.read("get_payment")["answer"]["body"]
    payment = a_summary(
        amount_minor=29999,
        captured_minor=29999,
        fee_minor=0,
        method=Method.CASH,
        module=Module.GROOMING,
    )

    written = json.loads(edge.to_json(contract.to_json(payment)))

    assert written == golden.agreed(printed, written)
    assert list(written) == list(printed)


@pytest.mark.parametrize(
    "changes, minor",
    [
        ({}, 0),
        ({"refunded_minor": 234}, 234),
        ({"surplus": True, "surplus_minor": 1234}, 0),
        ({"surplus": True, "surplus_returned_minor": 1234}, 0),  # a bank has it, by no refund
        ({"surplus_returned_minor": 1234, "refunded_minor": 5}, 5),  # of a second paying
        ({"disputed_minor": 1234}, 0),
    ],
)
def test_the_refund_amount_is_what_the_payer_has_back(changes, minor):
    payment = a_summary(**changes)

    message = contract.to_message(payment)
    assert contract.to_json(payment)["refundAmount"] == contract._money_json(minor, "CNY")
    money = message.refund_amount
    assert (money.units, money.nanos) == contract.to_money_parts(minor, "CNY")
    assert message.status == payment_pb2.Payment.PAID


@pytest.mark.parametrize("text", ["p", "py_x", "x" * 64, "日本", "a/b", "a:b", "..", "%2F"])
def test_any_short_printable_text_may_be_an_id(text):
    assert contract.read_id(text, "id") == text


@pytest.mark.parametrize("text", ["", "x" * 65, "py_\n", "\x00", "a\x7f", "\ud800", "\u200b"])
def test_what_can_be_no_id_is_refused_with_the_field(text):
    with pytest.raises(InvalidRequest) as refused:
        contract.read_id(text, "id")

    assert refused.value.field == "id"


@pytest.mark.parametrize("kind", ERRORS.values())
def test_each_error_has_a_status_with_details(kind):
    status = contract.status_of(kind("words"))

    reasons = [detail.type_url.rpartition("/")[2] for detail in status.details]
    assert "google.rpc.ErrorInfo" in reasons
    assert len(reasons) == len(set(reasons))
    assert status.message


def test_a_missing_payment_is_told_in_the_words_of_the_contract():
    status = contract.status_of(NotFound("no payment py_x in cmp_001"))

    assert status.message == "Specified payment ID does not exist."
