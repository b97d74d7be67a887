"""Which call goes where, and what people may do to a payment at the wallet."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kassa_simulator import cashier_page
from kassa_simulator.frame import Answer, Books, Call, Charge, Letter, Merchant, Operation, Told
from kassa_simulator.lines import Line
from kassa_simulator.wallet import by_hand, cashier, changes, files, letters, payments
from kassa_simulator.wallet.wire import (
    NAME,
    Body,
    Case,
    Ended,
    body_of,
    case_of,
    client_of,
    failed,
    illegal,
    sealed,
)

_PREFIX = "/wallet/v1/payments/"
_APIS: Mapping[str, tuple[Operation, Callable[[Case], Body]]] = {
    "pay": (Operation.CHARGE, payments.pay),
    "inquiryPayment": (Operation.QUERY, payments.inquire),
    "cancel": (Operation.CLOSE, payments.cancel),
    "cancelPayment": (Operation.CLOSE, payments.cancel),  # as some copies of the documents say
    "capture": (Operation.CAPTURE, changes.capture),
    "void": (Operation.VOID, payments.void),
    "refund": (Operation.REFUND, changes.refund),
    "refundApply": (Operation.REFUND, changes.refund),
    "inquiryRefund": (Operation.QUERY, changes.inquire_refund),
}
_REFERENCES = (
    "refundRequestId",
    "captureRequestId",
    "voidRequestId",
    "paymentRequestId",
    "refundId",
    "paymentId",
)
_AMOUNTS = ("paymentAmount", "refundAmount", "captureAmount", "transactionAmount")
_WRONG_BY_MINOR = 100


class Wallet:
    """See `ProviderProtocol`."""

    name = NAME
    credentials: Sequence[str] = ("client_id", "merchant_public_key", "private_key")

    def operation(self, call: Call) -> Operation:
        if call.path.startswith(payments.CASHIER):
            return Operation.PAGE
        api = call.path.removeprefix(_PREFIX)
        return _APIS[api][0] if api in _APIS else Operation.OTHER

    def reference(self, call: Call) -> str:
        """The id of the request in hand, else of what it is about."""
        body = body_of(call) or {}
        for name in _REFERENCES:
            if isinstance(body.get(name), str) and body[name]:
                return str(body[name]).encode(errors="replace").decode()
        return ""

    def answer(self, books: Books, call: Call) -> Answer:
        if call.path.startswith(payments.CASHIER):
            return cashier.page(books, call)
        if call.path.startswith(("/wallet/v1", "/wallet/v2")):
            return _api(books, call)
        return cashier_page.words("There is no such page.", "页面不存在。", status=404)

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        """In inquiries and captures; the answers to pay and refund name no amount."""
        content = json.loads(answer.body) if answer.body.startswith(b"{") else {}
        merchant = _known(call)
        said = [content, *content.get("transactions", [])]
        if merchant is None or not any(name in part for part in said for name in _AMOUNTS):
            return answer
        for part in said:
            for name in part.keys() & set(_AMOUNTS):
                value, currency = int(part[name]["value"]), part[name]["currency"]
                if amount:
                    value += _WRONG_BY_MINOR
                else:
                    currency = "EUR" if currency == "USD" else "USD"
                part[name] = {"currency": currency, "value": str(value)}
        return sealed(call, merchant, content)

    def signed(self, call: Call, content: Any, codec: str) -> Answer:
        return sealed(call, _known(call), content, codec)

    def picky(self, call: Call) -> Answer | None:
        try:
            order = json.loads(call.body).get("order", {}) if call.body else {}
        except ValueError:
            return None
        if str(order.get("orderDescription", "Order ")).startswith("Order "):
            return None
        return sealed(call, _known(call), illegal("order.orderDescription").content)

    def not_found(self, call: Call) -> Answer:
        is_refund = call.path == f"{_PREFIX}inquiryRefund"
        ended = changes.no_such_refund() if is_refund else payments.no_such_order()
        return sealed(call, _known(call), ended.content)

    def acts(self, charge: Charge) -> Sequence[str]:
        if charge.status == "waiting":
            return ("pay", "decline", "close")
        return by_hand.may(charge)

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        """To close is to let it expire."""
        charge = payments.current(books, charge, now=now)
        if action in by_hand.may(charge):
            return by_hand.do(books, charge, action, now)
        if charge.status != "waiting":
            return charge
        if action == "pay":
            return payments.paid(books, charge, now=now)
        why = "The order expired." if action == "close" else ""
        return payments.declined(books, charge, "PROCESS_FAIL", now=now, why=why)

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        return letters.write(merchant, told, forged=forged)

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        return files.settlement_file(books, lines, odd)

    def heard(self, status: int, body: bytes) -> bool:
        """Signed or not, the answer is its words."""
        try:
            content = json.loads(body)
            return status == 200 and content["result"]["resultStatus"] == "S"
        except (ValueError, KeyError, TypeError, RecursionError):
            return False


def _api(books: Books, call: Call) -> Answer:
    """The path first, then the client, the signature, the message, and what it wants."""
    merchant: Merchant | None = None
    try:
        merchant = client_of(books, call)
        api = call.path.removeprefix(_PREFIX)
        if api not in _APIS:
            raise failed("NO_INTERFACE_DEF")
        if call.method != "POST":
            raise failed("METHOD_NOT_SUPPORTED")
        return sealed(call, merchant, _APIS[api][1](case_of(books, call, merchant)))
    except Ended as ended:
        return sealed(call, merchant, ended.content)


def _known(call: Call) -> Merchant | None:
    try:
        return client_of(call.books, call) if call.books else None
    except Ended:
        return None
