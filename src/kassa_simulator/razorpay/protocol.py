"""Which call goes where, and what people may do to a Razorpay payment."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from kassa_simulator.frame import (
    Answer,
    Books,
    Call,
    Charge,
    Letter,
    Merchant,
    Operation,
    Told,
)
from kassa_simulator.lines import Line
from kassa_simulator.payouts import Payout, keep_returned, nobodys_call, returned_at
from kassa_simulator.razorpay import (
    by_hand,
    disputes,
    files,
    ledger,
    letters,
    links,
    orders,
    pages,
    paying,
    payments,
    refunds,
)
from kassa_simulator.razorpay.wire import (
    NAME,
    Case,
    Refused,
    body_of,
    merchant_of,
    no_such_id,
    no_such_url,
    parts_of,
    query_of,
    refusal,
)

_Handler = Callable[..., Answer]

_ROUTES: Sequence[tuple[str, str, Operation, _Handler]] = (
    ("POST", "orders", Operation.PREPARE, orders.create),
    ("GET", "orders", Operation.QUERY, orders.list_all),
    ("GET", "orders/*", Operation.QUERY, orders.fetch),
    ("PATCH", "orders/*", Operation.OTHER, orders.update),
    ("GET", "orders/*/payments", Operation.QUERY, orders.payments),
    ("GET", "payments", Operation.QUERY, payments.list_all),
    ("GET", "payments/*", Operation.QUERY, payments.fetch),
    ("PATCH", "payments/*", Operation.OTHER, payments.update),
    ("POST", "payments/*/capture", Operation.CAPTURE, payments.capture),
    ("POST", "payments/*/refund", Operation.REFUND, refunds.create),
    ("GET", "payments/*/refunds", Operation.QUERY, refunds.list_of),
    (
        "GET",
        "payments/*/refunds/*",
        Operation.QUERY,
        lambda case, payment_id, refund_id: refunds.fetch(case, refund_id, payment_id),
    ),
    ("GET", "refunds", Operation.QUERY, refunds.list_all),
    ("GET", "refunds/*", Operation.QUERY, refunds.fetch),
    ("GET", "disputes", Operation.QUERY, disputes.list_all),
    ("GET", "disputes/*", Operation.QUERY, disputes.fetch),
    ("POST", "payment_links", Operation.PREPARE, links.create),
    ("GET", "payment_links", Operation.QUERY, links.list_all),
    ("GET", "payment_links/*", Operation.QUERY, links.fetch),
    ("POST", "payment_links/*/cancel", Operation.CLOSE, links.cancel),
    ("GET", "settlements", Operation.REPORT, ledger.list_all),
    ("GET", "settlements/recon/combined", Operation.REPORT, ledger.recon),
    ("GET", "settlements/*", Operation.REPORT, ledger.fetch),
)

_AMOUNT = re.compile(r'"(amount|amount_paid|amount_due)":(\d{1,20}+)')
_CURRENCY = re.compile(r'"currency":"([A-Z]{3})"')
_WRONG_BY_MINOR = 100


class Razorpay:
    """See `ProviderProtocol`. Source: https://razorpay.com/docs/api/"""

    name = NAME
    credentials: Sequence[str] = ("key_id", "key_secret", "webhook_secret")

    def operation(self, call: Call) -> Operation:
        parts = parts_of(call)
        if not parts or parts[0] != "v1" or parts[1:2] == ["checkout"]:
            return Operation.PAGE
        found = _route(call.method, parts[1:])
        return found[0] if found else Operation.OTHER

    def reference(self, call: Call) -> str:
        """The receipt or the link's reference where it is said, else the id in the address."""
        parts = parts_of(call)[1:]
        if len(parts) > 1:
            return parts[1]
        if call.method == "GET":
            query = query_of(call)
            return query.get("receipt") or query.get("reference_id") or ""
        try:
            fields = body_of(call)
        except Refused:
            return ""
        return str(fields.get("receipt") or fields.get("reference_id") or "")

    def answer(self, books: Books, call: Call) -> Answer:
        try:
            return self._answer(books, call)
        except Refused as refused:
            return refused.answer

    def _answer(self, books: Books, call: Call) -> Answer:
        match parts_of(call):
            case ["pay", order_id]:
                return pages.pay_page(books, call, order_id)
            case ["i", link_id]:
                return pages.link_page(books, call, link_id)
            case ["v1", "checkout", "embedded"] if call.method == "POST":
                return pages.checkout(books, call)
            case ["v1", *rest]:
                case = Case(books, merchant_of(books, call), call)
                found = _route(call.method, rest)
                if found is None:
                    raise no_such_url()
                return found[1](case, *found[2])
        raise no_such_url()

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        text = answer.body.decode()
        if amount:
            text = _AMOUNT.sub(lambda m: f'"{m[1]}":{int(m[2]) + _WRONG_BY_MINOR}', text)
        else:
            text = _CURRENCY.sub(
                lambda m: f'"currency":"{"USD" if m[1] != "USD" else "EUR"}"', text
            )
        return replace(answer, body=text.encode())

    def picky(self, call: Call) -> Answer | None:
        if (call.method, parts_of(call)) != ("POST", ["v1", "payment_links"]):
            return None
        try:
            named = body_of(call).get("customer")
        except Refused:
            return None
        return refusal("The name format is invalid.", "customer.name").answer if named else None

    def not_found(self, call: Call) -> Answer:
        """A list finds nothing; an object is not known."""
        parts = parts_of(call)[1:]
        if call.method == "GET" and parts == ["payment_links"]:
            return replace(no_such_id().answer, status=200, body=b'{"payment_links":[]}')
        if call.method == "GET" and (len(parts) == 1 or parts[2:] in (["payments"], ["refunds"])):
            body = json.dumps({"entity": "collection", "count": 0, "items": []}).encode()
            return replace(no_such_id().answer, status=200, body=body)
        return no_such_id().answer

    def acts(self, charge: Charge) -> Sequence[str]:
        match charge.status:
            case "waiting":
                return ("pay", "decline", "close") if charge.data["link"] else ("pay", "decline")
            case "declined":
                return ("pay",)  # the payer tries again
            case "authorized":
                return ("close", *by_hand.may(charge))  # the authorisation lapses
            case "captured":
                return [*disputes.may(charge), *by_hand.may(charge)]
        return ()

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        match action, charge.status:
            case "pay", "declined":
                order = paying.order_of(books, charge.data["order_id"])
                if order is None or not paying.payable(books, order, now=now):
                    return charge
                attempt = paying.waiting_attempt(books, order, now=now)
                return paying.pay(books, attempt, now=now)
            case "pay", _:
                return paying.pay(books, charge, now=now)
            case "decline", _:
                return paying.decline(books, charge, now=now)
            case "close", "authorized":
                return paying.lapse(books, charge, now=now)
            case "close", _:
                link = paying.link_of(books, charge.data["link"])
                if link is not None:
                    paying.end_link(books, link, "expired", now=now)
                return books.charge(NAME, charge.id) or charge
            case _ if action in by_hand.may(charge):
                return by_hand.do(books, charge, action, now)
            case _:
                return disputes.act(books, charge, action, now=now)

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        return letters.write(merchant, told, forged=forged)

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        return files.settlement_file(books, lines, odd)

    def payouts(self, books: Books, merchant: Merchant, now: datetime) -> Sequence[Payout]:
        return ledger.payouts(Case(books, merchant, nobodys_call(now)))

    def return_payout(
        self, books: Books, merchant: Merchant, reference: str, now: datetime
    ) -> bool:
        """Nobody is told; the next transfer of the settlement has another UTR."""
        if reference not in ledger.first_transfers(Case(books, merchant, nobodys_call(now))):
            return False
        if returned_at(books, NAME, reference) is not None:
            return False
        keep_returned(books, NAME, reference, now)
        return True

    def heard(self, status: int, body: bytes) -> bool:
        return 200 <= status < 300


def _route(method: str, parts: Sequence[str]) -> tuple[Operation, _Handler, list[str]] | None:
    for known, pattern, operation, handler in _ROUTES:
        wanted = pattern.split("/")
        if known == method and len(wanted) == len(parts):
            pairs = list(zip(wanted, parts, strict=True))
            if all(want in ("*", part) for want, part in pairs):
                return operation, handler, [part for want, part in pairs if want == "*"]
    return None
