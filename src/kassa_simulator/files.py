"""Settlement files: what each provider reports of a day (UTC), with faults on demand."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from kassa_simulator.books import SqliteBooks
from kassa_simulator.desk import Desk, Movement
from kassa_simulator.frame import Answer, Change, Charge
from kassa_simulator.stripe import balance
from kassa_simulator.stripe.cards import decimals

FAULTS = ("missing", "extra", "split", "wrong")
_DAY = timedelta(days=1)
_CHINA = timezone(timedelta(hours=8))
_INDIA = timezone(timedelta(hours=5, minutes=30))


class BadWish(Exception):
    """There is no such file; says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """Money that moved, with what it moved for. `charge` None: nobody knows it (`extra`)."""

    movement: Movement
    charge: Charge | None
    change: Change | None = None

    @property
    def signed(self) -> int:
        """As it changes the merchant's balance, before the fee."""
        amount = self.movement.amount_minor
        return amount if self.movement.kind == "charge" else -amount

    @property
    def refund_id(self) -> str:
        return self.change.id if self.change else ""

    @property
    def reference(self) -> str:
        """The merchant's own: of the refund, where it is one."""
        return self.change.key if self.change else self.movement.key


def settlement_file(
    books: SqliteBooks,
    desk: Desk,
    *,
    provider: str,
    merchant: str,
    day: datetime,
    faults: Sequence[str],
) -> Answer:
    """What `provider` reports to `merchant` of the day that begins at `day`. Raises: BadWish."""
    write = _WRITERS.get(provider)
    if write is None:
        raise BadWish(f"provider must be one of {', '.join(_WRITERS)}")
    if books.merchant(provider, merchant) is None:
        raise BadWish(f"{provider} has no merchant of that name")
    if strange := sorted(set(faults) - set(FAULTS)):
        raise BadWish(f"faults must be of {', '.join(FAULTS)}, not {strange[0][:40]}")
    lines = _lines(books, desk.movements(provider, merchant, day, day + _DAY))
    content = write(books, _spoiled(books, lines, faults))
    name = f"{provider}_{day:%Y-%m-%d}.csv"
    return Answer(
        headers={
            "content-type": "text/csv",
            "content-disposition": f'attachment; filename="{name}"',
        },
        body=content,
    )


def _lines(books: SqliteBooks, movements: Iterable[Movement]) -> list[Line]:
    lines = []
    for movement in movements:
        charge = books.charge(movement.provider, movement.charge_id)
        change = _refund_of(books, movement) if movement.kind == "refund" else None
        lines.append(Line(movement, charge, change))
    return lines


def _refund_of(books: SqliteBooks, movement: Movement) -> Change | None:
    """The n-th refund that was done is the n-th that moved money."""
    (place,) = books.connection.execute(
        "SELECT count(*) FROM movements WHERE provider = ? AND charge_id = ? AND kind = 'refund'"
        " AND number < ?",
        (movement.provider, movement.charge_id, int(movement.id.removeprefix("mv"))),
    ).fetchone()
    done = [
        change
        for change in books.changes_of(movement.provider, movement.charge_id)
        if change.kind == "refund" and change.status != "failed"
    ]
    return done[place] if place < len(done) else None


def _spoiled(books: SqliteBooks, lines: list[Line], faults: Sequence[str]) -> list[Line]:
    """Each fault falls on one line, always the same; each on another where there are enough."""
    lines = list(lines)
    order = sorted(lines, key=lambda line: books.chance("file", line.movement.id))
    for fault, line in zip(
        [each for each in FAULTS if each in faults and each != "extra"], order, strict=False
    ):
        place = lines.index(line)
        match fault:
            case "missing":
                del lines[place]
            case "wrong":
                lines[place] = _with_amount(line, line.movement.amount_minor + 1)
            case "split":
                half = line.movement.amount_minor // 2
                rest = _with_amount(line, line.movement.amount_minor - half)
                without_fee = replace(rest, movement=replace(rest.movement, fee_minor=0))
                lines[place : place + 1] = [_with_amount(line, half), without_fee]
    if "extra" in faults and order:
        known = order[-1].movement
        strange = replace(
            known,
            id="mv0",
            kind="charge",
            charge_id=books.new_id("unknown_", "extra", known.id),
            key="unknown",
        )
        lines.append(Line(strange, None))
    return lines


def _with_amount(line: Line, amount: int) -> Line:
    return replace(line, movement=replace(line.movement, amount_minor=amount))


def _stripe(books: SqliteBooks, lines: Sequence[Line]) -> bytes:
    """The itemized payout reconciliation report.

    Source: https://docs.stripe.com/reports/report-types/payout-reconciliation
    """
    rows = []
    for line in lines:
        movement, data = line.movement, line.charge.data if line.charge else {}
        disputed = movement.kind == "dispute"
        won = disputed and movement.amount_minor < 0
        category = "dispute_reversal" if won else movement.kind
        dispute = str(data.get("dispute") or "") if disputed else ""
        charge = str(data.get("latest_charge") or movement.charge_id)
        source = line.refund_id or dispute or charge
        metadata = data.get("metadata", {})
        of_refund = line.change.data.get("metadata", {}) if line.change else {}
        rows.append(
            {
                "balance_transaction_id": balance.transaction_id(books, source, category),
                "created_utc": f"{movement.at:%Y-%m-%d %H:%M:%S}",
                "currency": movement.currency.lower(),
                "gross": _major(line.signed, movement.currency),
                "fee": _major(movement.fee_minor, movement.currency),
                "net": _major(line.signed - movement.fee_minor, movement.currency),
                "reporting_category": category,
                "source_id": source,
                "description": data.get("description") or "",
                "automatic_payout_id": balance.payout_of(books, source, category),
                "charge_id": charge,
                "payment_intent_id": movement.charge_id,
                "refund_id": line.refund_id,
                "dispute_id": dispute,
                **{f"payment_metadata[{name}]": each for name, each in metadata.items()},
                **{f"refund_metadata[{name}]": each for name, each in of_refund.items()},
            }
        )
    noted = sorted({name for row in rows for name in row} - set(_STRIPE))
    return _csv([*_STRIPE, *noted], rows).encode()


_STRIPE = (
    "balance_transaction_id created_utc currency gross fee net reporting_category source_id"
    " description automatic_payout_id charge_id payment_intent_id refund_id dispute_id"
).split()


def _alipay(books: SqliteBooks, lines: Sequence[Line]) -> bytes:
    """The bill of trades (业务明细), with its remarks and totals, in GB18030."""
    rows = []
    for line in lines:
        if line.movement.kind == "dispute":
            continue
        rows.append(_trade(line))
    remarks = "#支付宝业务明细查询\r\n#-----业务明细列表-----\r\n"
    end = "#-----业务明细列表结束-----\r\n"
    totals = [
        f"#{word}合计:{len(own)}笔,商家实收共"
        f"{_major(sum(line.signed for line in own), 'CNY')}元\r\n"
        for word, kind in (("交易", "charge"), ("退款", "refund"))
        for own in [[line for line in lines if line.movement.kind == kind]]
    ]
    return (remarks + _csv(_ALIPAY, rows) + end + "".join(totals)).encode("gb18030")


def _trade(line: Line) -> dict[str, str]:
    movement, charge = line.movement, line.charge
    made = charge.created_at if charge else movement.at
    amount = _major(line.signed, "CNY")
    return {
        "支付宝交易号": movement.charge_id + "\t",
        "商户订单号": movement.key + "\t",
        "业务类型": "退款" if line.movement.kind == "refund" else "交易",
        "商品名称": str(charge.data.get("subject", "") if charge else ""),
        "创建时间": _in(_CHINA, made),
        "完成时间": _in(_CHINA, movement.at),
        "订单金额(元)": amount,
        "商家实收(元)": amount,
        "退款批次号/请求号": line.change.key if line.change else "",
        "服务费(元)": _major(-movement.fee_minor, "CNY"),
    }


_ALIPAY = (
    "支付宝交易号 商户订单号 业务类型 商品名称 创建时间 完成时间 订单金额(元) 商家实收(元)"
    " 退款批次号/请求号 服务费(元)"
).split()


def _razorpay(books: SqliteBooks, lines: Sequence[Line]) -> bytes:
    """The combined settlement reconciliation. Source: https://razorpay.com/docs/api/settlements"""
    rows = []
    for line in lines:
        movement = line.movement
        gross, fee = line.signed, movement.fee_minor
        kind = {"charge": "payment", "dispute": "adjustment"}.get(movement.kind, movement.kind)
        day = f"{movement.at.astimezone(_INDIA):%Y-%m-%d}"
        rows.append(
            {
                "entity_id": line.refund_id or movement.charge_id,
                "type": kind,
                "debit": _major(max(-gross, 0), movement.currency),
                "credit": _major(max(gross - fee, 0), movement.currency),
                "amount": _major(abs(gross), movement.currency),
                "currency": movement.currency,
                "fee": _major(fee, movement.currency),
                "tax": "0.00",
                "settled_at": _in(_INDIA, movement.at + 2 * _DAY),
                "created_at": _in(_INDIA, movement.at),
                "settlement_id": books.new_id("setl_", "file", movement.merchant, day)[:19],
                "payment_id": movement.charge_id,
                "order_receipt": movement.key,
                "receipt": line.reference,
            }
        )
    return _csv(_RAZORPAY, rows).encode()


_RAZORPAY = (
    "entity_id type debit credit amount currency fee tax settled_at created_at settlement_id"
    " payment_id order_receipt receipt"
).split()


def _cashfree(books: SqliteBooks, lines: Sequence[Line]) -> bytes:
    """The settlement reconciliation. Source: https://www.cashfree.com/docs/payments/settlements"""
    events = {"charge": "PAYMENT", "refund": "REFUND", "dispute": "DISPUTE"}
    rows = []
    for line in lines:
        movement = line.movement
        day = f"{movement.at.astimezone(_INDIA):%Y-%m-%d}"
        rows.append(
            {
                "event_id": line.refund_id or movement.charge_id,
                "event_type": events[movement.kind],
                "event_amount": _major(abs(line.signed), movement.currency),
                "event_settlement_amount": _major(
                    abs(line.signed - movement.fee_minor), movement.currency
                ),
                "event_currency": movement.currency,
                "event_time": _in(_INDIA, movement.at),
                "sale_type": "CREDIT" if line.signed >= 0 else "DEBIT",
                "payment_service_charge": _major(movement.fee_minor, movement.currency),
                "payment_service_tax": "0.00",
                "order_id": movement.key,
                "refund_id": line.reference if line.change else "",
                "cf_payment_id": movement.charge_id,
                "settlement_id": books.digits(9, "file", movement.merchant, day),
            }
        )
    return _csv(_CASHFREE, rows).encode()


_CASHFREE = (
    "event_id event_type event_amount event_settlement_amount event_currency event_time sale_type"
    " payment_service_charge payment_service_tax order_id refund_id cf_payment_id settlement_id"
).split()


def _wallet(books: SqliteBooks, lines: Sequence[Line]) -> bytes:
    """Transactions with their sign, in whole minor units."""
    kinds = {"charge": "PAYMENT", "refund": "REFUND", "dispute": "DISPUTE"}
    rows = [
        {
            "transactionType": kinds[line.movement.kind],
            "transactionId": line.refund_id or line.movement.charge_id,
            "transactionRequestId": line.reference,
            "paymentId": line.movement.charge_id,
            "amountValue": str(line.signed),
            "amountCurrency": line.movement.currency,
            "feeValue": str(line.movement.fee_minor),
            "transactionTime": line.movement.at.isoformat(),
        }
        for line in lines
    ]
    return _csv(_WALLET, rows).encode()


_WALLET = (
    "transactionType transactionId transactionRequestId paymentId amountValue amountCurrency"
    " feeValue transactionTime"
).split()


_WRITERS: Mapping[str, Callable[[SqliteBooks, Sequence[Line]], bytes]] = {
    "stripe": _stripe,
    "alipay": _alipay,
    "razorpay": _razorpay,
    "cashfree": _cashfree,
    "wallet": _wallet,
}


def _in(zone: timezone, at: datetime) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _major(amount: int, currency: str) -> str:
    places = decimals(currency)
    sign, amount = "-" if amount < 0 else "", abs(amount)
    whole, part = divmod(amount, 10**places)
    return f"{sign}{whole}.{part:0{places}d}" if places else f"{sign}{whole}"
