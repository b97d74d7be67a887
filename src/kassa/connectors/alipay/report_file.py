"""Alipay's two bills: of trades (业务明细) and of the account's movements (账务明细).

GB18030 as Alipay sends it, or UTF-8 after somebody's editor. Lines that begin with # are remarks;
the last of them carry totals, which are compared with the lines. Cells are padded with tabs. All
is CNY and China's time.

Of a trade the amount is what the merchant received (商家实收): that is what came into the account,
and what the totals count; a discount that the merchant paid for is in the order's amount only. The
service fee (服务费) is written with either sign. What is withheld from a payment is a fee, what is
written beside a refund is a fee given back. Shares paid to third parties (分润) are no fee of
Alipay's and stay in `raw`. A refund's reference of ours is its request number (退款批次号/请求号).

A word for the type of business (业务类型) that is not in TRADES or MOVEMENTS is put aside.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta, timezone
from typing import BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.reports.declaration import Declaration, Lines
from kassa.connectors.reports.table import ReportRows, ReportTable
from kassa.connectors.reports.words import amount_of, check_direction, moment_of, shown
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable

_EXPECTED = "Alipay's bill of trades or of account movements"
_CHINA = timezone(timedelta(hours=8))  # one zone for the whole country, no summer time
_NOTHING = Money(0, "CNY")

Known = Mapping[str, tuple[LineKind, int]]
TRADES: Known = {"交易": (LineKind.PAYMENT, 1), "退款": (LineKind.REFUND, -1)}
MOVEMENTS: Known = {
    "在线支付": (LineKind.PAYMENT, 1),
    "交易付款": (LineKind.PAYMENT, 1),
    "交易退款": (LineKind.REFUND, -1),
    "退款": (LineKind.REFUND, -1),
    "收费": (LineKind.FEE, -1),
    "退费": (LineKind.FEE, 1),  # a fee given back
    "提现": (LineKind.PAYOUT, -1),
    "充值": (LineKind.ADJUSTMENT, 1),
    "转账": (LineKind.ADJUSTMENT, 0),
    "其它": (LineKind.ADJUSTMENT, 0),
    "其他": (LineKind.ADJUSTMENT, 0),
}
"""Each type of business: what it is, and the sign that its money must have (0: either)."""

_TRADE_COLUMNS = ("支付宝交易号", "商户订单号", "业务类型", "商家实收(元)")
_MOVEMENT_COLUMNS = (
    "账务流水号",
    "业务流水号",
    "商户订单号",
    "发生时间",
    "收入金额(+元)",
    "支出金额(-元)",
    "业务类型",
)
# The brackets are sometimes of one width, sometimes of the other.
_NARROW = str.maketrans("（）＋－", "()+-")
_TOTAL = re.compile(
    r"#{1,40}+(交易|退款|收入|支出)合计[:：](\d{1,12}+)笔[^共]{0,40}+共(-?[0-9.]{1,30}+)元"
)
_END = re.compile(r"#-{1,99}+[^-]{0,99}列表结束")
_START = re.compile(r"#-{1,99}+[^-]{0,99}列表-")

ReadLine = Callable[[int, list[str], Mapping[str, str]], ReportLine]


def read_alipay(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line.

    What does not add up comes at the end, as one Unreadable of line 0.
    """
    encoding = "" if declaration.encoding == "utf-8" else declaration.encoding
    remarks = _Remarks()
    table = ReportTable(
        ReportRows(file, encoding=encoding, remark=remarks.take), expected=_EXPECTED
    )
    table.header = [name.translate(_NARROW) for name in table.header]
    if "账务流水号" in table.header:
        return _checked(table, _movements(table), remarks, ("收入", "支出"))
    return _checked(table, _trades(table), remarks, ("交易", "退款"))


class _Remarks:
    """What the lines that begin with # say."""

    def __init__(self) -> None:
        self.totals: dict[str, tuple[int, str]] = {}
        self.started = self.ended = False

    def take(self, text: str) -> None:
        if _END.match(text):
            self.ended = True
        elif _START.match(text):
            self.started = True
        elif total := _TOTAL.match(text.replace(" ", "")):
            self.totals[total[1]] = int(total[2]), total[3]


def _trades(table: ReportTable) -> ReadLine:
    trade_at, order_at, type_at, amount_at = table.places(_TRADE_COLUMNS)
    fee_at, request_at = table.place("服务费(元)"), table.place("退款批次号/请求号")
    done_at, made_at = table.place("完成时间"), table.place("创建时间")

    def line(number: int, row: list[str], raw: Mapping[str, str]) -> ReportLine:
        kind, direction, word = _known(TRADES, row[type_at])
        amount = amount_of(row[amount_at].strip(), "CNY")
        check_direction(direction, amount, word)
        withheld = abs(_optional(row, fee_at).minor)
        order = row[order_at].strip()
        request = _word(row, request_at) if kind is LineKind.REFUND else ""
        return ReportLine(
            number=number,
            kind=kind,
            amount=amount,
            fee=Money(withheld * direction, "CNY"),
            our_reference=request or order,
            provider_reference=row[trade_at].strip(),
            texts=(order, request) if request else (),
            occurred_at=moment_of(_word(row, done_at) or _word(row, made_at), _CHINA),
            raw=_unpadded(raw),
        )

    return line


def _movements(table: ReportTable) -> ReadLine:
    flow_at, business_at, order_at, time_at, in_at, out_at, type_at = table.places(
        _MOVEMENT_COLUMNS
    )

    names = (business_at, flow_at, table.place("备注"))

    def line(number: int, row: list[str], raw: Mapping[str, str]) -> ReportLine:
        kind, direction, word = _known(MOVEMENTS, row[type_at])
        if not row[in_at].strip() and not row[out_at].strip():
            raise InvalidRequest("neither an income nor an expenditure")
        income, spent = _optional(row, in_at), _optional(row, out_at)
        if income.minor < 0 or (income.minor and spent.minor):
            raise InvalidRequest(f"an income of {income} and an expenditure of {spent}")
        amount = Money(income.minor - abs(spent.minor), "CNY")
        check_direction(direction, amount, word)
        reference = row[business_at].strip() or row[flow_at].strip()
        return ReportLine(
            number=number,
            kind=kind,
            amount=amount,
            fee=_NOTHING,
            our_reference=row[order_at].strip(),
            provider_reference=reference,
            payout_reference=reference if kind is LineKind.PAYOUT else "",
            texts=tuple(text for at in names if (text := _word(row, at))),
            occurred_at=moment_of(row[time_at].strip(), _CHINA),
            raw=_unpadded(raw),
        )

    return line


def _known(types: Known, cell: str) -> tuple[LineKind, int, str]:
    word = cell.strip()
    if word not in types:
        raise InvalidRequest(f"unknown 业务类型 {shown(word, 40)!r}")
    return *types[word], word


def _optional(row: list[str], place: int | None) -> Money:
    text = _word(row, place)
    return amount_of(text, "CNY") if text else _NOTHING


def _word(row: list[str], place: int | None) -> str:
    return "" if place is None else row[place].strip()


def _unpadded(raw: Mapping[str, str]) -> dict[str, str]:
    return {name: cell.strip() for name, cell in raw.items()}


def _checked(
    table: ReportTable, read: ReadLine, remarks: _Remarks, names: tuple[str, str]
) -> Lines:
    """The lines, and then what the bill's own end says against them.

    `names`: the totals' names, of what came in and of what went out.
    """
    counts, sums, unreadable = [0, 0], [0, 0], 0
    by_type = names[0] == "交易"
    for line in table.lines(read):
        yield line
        if isinstance(line, Unreadable):
            unreadable += 1
            continue
        outward = line.kind is LineKind.REFUND if by_type else line.amount.minor < 0
        counts[outward] += 1
        sums[outward] += abs(line.amount.minor)
    wrong = []
    if remarks.started and not remarks.ended:
        wrong.append("the bill has no end: it was cut off")
    for name, count, total in zip(names, counts, sums, strict=True):
        if name in remarks.totals:
            wrong += _against(name, remarks.totals[name], count, total)
    if wrong:
        if unreadable:
            wrong.append(f"{unreadable} unreadable lines are not counted")
        totals = {
            f"{name}合计": f"{count}, {sum_}" for name, (count, sum_) in remarks.totals.items()
        }
        yield Unreadable(number=0, reason="; ".join(wrong), raw=totals)


def _against(name: str, said: tuple[int, str], count: int, total: int) -> list[str]:
    try:
        stated = amount_of(said[1], "CNY")
    except InvalidRequest as error:
        return [f"{name}合计 cannot be read: {error.message}"]
    if (said[0], abs(stated.minor)) == (count, total):
        return []
    found = f"{count} of {total // 100}.{total % 100:02d}"
    return [f"{name}合计 says {said[0]} lines of {said[1]}, found {found}"]
