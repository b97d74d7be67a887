"""Which call goes where, and what people may do to a Cashfree payment."""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs

from kassa_simulator.cashfree import (
    authorization,
    by_hand,
    disputes,
    files,
    ledger,
    letters,
    links,
    orders,
    pages,
    paying,
    refunds,
    sessions,
    settlements,
    simulating,
)
from kassa_simulator.cashfree.wire import (
    NAME,
    Case,
    JsonObject,
    Refused,
    body_of,
    invalid,
    merchant_of,
    no_such_url,
    not_found,
    object_in,
    parts_of,
    refusal,
    version_of,
    with_headers,
)
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
from kassa_simulator.payouts import Payout, keep_returned, returned_at

_Handler = Callable[..., Answer]

_SESSIONS = ["orders", "sessions"]
_AUTHENTICATE = ["orders", "pay", "authenticate"]

# Fixed words before "*": "orders/sessions" is no order.
_ROUTES: Sequence[tuple[str, str, Operation, _Handler]] = (
    ("POST", "orders/sessions", Operation.CHARGE, sessions.create),
    ("POST", "orders", Operation.PREPARE, orders.create),
    ("GET", "orders/*", Operation.QUERY, orders.fetch),
    ("PATCH", "orders/*", Operation.CLOSE, orders.update),
    ("GET", "orders/*/payments", Operation.QUERY, orders.payments),
    ("GET", "orders/*/payments/*", Operation.QUERY, orders.payment),
    ("POST", "orders/*/authorization", Operation.CAPTURE, authorization.act),
    ("POST", "orders/*/refunds", Operation.REFUND, refunds.create),
    ("GET", "orders/*/refunds", Operation.QUERY, refunds.list_all),
    ("GET", "orders/*/refunds/*", Operation.QUERY, refunds.fetch),
    ("GET", "orders/*/settlements", Operation.REPORT, settlements.of_order),
    ("POST", "links", Operation.PREPARE, links.create),
    ("GET", "links/*", Operation.QUERY, links.fetch),
    ("POST", "links/*/cancel", Operation.CLOSE, links.cancel),
    ("GET", "links/*/orders", Operation.QUERY, links.orders_of),
    ("POST", "settlements", Operation.REPORT, settlements.list_all),
    ("POST", "settlement/recon", Operation.REPORT, settlements.recon_of_settlements),
    ("POST", "recon", Operation.REPORT, settlements.recon),
    ("POST", "simulate", Operation.OTHER, simulating.create),
    ("GET", "simulate/*", Operation.OTHER, simulating.fetch),
)

_AMOUNT = re.compile(
    r'"((?:order|payment|refund|captured|link)_amount)":(\d{1,20}+(?:\.\d{1,20}+)?)'
)
_CURRENCY = re.compile(r'"((?:order|payment|refund|settlement|link)_currency)":"([A-Z]{3})"')


class Cashfree:
    """See `ProviderProtocol`. Source: https://www.cashfree.com/docs/api-reference/payments/"""

    name = NAME
    credentials: Sequence[str] = ("client_id", "client_secret")

    def operation(self, call: Call) -> Operation:
        parts = parts_of(call)[1:]
        if parts[:1] == ["view"]:
            return Operation.PAGE
        if parts[:3] == _AUTHENTICATE:
            return Operation.OTHER
        found = _route(call.method, parts)
        if found is None:
            return Operation.OTHER
        voids = found[0] is Operation.CAPTURE and _body(call).get("action") == "VOID"
        return Operation.VOID if voids else found[0]

    def reference(self, call: Call) -> str:
        """The order's id, the session where only that is said."""
        parts = parts_of(call)[1:]
        if parts[:1] == ["view"]:
            return parse_qs(call.query).get("session", parts[-1:])[0]
        if parts == _SESSIONS:
            return str(_body(call).get("payment_session_id") or "")
        if parts[:1] == ["links"] and len(parts) > 1:
            return parts[1]
        if parts[:1] == ["orders"] and len(parts) > 1:
            return parts[-1] if parts[:3] == _AUTHENTICATE else parts[1]
        fields = _body(call)
        said = (fields.get(name) for name in ("order_id", "link_id", "entity_id"))
        return str(next(filter(None, said), ""))

    def answer(self, books: Books, call: Call) -> Answer:
        try:
            return self._answer(books, call)
        except Refused as refused:
            return with_headers(refused.answer, call)

    def _answer(self, books: Books, call: Call) -> Answer:
        match parts_of(call):
            case ["pg", "view", "sessions", "checkout"]:
                return pages.checkout(books, call)
            case ["pg", "view", "gateway", token]:
                return pages.bank(books, call, token)
            case ["pg", *parts]:
                return _api(books, call, parts)
        raise no_such_url()

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        text = answer.body.decode()
        if amount:
            text = _AMOUNT.sub(lambda m: f'"{m[1]}":{Decimal(m[2]) + 1}', text)
        else:
            text = _CURRENCY.sub(lambda m: f'"{m[1]}":"{"USD" if m[2] != "USD" else "EUR"}"', text)
        return replace(answer, body=text.encode())

    def picky(self, call: Call) -> Answer | None:
        try:
            customer = object_in(body_of(call), "customer_details") if call.body else {}
        except Refused:
            return None
        if call.method != "POST" or "customer_name" not in customer:
            return None
        field = "customer_details.customer_name"
        return with_headers(invalid(field, "invalid value provided").answer, call)

    def not_found(self, call: Call) -> Answer:
        parts = parts_of(call)[1:]
        kinds = {4: {"payments": "payment", "refunds": "refund"}}
        if parts[:1] == ["links"]:
            return with_headers(links.unknown().answer, call)
        entity = kinds.get(len(parts), {}).get(parts[2] if len(parts) > 2 else "", "order")
        return with_headers(not_found(entity, f"{entity} not found").answer, call)

    def _acts(self, charge: Charge) -> Sequence[str]:
        match charge.status:
            case "waiting":
                return ("pay", "decline", "close")
            case "declined":
                return ("pay",)  # the payer tries again
            case "captured":
                return disputes.may(charge)
        return ()

    def acts(self, charge: Charge) -> Sequence[str]:
        return [*self._acts(charge), *by_hand.may(charge)]

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        match action, charge.status:
            case "pay", "declined":
                order = paying.current(books, paying.order_paid_by(books, charge), now=now)
                if not paying.payable(order):
                    return charge
                return paying.pay(books, paying.begin(books, order, now=now), now=now)
            case "pay", _:
                return paying.pay(books, charge, now=now)
            case "decline", _:
                return paying.fail(books, charge, now=now)
            case "close", _:
                return paying.drop(books, charge, now=now)
            case _ if action in by_hand.may(charge):
                return by_hand.do(books, charge, action, now)
            case _:
                return disputes.act(books, charge, action, now=now)

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        return letters.write(merchant, told, now=now, forged=forged)

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        return files.settlement_file(books, lines, odd)

    def payouts(self, books: Books, merchant: Merchant, now: datetime) -> Sequence[Payout]:
        return ledger.payouts(books, merchant.name, now=now)

    def return_payout(
        self, books: Books, merchant: Merchant, reference: str, now: datetime
    ) -> bool:
        for one in ledger.settlements(books, merchant.name, now=now):
            if one["utr"] == reference:
                if returned_at(books, NAME, reference) is not None:
                    return False
                keep_returned(books, NAME, reference, now)
                letters.tell_settlement(books, merchant, one, "REVERSED")
                return True
        return False

    def heard(self, status: int, body: bytes) -> bool:
        return status == 200


def _api(books: Books, call: Call, parts: list[str]) -> Answer:
    if parts[:3] == _AUTHENTICATE and len(parts) == 4 and call.method == "POST":
        return with_headers(sessions.authenticate(books, call, parts[3]), call)
    version = version_of(call)
    by_session = parts == _SESSIONS
    merchant = (sessions.merchant_of_session if by_session else merchant_of)(books, call)
    found = _route(call.method, parts)
    if found is None:
        raise no_such_url()
    case = Case(books, merchant, call, version)
    return _once(case, lambda: found[1](case, *found[2]))


def _once(case: Case, handle: Callable[[], Answer]) -> Answer:
    """What was answered under this idempotency key, whether it succeeded or not."""
    call = case.call
    key = call.headers.get("x-idempotency-key", "")
    if not key or call.method == "GET":
        return with_headers(handle(), call)
    scope = f"{call.method} {call.path} {key}"
    fingerprint = hashlib.sha256(call.body).hexdigest()
    kept = case.books.recall(NAME, case.merchant.name, scope)
    if kept is not None:
        if kept[0] != fingerprint:
            raise refusal(
                422,
                "request_invalid",
                "invalid body in request for x-idempotency-key",
                "idempotency_error",
            )
        return with_headers(kept[1], call, replayed=True)
    try:
        answer = handle()
    except Refused as refused:
        answer = refused.answer
    case.books.remember(NAME, case.merchant.name, scope, fingerprint, answer)
    return with_headers(answer, call)


def _body(call: Call) -> JsonObject:
    try:
        return body_of(call)
    except Refused:
        return {}


def _route(method: str, parts: Sequence[str]) -> tuple[Operation, _Handler, list[str]] | None:
    for known, pattern, operation, handler in _ROUTES:
        wanted = pattern.split("/")
        if known == method and len(wanted) == len(parts):
            pairs = list(zip(wanted, parts, strict=True))
            if all(want in ("*", part) for want, part in pairs):
                return operation, handler, [part for want, part in pairs if want == "*"]
    return None
