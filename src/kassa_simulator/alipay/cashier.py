"""Alipay's cashier: the page in a browser, and what a phone's SDK does with an order string."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qs, urlencode

from kassa_simulator import cashier_page
from kassa_simulator.alipay import trades
from kassa_simulator.alipay.wire import (
    CURRENCY,
    NAME,
    Case,
    Refused,
    answered,
    case_of,
    china_time,
    letter_text,
    parameters_of,
    sign_of,
    yuan,
)
from kassa_simulator.frame import Answer, Books, Call, Charge, Merchant

PATH = "/alipay/cashier/"
_CLOSED = ("This order was closed unpaid.", "订单已关闭，未付款。")
_PAID, _CANCELLED, _FAILED = "9000", "6001", "4000"


def open_page(case: Case) -> Answer:
    """alipay.trade.page.pay and wap.pay: make the trade and show it to the payer."""
    charge = trades.opened(case)
    return cashier_page.sent_to(f"{case.call.origin}{PATH}{charge.id}")


def error_page(refused: Refused) -> Answer:
    """What a payer sees of a wrong address: not JSON, and in GBK."""
    english = f"{refused.sub_code}: this order cannot be paid."
    return cashier_page.words(english, refused.sub_msg, charset="gbk")


def page(books: Books, call: Call) -> Answer:
    """/alipay/cashier/{trade_no}: the question, and the payer's answer to it."""
    charge = books.charge(NAME, call.path.removeprefix(PATH))
    merchant = books.merchant(NAME, charge.merchant) if charge else None
    if charge is None or merchant is None:
        return cashier_page.words("There is no such order.", "没有此订单。", status=404)
    charge = trades.current(books, charge, now=call.now)
    if charge.status == "waiting" and call.method == "POST":
        form = parse_qs(call.body.decode("utf-8", "replace"))
        charge = _act(form.get("action", [""])[0])(books, charge, call)
    if charge.captured_minor:
        return _back(merchant, charge, call)
    if charge.status != "waiting":
        quit_url = cashier_page.web_address(charge.data["quit_url"])
        return cashier_page.sent_to(quit_url) if quit_url else cashier_page.words(*_CLOSED)
    return cashier_page.question(
        merchant=merchant.name,
        amount=f"{CURRENCY} {yuan(charge.amount_minor)}",
        about=f"{charge.data['subject']} · {charge.key}",
        target=f"{call.origin}{PATH}{charge.id}",
    )


def _act(action: str) -> Callable[[Books, Charge, Call], Charge]:
    match action:
        case "pay":
            return lambda books, charge, call: trades.paid(books, charge, now=call.now)
        case "decline":  # as in the payer's own list of orders: it is closed there
            return lambda books, charge, call: trades.closed(books, charge, now=call.now)
    return lambda books, charge, call: charge


def _back(merchant: Merchant, charge: Charge, call: Call) -> Answer:
    """To the shop, with signed words that say which trade it was, but not that it is paid."""
    return_url = cashier_page.web_address(charge.data["return_url"])
    if not return_url:
        return cashier_page.words("Paid. You may close this page.", "已付款，可以关闭此页面。")
    fields = {
        **_told(merchant, charge, call),
        "method": f"{charge.data['method']}.return",
        "version": "1.0",
        "sign_type": "RSA2",
    }
    fields["sign"] = sign_of(merchant, letter_text(fields))
    return cashier_page.sent_to(
        return_url + ("&" if "?" in return_url else "?") + urlencode(fields)
    )


def _told(merchant: Merchant, charge: Charge, call: Call) -> Mapping[str, str]:
    return {
        **trades.seller_of(merchant),
        "charset": "utf-8",
        "out_trade_no": charge.key,
        "timestamp": china_time(call.now),
        "total_amount": yuan(charge.amount_minor),
        "trade_no": charge.id,
    }


def phone(books: Books, call: Call) -> Answer:
    """POST /alipay/app with an order string: what the SDK on a phone tells the merchant's app.

    The payer pays where the query says `pay=1`, else looks at it and goes away.
    """
    parameters = parameters_of(replace(call, query=""))
    if parameters.get("method") != "alipay.trade.app.pay":
        return _sdk(_FAILED, "订单信息有误")
    try:
        case = case_of(books, call, parameters)
        charge = trades.opened(case)
    except Refused as refused:
        return _sdk(_FAILED, refused.sub_msg)
    if call.decline or parse_qs(call.query).get("pay") != ["1"]:
        return _sdk(_CANCELLED, "用户取消")
    charge = trades.paid(books, charge, now=call.now)
    told = {"code": "10000", "msg": "Success", **_told(case.merchant, charge, call)}
    signed = answered(case.method, told, case.merchant).body.decode()
    return _sdk(_PAID, "", f'{signed[:-1]},"sign_type":"RSA2"}}')


def _sdk(status: str, memo: str, result: str = "") -> Answer:
    content = {"resultStatus": status, "memo": memo, "result": result}
    return Answer(
        headers={"content-type": "application/json"},
        body=json.dumps(content, ensure_ascii=False).encode(),
    )
