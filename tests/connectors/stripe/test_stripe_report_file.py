"""Stripe's itemized payout reconciliation."""

from datetime import UTC, datetime

import pytest
from tests.connectors.reports.samples import aside, good, read
from tests.connectors.stripe.report_samples import STRIPE_COLUMNS, stripe

from kassa.base.domain.money import Money
from kassa.connectors.reports import NotThatFormat
from kassa.connectors.stripe.report_file import CATEGORIES
from kassa.reconciliation.domain.reports import LineKind

CHARGE = {
    "source_id": "ch_1",
    "charge_id": "ch_1",
    "payment_intent_id": "pi_1",
    "payment_metadata[kassa_attempt]": "at_1",
    "payment_metadata[order_id]": "1001",
}
REFUND = {
    **CHARGE,
    "reporting_category": "refund",
    "gross": "-40.00",
    "fee": "0.00",
    "net": "-40.00",
    "source_id": "re_1",
    "refund_id": "re_1",
    "refund_metadata[kassa_attempt]": "rf_1",
}
DISPUTE = {
    **CHARGE,
    "reporting_category": "dispute",
    "gross": "-60.00",
    "fee": "20.00",
    "net": "-80.00",
    "source_id": "dp_1",
    "dispute_id": "dp_1",
}
PAYOUT = {"reporting_category": "payout", "gross": "21.75", "fee": "0.00", "net": "21.75"}


def test_charges_refunds_disputes_and_payouts() -> None:
    lines = good(read(stripe(CHARGE, REFUND, DISPUTE, {**PAYOUT, "source_id": "po_1Qk"}), "stripe"))

    assert [
        (line.kind.value, line.amount.minor, line.fee.minor, line.our_reference) for line in lines
    ] == [
        ("payment", 10000, 175, "at_1"),
        ("refund", -4000, 0, "rf_1"),
        ("dispute", -6000, 2000, "at_1"),
        ("payout", 2175, 0, ""),
    ]
    assert [line.provider_reference for line in lines] == ["pi_1", "re_1", "dp_1", "po_1Qk"]
    assert {line.payout_reference for line in lines} == {"po_1Qk"}
    assert lines[0].occurred_at == datetime(2026, 10, 3, 9, 0, 1, tzinfo=UTC)
    assert lines[0].amount.currency == "EUR"


def test_a_payout_that_is_not_what_its_lines_come_to_is_told_at_the_end() -> None:
    other = {**PAYOUT, "automatic_payout_id": "po_2", "gross": "-5.00", "net": "-5.00"}
    short = {**PAYOUT, "gross": "21.74", "net": "21.74", "source_id": "po_1Qk"}
    unknown = {"reporting_category": "novelty"}

    found = read(stripe(CHARGE, REFUND, DISPUTE, unknown, short, other), "stripe")

    assert aside(found) == {
        5: "unknown reporting_category 'novelty'",
        0: "payout po_1Qk is -21.74 EUR, and its lines come to -21.75 EUR;"
        " 1 unreadable lines are not counted",
    }


def test_the_operation_is_named_before_the_order_and_the_payment_by_what_there_is() -> None:
    bare = {"source_id": "ch_9", "payment_metadata[order_id]": "1001"}
    manual = {**REFUND, "refund_metadata[kassa_attempt]": "", "refund_id": ""}

    lines = good(read(stripe(bare, {}, manual), "stripe"))

    assert [line.our_reference for line in lines] == ["1001", "", "at_1"]
    assert [line.provider_reference for line in lines] == ["ch_9", "txn_2", "re_1"]


def test_times_without_utc_in_their_name_are_in_the_declared_zone() -> None:
    columns = [name for name in STRIPE_COLUMNS if name != "created_utc"]

    (line,) = good(read(stripe({}, columns=columns), "stripe", time_zone="Asia/Shanghai"))

    assert line.occurred_at == datetime(2026, 10, 3, 9, 0, 1, tzinfo=UTC)


@pytest.mark.parametrize(("category", "known"), CATEGORIES.items())
def test_each_category_is_what_the_table_says(category: str, known: tuple[LineKind, int]) -> None:
    kind, direction = known
    gross = "-5.00" if direction < 0 else "5.00"
    row = {"reporting_category": category, "gross": gross, "fee": "0", "net": gross}

    (line,) = good(read(stripe(row), "stripe"))

    assert line.kind is kind


# A refund of the wrong sign would pay a merchant twice. Seen to fail without check_direction.
@pytest.mark.parametrize("category", [word for word, (_, sign) in CATEGORIES.items() if sign])
def test_money_that_went_the_wrong_way_is_put_aside(category: str) -> None:
    gross = "5.00" if CATEGORIES[category][1] < 0 else "-5.00"
    row = {"reporting_category": category, "gross": gross, "fee": "0", "net": gross}

    ((_, reason),) = aside(read(stripe(row), "stripe")).items()
    assert category in reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"reporting_category": "loan"}, "unknown reporting_category 'loan'"),
        ({"net": "98.26"}, "100.00 EUR less a fee of 1.75 EUR is not 98.26 EUR"),
        ({"currency": "btc"}, "unknown currency 'BTC'"),
        ({"gross": "100.005"}, "EUR has 2 decimals"),
        ({"gross": ""}, "not an amount"),
        ({"currency": "jpy"}, "JPY has 0 decimals"),
    ],
)
def test_a_row_that_cannot_be_right_is_put_aside(row: dict[str, str], reason: str) -> None:
    lines = read(stripe(CHARGE, row, CHARGE), "stripe")

    ((number, said),) = aside(lines).items()
    assert number == 3
    assert reason in said


def test_zero_decimals_with_and_without_a_point() -> None:
    whole = {"currency": "jpy", "gross": "500", "fee": "18", "net": "482"}
    pointed = {"currency": "jpy", "gross": "500.00", "fee": "18.00", "net": "482.00"}

    lines = good(read(stripe(whole, pointed), "stripe"))

    assert {line.amount for line in lines} == {Money(500, "JPY")}


def test_the_summary_is_not_the_itemized_report() -> None:
    summary = "reporting_category,currency,count,gross,fee,net\ncharge,eur,3,300.00,5.25,294.75\n"

    with pytest.raises(NotThatFormat, match="itemized payout reconciliation was expected"):
        read(summary, "stripe")


def test_stripe_s_report_and_a_mapped_table_say_both_amounts() -> None:
    paid = {"customer_facing_amount": "100.00", "customer_facing_currency": "usd"}
    same = {"customer_facing_amount": "100.00", "customer_facing_currency": "eur"}
    columns = [*STRIPE_COLUMNS, "customer_facing_amount", "customer_facing_currency"]
    refund = {
        "reporting_category": "refund", "gross": "-40.00", "fee": "0", "net": "-40.00",
        "customer_facing_amount": "40.00", "customer_facing_currency": "usd",
    }  # fmt: skip

    lines = good(read(stripe(paid, same, refund, columns=columns), "stripe"))
    mapped = good(
        read(
            "what,gross,paid,in\npayment,9.00,10.00,usd\npayment,9.00,,\n",
            columns={
                "kind": "what",
                "amount": "gross",
                "presented_amount": "paid",
                "presented_currency": "in",
            },
            currency="EUR",
        )
    )

    assert [one.presented for one in lines] == [
        Money(10_000, "USD"), None, Money(-4_000, "USD"),
    ]  # fmt: skip
    assert [one.presented for one in mapped] == [Money(1_000, "USD"), None]
