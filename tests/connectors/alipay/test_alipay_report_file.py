"""Alipay's bills, as downloaded: GB18030, remarks, tabs and totals."""

from datetime import UTC, datetime

import pytest
from tests.connectors.alipay.report_samples import (
    ALIPAY_MOVEMENTS,
    ALIPAY_TRADES,
    alipay,
    movement,
    trade,
)
from tests.connectors.reports.samples import aside, good, read

from kassa.base.domain.money import Money
from kassa.connectors.reports import NotThatFormat
from kassa.reconciliation.domain.reports import LineKind, Unreadable

TRADES = (
    trade(1),
    trade(2, order="20.00", received="18.00", fee="0.11"),
    trade(1, kind="退款", order="-5.80", received="-5.80", request="rf_1", fee="0.03"),
)
TOTALS = (
    "#交易合计：2笔，商家实收共53.80元，商家优惠共2.00元",
    "#退款合计：1笔，商家实收退款共-5.80元，商家优惠退款共0.00元",
)
MOVEMENTS = (
    movement(1, "在线支付", "35.80", "0.00"),
    movement(1, "收费", "0.00", "-0.21"),
    movement(2, "交易退款", "", "5.80"),
    movement(3, "提现", "0", "29.79"),
    movement(4, "退费", "0.03", ""),
)


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "utf-8", "utf-8-sig"])
def test_a_bill_of_trades(encoding: str) -> None:
    lines = good(read(alipay(ALIPAY_TRADES, TRADES, *TOTALS).encode(encoding), "alipay"))

    assert [(line.kind, line.amount.minor, line.fee.minor) for line in lines] == [
        (LineKind.PAYMENT, 3580, 21),
        (LineKind.PAYMENT, 1800, 11),
        (LineKind.REFUND, -580, -3),
    ]
    assert [line.our_reference for line in lines] == ["at_1", "at_2", "rf_1"]
    assert (
        lines[0].provider_reference == lines[2].provider_reference == "2026100322001400000000000001"
    )
    assert lines[0].occurred_at == datetime(2026, 10, 3, 1, 0, 3, tzinfo=UTC)
    assert lines[0].amount.currency == "CNY"
    assert (lines[0].raw["商品名称"], lines[0].raw["对方账户"]) == ("茶具一套", "*客(138****0000)")
    assert lines[0].number == 6


def test_a_bill_of_account_movements() -> None:
    totals = ("#支出合计：3笔，共35.80元", "#收入合计：2笔，共35.83元")

    lines = good(read(alipay(ALIPAY_MOVEMENTS, MOVEMENTS, *totals).encode("gb18030"), "alipay"))

    assert [(line.kind.value, line.amount.minor) for line in lines] == [
        ("payment", 3580),
        ("fee", -21),
        ("refund", -580),
        ("payout", -2979),
        ("fee", 3),
    ]
    assert lines[3].payout_reference == lines[3].provider_reference == "202610032200140003"
    assert {line.fee for line in lines} == {Money(0, "CNY")}


def test_brackets_of_either_width_name_the_same_column() -> None:
    narrow = ALIPAY_MOVEMENTS.replace("（", "(").replace("）", ")")

    assert len(good(read(alipay(narrow, MOVEMENTS).encode("gb18030"), "alipay"))) == 5


# Without these totals a row that was lost on the way would not be missed. Seen to fail without
# the comparison in _checked.
@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (TRADES[1:], "交易合计 says 2 lines of 53.80, found 1 of 18.00"),
        (TRADES[:2], "退款合计 says 1 lines of -5.80, found 0 of 0.00"),
        ((*TRADES, trade(9, received="0.00")), "found 3 of 53.80"),
        ((trade(1, received="35.81"), *TRADES[1:]), "found 2 of 53.81"),
    ],
)
def test_totals_that_the_rows_do_not_come_to_are_told(rows: tuple[str, ...], reason: str) -> None:
    lines = read(alipay(ALIPAY_TRADES, rows, *TOTALS).encode("gb18030"), "alipay")

    told = aside(lines)
    assert list(told) == [0]
    assert reason in told[0]
    assert lines[-1].number == 0


def test_an_unreadable_row_is_also_the_reason_why_the_totals_do_not_fit() -> None:
    rows = (*TRADES[:1], trade(2, kind="花呗"), *TRADES[2:])

    told = aside(read(alipay(ALIPAY_TRADES, rows, *TOTALS).encode("gb18030"), "alipay"))

    assert told[7] == "unknown 业务类型 '花呗'"
    assert "1 unreadable lines are not counted" in told[0]


def test_a_bill_without_its_end_was_cut_off() -> None:
    whole = alipay(ALIPAY_TRADES, TRADES, *TOTALS).encode("gb18030")

    between = aside(read(alipay(ALIPAY_TRADES, TRADES[:2], end=False).encode("gb18030"), "alipay"))
    within = aside(read(whole[: whole.index(b"rf_1")], "alipay"))

    assert between == {0: "the bill has no end: it was cut off"}
    assert within[8] == "the file ends inside this line: it was cut off"
    assert "it was cut off" in within[0]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (trade(1, kind="退款"), "a 退款 of 35.80 CNY: its money must go out"),
        (trade(1, received="-1.00"), "a 交易 of -1.00 CNY: its money must come in"),
        (trade(1, received="35.805"), "CNY has 2 decimals"),
        (trade(1, fee="free"), "not an amount"),
        (trade(1).replace("茶具", "茶,具"), "26 cells where the header has 25"),
    ],
)
def test_a_trade_that_cannot_be_right_is_put_aside(row: str, reason: str) -> None:
    told = aside(read(alipay(ALIPAY_TRADES, [row]).encode("gb18030"), "alipay"))

    assert reason in told[6]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (movement(1, "在线支付", "1.00", "1.00"), "an income of 1.00 CNY and an expenditure"),
        (movement(1, "在线支付", "", ""), "neither an income nor an expenditure"),
        (movement(1, "提现", "1.00", "0.00"), "must go out"),
        (movement(1, "红包", "1.00", "0.00"), "unknown 业务类型 '红包'"),
    ],
)
def test_a_movement_that_cannot_be_right_is_put_aside(row: str, reason: str) -> None:
    told = aside(read(alipay(ALIPAY_MOVEMENTS, [row]).encode("gb18030"), "alipay"))

    assert reason in told[6]


def test_a_total_beyond_64_bits_is_only_wrong() -> None:
    rows = [trade(number, received="92233720368547758.07") for number in range(3)]
    total = "#交易合计：3笔，商家实收共276701161105643274.21元，商家优惠共0.00元"

    lines = read(alipay(ALIPAY_TRADES, rows, total).encode("gb18030"), "alipay")

    assert isinstance(lines[-1], Unreadable)
    assert "no amount is larger than" in lines[-1].reason


def test_the_summary_beside_the_bill_is_not_the_bill() -> None:
    summary = "#支付宝业务汇总查询\r\n门店编号,门店名称,交易订单总笔数\r\n合计,,2\r\n".encode(
        "gb18030"
    )

    with pytest.raises(NotThatFormat, match="Alipay's bill of trades or of account movements"):
        read(summary, "alipay")
