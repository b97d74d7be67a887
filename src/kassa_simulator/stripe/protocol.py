"""Stripe's interface: who asks, what for, and once or again under an idempotency key.

Source: https://docs.stripe.com/api, https://docs.stripe.com/webhooks
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from kassa_simulator.frame import Answer, Books, Call, Charge, Letter, Merchant, Operation, Told
from kassa_simulator.lines import Line
from kassa_simulator.payouts import Payout, nobodys_call
from kassa_simulator.stripe import (
    accounts,
    balance,
    by_hand,
    checkout,
    disputes,
    files,
    intents,
    lists,
    pages,
    refunds,
)
from kassa_simulator.stripe.asked import NAME, Asked, numbered, reference_in, seconds
from kassa_simulator.stripe.errors import IDEMPOTENCY, StripeError, no_such
from kassa_simulator.stripe.forms import read_form
from kassa_simulator.stripe.paying import Payer

_VERSION = "2026-10-28.endive"
_KEY_LASTS_SECONDS = 24 * 3600
_LONGEST_KEY = 255
_OTHER = {"usd": "eur"}
_AMOUNTS = (
    "amount amount_received amount_capturable amount_captured amount_total amount_subtotal"
).split()
_QUOTED = re.compile(r"""["']([^"']{1,500}+)["']\s{0,9}+\Z""")

Handler = Callable[..., dict[str, Any]]

_GET: Mapping[str, Handler] = {
    "account": accounts.retrieve,
    "payment_intents/*": intents.retrieve,
    "checkout/sessions/*": checkout.retrieve,
    "checkout/sessions/*/line_items": accounts.line_items,
    "refunds/*": refunds.retrieve,
    "charges/*": accounts.charge,
    "disputes/*": disputes.retrieve,
    "payouts/*": accounts.payout,
    "balance_transactions/*": accounts.transaction,
}
_LISTS: Mapping[str, Callable[[Asked], list[dict[str, Any]]]] = {
    "payment_intents": intents.list_all,
    "checkout/sessions": checkout.list_all,
    "refunds": refunds.list_all,
    "charges": accounts.charges,
    "disputes": disputes.list_all,
    "payouts": accounts.payouts,
    "balance_transactions": accounts.transactions,
}
_POST: Mapping[str, Handler] = {
    "payment_intents": intents.create,
    "payment_intents/*": intents.update,
    "payment_intents/*/confirm": intents.confirm,
    "payment_intents/*/capture": intents.capture,
    "payment_intents/*/cancel": intents.cancel,
    "checkout/sessions": checkout.create,
    "checkout/sessions/*/expire": checkout.expire,
    "refunds": refunds.create,
    "refunds/*": refunds.update,
    "disputes/*": disputes.update,
    "disputes/*/close": disputes.give_in,
}
_OPERATIONS: Mapping[str, Operation] = {
    "payment_intents": Operation.PREPARE,
    "payment_intents/*/confirm": Operation.CHARGE,
    "payment_intents/*/capture": Operation.CAPTURE,
    "payment_intents/*/cancel": Operation.VOID,
    "checkout/sessions": Operation.PREPARE,
    "checkout/sessions/*/expire": Operation.CLOSE,
    "refunds": Operation.REFUND,
}
_ACTIONS = frozenset("confirm capture cancel expire close search line_items".split())


class Stripe:
    """The protocol; it holds nothing."""

    name = NAME
    credentials: Sequence[str] = ("secret_key", "webhook_secret")

    def operation(self, call: Call) -> Operation:
        path = _path(call)
        if path[:1] != ["v1"]:
            return Operation.PAGE if pages.is_page(path) else Operation.OTHER
        pattern, _ = _pattern(path[1:])
        if call.method == "GET":
            if pattern.startswith(("payouts", "balance_transactions")):
                return Operation.REPORT
            return Operation.OTHER if pattern == "account" else Operation.QUERY
        operation = _OPERATIONS.get(pattern, Operation.OTHER)
        if operation is Operation.PREPARE and _form(call).get("confirm") == "true":
            return Operation.CHARGE
        return operation

    def reference(self, call: Call) -> str:
        params, (_, name) = _form(call), _pattern(_path(call)[1:])
        if call.method == "GET":
            quoted = _QUOTED.search(str(params.get("query", "")))
            asked = quoted[1] if quoted else params.get("payment_intent", "")
            return name or (asked if isinstance(asked, str) else "")
        inner = params.get("payment_intent_data")
        for metadata in (
            inner.get("metadata") if isinstance(inner, dict) else None,
            params.get("metadata"),
        ):
            if isinstance(metadata, dict) and (found := reference_in(metadata)):
                return found
        caller = params.get("client_reference_id", "")
        key = call.headers.get("idempotency-key", "")
        return name or (caller if isinstance(caller, str) and caller else key)

    def answer(self, books: Books, call: Call) -> Answer:
        path = _path(call)
        if pages.is_page(path):
            return pages.answer(books, call, path)
        key = call.headers.get("idempotency-key", "") if call.method == "POST" else ""
        try:
            merchant = _merchant(books, call)
            answer = _once(books, merchant, call, path, key)
        except StripeError as error:
            answer = _error(error)
        told = {"request-id": books.new_id("req_", numbered(books, "requests"))}
        told["stripe-version"] = call.headers.get("stripe-version", _VERSION)
        if key:
            told["idempotency-key"] = key
        return replace(answer, headers={**answer.headers, **told})

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        try:
            content = json.loads(answer.body)
        except ValueError:
            return answer
        if not isinstance(content, dict):
            return answer
        if isinstance(content.get("data"), list):
            content["data"] = [_distorted(each, amount) for each in content["data"]]
        return replace(answer, body=_json(_distorted(content, amount)))

    def picky(self, call: Call) -> Answer | None:
        pattern, _ = _pattern(_path(call)[1:])
        made = {"payment_intents": "", "checkout/sessions": "payment_intent_data"}
        if call.method != "POST" or pattern not in made:
            return None
        inside = made[pattern]
        try:
            params = read_form(call.body.decode("utf-8", "replace"))
        except StripeError:
            return None
        words = params.get(inside, {}) if inside else params
        if str(words.get("description", "Order ")).startswith("Order "):
            return None
        param = f"{inside}[description]" if inside else "description"
        return _error(StripeError("Invalid string: description", param=param))

    def not_found(self, call: Call) -> Answer:
        pattern, name = _pattern(_path(call)[1:])
        if call.method == "GET" and pattern in _LISTS:
            return _good({"object": "list", "data": [], "has_more": False, "url": call.path})
        if pattern.endswith("/search"):
            empty = {"object": "search_result", "data": [], "has_more": False}
            return _good({**empty, "next_page": None, "url": "/v1/" + pattern})
        kind = pattern.split("/*")[0].replace("/", ".").removesuffix("s")
        param = "intent" if kind == "payment_intent" else "id"
        return _error(no_such(kind, name, param=param))

    def busy(self, call: Call) -> Answer:
        """Another request with the same idempotency key has not ended."""
        key = call.headers.get("idempotency-key", "")
        return _error(
            StripeError(
                "There is currently another in-progress request using this Idempotent Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later.",
                status=409,
                kind=IDEMPOTENCY,
                code="idempotency_key_in_use",
            )
        )

    def acts(self, charge: Charge) -> Sequence[str]:
        return [*pages.may(charge), *by_hand.may(charge)]

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        merchant = books.merchant(NAME, charge.merchant)
        if merchant is None or action not in self.acts(charge):
            return charge
        payer = Payer(books, merchant, now)
        match action:
            case "pay":
                pages.pay(payer, charge)
            case "decline":
                pages.decline(payer, charge)
            case "close":
                checkout.close(payer, charge)
            case _ if action in by_hand.may(charge):
                by_hand.do(payer, charge, action)
            case _:
                disputes.act(books, merchant, charge, action, now)
        return books.charge(NAME, charge.id) or charge

    def payouts(self, books: Books, merchant: Merchant, now: datetime) -> Sequence[Payout]:
        balance.pay_out(Asked(books, merchant, nobodys_call(now), {}))
        return balance.payouts(books, merchant.name)

    def return_payout(
        self, books: Books, merchant: Merchant, reference: str, now: datetime
    ) -> bool:
        return balance.send_back(books, merchant, reference, now)

    def catch_up(self, books: Books, now: datetime) -> None:
        """Sessions expire, reservations lapse."""
        for kept in books.listed(NAME, "session"):
            session, merchant = kept["shown"], books.merchant(NAME, kept["merchant"])
            if session["status"] == "open" and session["expires_at"] <= seconds(now) and merchant:
                checkout.current(Payer(books, merchant, now), session["id"])
        for held in books.listed(NAME, "held"):
            charge = books.charge(NAME, held["intent"]) if held["until"] <= seconds(now) else None
            merchant = books.merchant(NAME, charge.merchant) if charge else None
            if charge is not None and merchant is not None:
                intents.aged(Payer(books, merchant, now), charge)

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        thing = dict(told.data["object"])
        if forged:
            thing = _distorted({**thing, "status": "succeeded"}, amount=True)
        event = {
            "id": told.id,
            "object": "event",
            "api_version": _VERSION,
            "created": seconds(told.at),
            "data": {"object": thing},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": told.data["idempotency_key"]},
            "type": told.event,
        }
        escaped = told.codec == "utf-8"
        body = told.written(json.dumps(event, indent=2, ensure_ascii=escaped))
        secret = "whsec_of_nobody" if forged else merchant.credentials["webhook_secret"]
        stamp = str(seconds(now))
        signed = stamp.encode() + b"." + body
        signature = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "stripe-signature": f"t={stamp},v1={signature}",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        return Letter(url=told.url or merchant.notify_url, headers=headers, body=body)

    def settlement_file(self, books: Books, lines: Sequence[Line], odd: Sequence[str]) -> bytes:
        return files.settlement_file(books, lines, odd)

    def heard(self, status: int, body: bytes) -> bool:
        return 200 <= status < 300


def _once(books: Books, merchant: Merchant, call: Call, path: list[str], key: str) -> Answer:
    """Under a key that is known, what was answered then; the key is forgotten after a day.

    Source: https://docs.stripe.com/api/idempotent_requests
    """
    if not key:
        return _tried(Asked(books, merchant, call, _read(call)), path)[0]
    if len(key) > _LONGEST_KEY:
        raise StripeError("Idempotency keys can be at most 255 characters long.", kind=IDEMPOTENCY)
    params = _read(call)
    about = json.dumps([call.method, call.path, params], sort_keys=True)
    fingerprint = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()
    known = books.recall(NAME, merchant.name, key)
    if known is not None:
        print_then, _, at = known[0].partition(" ")
        if seconds(call.now) - int(at) < _KEY_LASTS_SECONDS:
            if print_then != fingerprint:
                raise StripeError(
                    "Keys for idempotent requests can only be used with the same parameters they"
                    f" were first used with. Try using a key other than '{key}' if you meant to"
                    " execute a different request.",
                    kind=IDEMPOTENCY,
                )
            replayed = {**known[1].headers, "idempotent-replayed": "true"}
            return replace(known[1], headers=replayed)
    answer, kept = _tried(Asked(books, merchant, call, params), path)
    if kept:
        books.remember(NAME, merchant.name, key, f"{fingerprint} {seconds(call.now)}", answer)
    return answer


def _tried(asked: Asked, path: list[str]) -> tuple[Answer, bool]:
    """The answer, and whether an idempotency key remembers it."""
    try:
        return _good(lists.expanded(asked, _handled(asked, path))), True
    except StripeError as error:
        return _error(error), error.kept


def _handled(asked: Asked, path: list[str]) -> dict[str, Any]:
    pattern, name = _pattern(path[1:]) if path[:1] == ["v1"] else ("", "")
    url = "/v1/" + pattern
    if asked.call.method == "GET" and pattern in _LISTS:
        return lists.page(asked, _LISTS[pattern](asked), url)
    if asked.call.method == "GET" and pattern == "payment_intents/search":
        return lists.found(asked, intents.search(asked), url)
    handlers = {"GET": _GET, "POST": _POST}.get(asked.call.method, {})
    handler = handlers.get(pattern)
    if handler is None:
        raise StripeError(
            f"Unrecognized request URL ({asked.call.method}: /{'/'.join(path)}). Please see"
            " https://stripe.com/docs or we can help at https://support.stripe.com/.",
            status=404,
        )
    return handler(asked, name) if name else handler(asked)


def _merchant(books: Books, call: Call) -> Merchant:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    key = value.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise StripeError(
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=401,
        )
    merchant = books.merchant_with(NAME, "secret_key", key)
    if merchant is None:
        hidden = key[:8] + "*" * max(0, len(key) - 12) + key[-4:] if len(key) > 12 else "****"
        raise StripeError(f"Invalid API Key provided: {hidden}", status=401)
    return merchant


def _path(call: Call) -> list[str]:
    return [unquote(part) for part in call.path.split("/")[2:] if part]


def _pattern(path: list[str]) -> tuple[str, str]:
    """The address with its id as "*", and the id."""
    parts, name = [], ""
    fixed = 2 if path[:1] == ["checkout"] else 1
    for place, part in enumerate(path):
        is_id = place >= fixed and part not in _ACTIONS and not name
        if is_id:
            name = part
        parts.append("*" if is_id else part)
    return "/".join(parts), name


def _read(call: Call) -> dict[str, Any]:
    text = call.query if call.method == "GET" else call.body.decode("utf-8", "replace")
    return read_form(text)


def _form(call: Call) -> dict[str, Any]:
    """The same, empty where it cannot be read."""
    try:
        return _read(call)
    except StripeError:
        return {}


def _distorted(thing: dict[str, Any], amount: bool) -> dict[str, Any]:
    if amount:
        changed = {name: thing[name] + 100 for name in _AMOUNTS if thing.get(name)}
        return {**thing, **changed}
    if "currency" in thing:
        return {**thing, "currency": _OTHER.get(thing["currency"], "usd")}
    return thing


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=2).encode()


def _good(content: dict[str, Any]) -> Answer:
    return Answer(headers={"content-type": "application/json"}, body=_json(content))


def _error(error: StripeError) -> Answer:
    return Answer(
        status=error.status,
        headers={"content-type": "application/json"},
        body=_json({"error": error.body}),
    )


PROTOCOL = Stripe()
