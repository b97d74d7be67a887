"""Paying in a shop: a code that the payer scans, and a code of the payer's that the shop scans.

Source: opendocs.alipay.com on alipay.trade.precreate and alipay.trade.pay.
"""

import re
from collections.abc import Mapping
from typing import Any

from kassa_simulator import cashier_page
from kassa_simulator.alipay import cashier, trades
from kassa_simulator.alipay.wire import (
    NAME,
    Case,
    Refused,
    china_time,
    failed,
    invalid,
    merchant_of,
    text_of,
    yuan,
)
from kassa_simulator.frame import Answer, Books, Call, Charge

PATH = "/alipay/qr/"
POOR, UNSURE = "0001", "0002"
"""How a payer's code ends who has too little money, or who has to say yes first."""
_CODE = re.compile(r"(?:2[5-9]|30)[0-9]{14,22}", re.ASCII)


def precreate(case: Case) -> Mapping[str, Any]:
    """A code for the payer to scan. There is no trade before that. Raises: Refused."""
    order = trades.order_of(case)
    charge = case.books.charge_by_key(NAME, case.merchant.name, order.out_trade_no)
    if charge is not None:
        _still_open(trades.current(case.books, charge, now=case.now))
    code = case.books.digits(20, NAME, case.merchant.name, order.out_trade_no, "qr")
    kept = {"merchant": case.merchant.name, "parameters": dict(case.parameters)}
    case.books.put(NAME, "qr", code, {**kept, "biz": dict(case.biz)})
    return {
        "code": "10000",
        "msg": "Success",
        "out_trade_no": order.out_trade_no,
        "qr_code": f"{case.call.origin}{PATH}{code}",
    }


def scanned(books: Books, call: Call) -> Answer:
    """The payer's phone has read the code: now there is a trade, and it is shown."""
    kept = books.get(NAME, "qr", call.path.removeprefix(PATH))
    if kept is None:
        return cashier_page.words("There is no such code.", "二维码不存在。", status=404)
    merchant = merchant_of(books, kept["parameters"])
    case = Case(books, merchant, call, kept["parameters"], kept["biz"])
    try:
        return cashier.open_page(case)
    except Refused as refused:
        return cashier.error_page(refused)


def pay(case: Case) -> Mapping[str, Any]:
    """By the payer's own code: paid at once, unless the payer has to say yes. Raises: Refused."""
    if case.biz.get("scene") != "bar_code":
        raise invalid("scene")
    code = text_of(case.biz, "auth_code", 32)
    if not _CODE.fullmatch(code):
        raise failed("PAYMENT_AUTH_CODE_INVALID", "支付授权码无效")
    order = trades.order_of(case)
    known = case.books.charge_by_key(NAME, case.merchant.name, order.out_trade_no)
    charge = trades.opened(case)
    if known is None and (code.endswith(POOR) or case.call.decline):
        trades.closed(case.books, charge, now=case.now)
        raise failed("BUYER_BALANCE_NOT_ENOUGH", "买家余额不足")
    if known is None and not code.endswith(UNSURE):
        charge = trades.paid(case.books, charge, now=case.now)
    return _told(case, charge)


def _told(case: Case, charge: Charge) -> Mapping[str, Any]:
    said = {
        "out_trade_no": charge.key,
        "trade_no": charge.id,
        "buyer_logon_id": charge.data["buyer_logon_id"],
        "total_amount": yuan(charge.amount_minor),
    }
    if not charge.captured_minor:
        return {"code": "10003", "msg": "order success pay inprocess", **said}
    return {
        "code": "10000",
        "msg": "Success",
        **said,
        "receipt_amount": yuan(charge.captured_minor),
        "gmt_payment": china_time(case.now),
        "fund_bill_list": [
            {"amount": yuan(charge.captured_minor), "fund_channel": "ALIPAYACCOUNT"}
        ],
    }


def _still_open(charge: Charge) -> None:
    """Raises: Refused."""
    if charge.captured_minor:
        raise failed("TRADE_HAS_SUCCESS", "交易已被支付")
    if charge.status != "waiting":
        raise failed("TRADE_HAS_CLOSE", "交易已经关闭")
