"""Which call goes where, and what people may do to a trade at Alipay."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kassa_simulator import cashier_page, decimals
from kassa_simulator.alipay import bills, cashier, codes, files, letters, refunds, trades
from kassa_simulator.alipay.wire import (
    NAME,
    Case,
    Refused,
    answered,
    biz_of,
    case_of,
    merchant_of,
    no_such_trade,
    parameters_of,
    yuan,
)
from kassa_simulator.frame import Answer, Books, Call, Charge, Letter, Merchant, Operation, Told
from kassa_simulator.lines import Line

GATEWAY, PHONE = "/alipay/gateway.do", "/alipay/app"

_METHODS: Mapping[str, tuple[Operation, Callable[[Case], Mapping[str, Any]]]] = {
    "alipay.trade.precreate": (Operation.PREPARE, codes.precreate),
    "alipay.trade.pay": (Operation.CHARGE, codes.pay),
    "alipay.trade.query": (Operation.QUERY, trades.query),
    "alipay.trade.close": (Operation.CLOSE, trades.close),
    "alipay.trade.refund": (Operation.REFUND, refunds.refund),
    "alipay.trade.fastpay.refund.query": (Operation.QUERY, refunds.query),
    "alipay.data.dataservice.bill.downloadurl.query": (Operation.REPORT, bills.address),
}
_PAGES = ("alipay.trade.page.pay", "alipay.trade.wap.pay")
_AMOUNTS = ("total_amount", "refund_fee", "refund_amount")
_WRONG_BY_MINOR = 100


class Alipay:
    """See `ProviderProtocol`. Source: opendocs.alipay.com."""

    name = NAME
    credentials: Sequence[str] = ("app_id", "seller_id", "app_public_key", "private_key")

    def operation(self, call: Call) -> Operation:
        if call.path == PHONE:
            return Operation.CHARGE
        if call.path.startswith(bills.PATH):
            return Operation.REPORT
        if call.path != GATEWAY:
            is_page = call.path.startswith((cashier.PATH, codes.PATH))
            return Operation.PAGE if is_page else Operation.OTHER
        method = parameters_of(call).get("method", "")
        if method in _PAGES:
            return Operation.PAGE
        return _METHODS[method][0] if method in _METHODS else Operation.OTHER

    def reference(self, call: Call) -> str:
        """The refund's number where there is one, else the trade's."""
        biz = biz_of(parameters_of(call)) or {}
        for name in ("out_request_no", "out_trade_no", "trade_no", "bill_date"):
            if isinstance(biz.get(name), str) and biz[name]:
                return str(biz[name]).encode(errors="replace").decode()
        return ""

    def answer(self, books: Books, call: Call) -> Answer:
        if call.path == GATEWAY:
            return _gateway(books, call)
        if call.path == PHONE and call.method == "POST":
            return cashier.phone(books, call)
        if call.path.startswith(cashier.PATH):
            return cashier.page(books, call)
        if call.path.startswith(codes.PATH):
            return codes.scanned(books, call)
        if call.path.startswith(bills.PATH):
            return bills.download(books, call)
        return cashier_page.words("There is no such page.", "页面不存在。", status=404)

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        """Another amount; Alipay's answers name no currency."""
        parameters = parameters_of(call)
        merchant = _known(call, parameters)
        method = parameters.get("method", "")
        if not amount or merchant is None or method not in _METHODS:
            return answer
        content = json.loads(answer.body)[f"{method.replace('.', '_')}_response"]
        for name in _AMOUNTS:
            minor = decimals.minor(content[name], "CNY") if name in content else None
            if minor is not None:
                content[name] = yuan(minor + _WRONG_BY_MINOR)
        return answered(method, content, merchant)

    def signed(self, call: Call, content: Any, codec: str) -> Answer:
        parameters = parameters_of(call)
        merchant, method = _known(call, parameters), parameters.get("method", "")
        node = f"{method.replace('.', '_')}_response"
        return answered(method, content[node], merchant if "sign" in content else None, codec)

    def not_found(self, call: Call) -> Answer:
        parameters = parameters_of(call)
        method = parameters.get("method", "")
        is_bill = self.operation(call) is Operation.REPORT
        refused = bills.no_such_bill() if is_bill else no_such_trade()
        return answered(method, refused.content, _known(call, parameters))

    def acts(self, charge: Charge) -> Sequence[str]:
        if charge.status == "waiting":
            return ("pay", "decline", "close")
        left = charge.status == "captured" and charge.refunded_minor < charge.captured_minor
        return ("refund",) if left else ()

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        charge = trades.current(books, charge, now=now)
        if action == "refund" and action in self.acts(charge):
            return refunds.in_back_office(books, charge, now)
        if charge.status != "waiting":
            return charge
        if action == "pay":
            return trades.paid(books, charge, now=now)
        return trades.closed(books, charge, now=now)

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        return letters.write(merchant, told, forged=forged)

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        return files.settlement_file(books, lines, odd)

    def heard(self, status: int, body: bytes) -> bool:
        return status == 200 and body == b"success"


def _gateway(books: Books, call: Call) -> Answer:
    parameters = parameters_of(call)
    method = parameters.get("method", "")
    try:
        case = case_of(books, call, parameters)
        if method in _PAGES:
            return cashier.open_page(case)
        if method not in _METHODS:
            raise Refused("40002", "isv.invalid-method", "不存在的方法名")
        return answered(method, _METHODS[method][1](case), case.merchant)
    except Refused as refused:
        if method in _PAGES:
            return cashier.error_page(refused)
        signer = _signer(books, parameters) if refused.signed else None
        return answered(method if method in _METHODS else "", refused.content, signer)


def _signer(books: Books, parameters: Mapping[str, str]) -> Merchant | None:
    try:
        return merchant_of(books, parameters)
    except Refused:
        return None


def _known(call: Call, parameters: Mapping[str, str]) -> Merchant | None:
    return _signer(call.books, parameters) if call.books else None
