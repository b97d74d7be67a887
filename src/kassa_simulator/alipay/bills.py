"""Alipay's bills of a day: of trades (trade) and of the account's movements (signcustomer).

GB18030, cells padded with tabs, remarks that begin with #, one ZIP file.
Source: opendocs.alipay.com on alipay.data.dataservice.bill.downloadurl.query.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa_simulator import cashier_page
from kassa_simulator.alipay.wire import (
    CHINA,
    NAME,
    Case,
    Refused,
    china_moment,
    china_time,
    invalid,
    text_of,
    yuan,
)
from kassa_simulator.frame import Answer, Books, Call, Charge, Merchant
from kassa_simulator.odd_rows import Names, kept, spoiled

PATH = "/alipay/bill/"
_OPEN_FOR = timedelta(seconds=30)  # then the address shows nothing any more
_MOST = 1_000_000
_TRADE, _ACCOUNT = "trade", "signcustomer"
_ODD = Names(type=2, amount=12)
_TRADE_HEADER = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_ACCOUNT_HEADER = (
    "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
    "账户余额（元）,交易渠道,业务类型,备注"
)


@dataclass(frozen=True, slots=True)
class _Deed:
    """A payment (`request` empty) or a refund. `minor`, `fee`: less than zero when they go out."""

    charge: Charge
    at: datetime
    minor: int
    fee: int
    request: str


def address(case: Case) -> Mapping[str, Any]:
    """alipay.data.dataservice.bill.downloadurl.query. Raises: Refused."""
    bill_type = text_of(case.biz, "bill_type", 20)
    if bill_type not in (_TRADE, _ACCOUNT):
        raise invalid("bill_type")
    bill_date = text_of(case.biz, "bill_date", 15)
    start = _start(bill_date)
    if start is None:
        raise invalid("bill_date")
    end = _end(start, bill_date)
    if end > case.now or not _deeds(case.books, case.merchant, start, end):
        raise no_such_bill()
    token = case.books.new_id("bill", NAME, case.merchant.name, bill_type, bill_date)
    case.books.put(
        NAME,
        "bill",
        token,
        {
            "merchant": case.merchant.name,
            "type": bill_type,
            "date": bill_date,
            "until": (case.now + _OPEN_FOR).isoformat(),
        },
    )
    url = f"{case.call.origin}{PATH}{token}.csv.zip"
    return {"code": "10000", "msg": "Success", "bill_download_url": url}


def no_such_bill() -> Refused:
    return Refused("40004", "isp.bill_not_exist", "账单不存在")


def download(books: Books, call: Call) -> Answer:
    """The file, as long as its address is open."""
    token = call.path.removeprefix(PATH).removesuffix(".csv.zip")
    kept = books.get(NAME, "bill", token)
    merchant = books.merchant(NAME, kept["merchant"]) if kept else None
    start = _start(kept["date"]) if kept else None
    if kept is None or merchant is None or start is None:
        return cashier_page.words("There is no such bill.", "账单不存在。", status=404)
    if call.now >= datetime.fromisoformat(kept["until"]):
        return cashier_page.words("The address has expired.", "下载地址已失效。", status=403)
    end = _end(start, kept["date"])
    write = _trades if kept["type"] == _TRADE else _account
    seller_id = merchant.credentials["seller_id"]
    title = "业务明细" if kept["type"] == _TRADE else "账务明细"
    text = write(books, merchant, start, end)
    name = f"{seller_id}_{kept['date'].replace('-', '')}_{title}.csv"
    return Answer(
        headers={
            "content-type": "application/octet-stream",
            "content-disposition": f'attachment; filename="{token}.csv.zip"',
        },
        body=_zipped(name, text.encode("gb18030"), end),
    )


def _zipped(name: str, content: bytes, at: datetime) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name, at.astimezone(CHINA).timetuple()[:6]), content)
    return file.getvalue()


def _start(bill_date: str) -> datetime | None:
    day = bill_date if len(bill_date) > len("2026-11") else f"{bill_date}-01"
    return china_moment(f"{day} 00:00:00")


def _end(start: datetime, bill_date: str) -> datetime:
    if len(bill_date) > len("2026-11"):
        return start + timedelta(days=1)
    longer = start.astimezone(CHINA) + timedelta(days=31)
    return longer.replace(day=1).astimezone(UTC)


def _deeds(books: Books, merchant: Merchant, start: datetime, end: datetime) -> list[_Deed]:
    """Oldest first."""
    deeds = []
    for charge in reversed(books.charges(NAME, merchant.name, limit=_MOST)):
        if not charge.captured_minor:
            continue
        paid_at = datetime.fromisoformat(charge.data["paid_at"])
        fee = -charge.data["fee_minor"]
        deeds.append(_Deed(charge, paid_at, charge.captured_minor, fee, ""))
        for change in books.changes_of(NAME, charge.id) if charge.refunded_minor else ():
            returned = change.data["fee_returned_minor"]
            amount = -change.amount_minor
            deeds.append(_Deed(charge, change.created_at, amount, returned, change.key))
    return sorted((deed for deed in deeds if start <= deed.at < end), key=lambda deed: deed.at)


def _trades(books: Books, merchant: Merchant, start: datetime, end: datetime) -> str:
    rows, totals = [], {"交易": (0, 0), "退款": (0, 0)}
    for deed in _deeds(books, merchant, start, end):
        kind = "退款" if deed.minor < 0 else "交易"
        count, total = totals[kind]
        totals[kind] = count + 1, total + deed.minor
        charge = deed.charge
        amount, none = yuan(deed.minor), "0.00"
        rows.append(
            [
                *(charge.id, charge.key, kind, charge.data["subject"]),
                *(china_time(charge.created_at), china_time(deed.at), "", "", "", ""),
                *(charge.data["buyer_logon_id"], amount, amount, none, none, none, none, none),
                *("", none, none, deed.request, yuan(deed.fee), none, ""),
            ]
        )
    odd = kept(books, NAME, merchant.name)
    rows = [
        list(row.values())
        for row in spoiled(books, [dict(enumerate(row)) for row in rows], _ODD, odd)
    ]
    sold, returned = totals["交易"], totals["退款"]
    remarks = (
        f"#交易合计：{sold[0]}笔，商家实收共{yuan(sold[1])}元，商家优惠共0.00元",
        f"#退款合计：{returned[0]}笔，商家实收退款共{yuan(returned[1])}元，商家优惠退款共0.00元",
    )
    return _written("业务明细", merchant, (start, end), _TRADE_HEADER, rows, remarks)


def _account(books: Books, merchant: Merchant, start: datetime, end: datetime) -> str:
    before = _deeds(books, merchant, datetime(1970, 1, 1, tzinfo=UTC), start)
    balance = sum(deed.minor + deed.fee for deed in before)
    rows, sums = [], {"收入": (0, 0), "支出": (0, 0)}
    for deed in _deeds(books, merchant, start, end):
        charge = deed.charge
        flows = (
            [(deed.minor, "在线支付"), (deed.fee, "收费")]
            if deed.minor > 0
            else [(deed.minor, "交易退款"), (deed.fee, "退费")]
        )
        for minor, word in flows:
            if not minor:
                continue
            balance += minor
            side = "收入" if minor > 0 else "支出"
            sums[side] = sums[side][0] + 1, sums[side][1] + minor
            flow = books.digits(20, NAME, "flow", charge.id, deed.request, word)
            business = charge.id if not deed.request else f"{charge.id}*{deed.request}"
            shown = yuan(minor)
            rows.append(
                [
                    *(flow, business, charge.key, charge.data["subject"], china_time(deed.at)),
                    charge.data["buyer_logon_id"],
                    *((shown, "") if minor > 0 else ("", shown)),
                    *(yuan(balance), "支付宝", word, ""),
                ]
            )
    remarks = (
        f"#支出合计：{sums['支出'][0]}笔，共{yuan(sums['支出'][1])}元",
        f"#收入合计：{sums['收入'][0]}笔，共{yuan(sums['收入'][1])}元",
    )
    return _written("账务明细", merchant, (start, end), _ACCOUNT_HEADER, rows, remarks)


def _written(
    title: str,
    merchant: Merchant,
    span: tuple[datetime, datetime],
    header: str,
    rows: Iterable[Sequence[str]],
    remarks: Iterable[str],
) -> str:
    start, end = (moment.astimezone(CHINA).strftime("%Y年%m月%d日 %H:%M:%S") for moment in span)
    rule = "-" * 40
    file = io.StringIO()
    lines = csv.writer(file, lineterminator="\r\n")
    head = (
        f"#支付宝{title}查询",
        f"#账号：[{merchant.credentials['seller_id']}0156]",
        f"#起始日期：[{start}]   终止日期：[{end}]",
        f"#{rule}{title}列表{rule}",
        header,
    )
    file.writelines(f"{line}\r\n" for line in head)
    lines.writerows([f"{cell}\t" for cell in row] for row in rows)
    tail = (f"#{rule}{title}列表结束{rule}", *remarks, f"#导出时间：[{end}]")
    file.writelines(f"{line}\r\n" for line in tail)
    return file.getvalue()
