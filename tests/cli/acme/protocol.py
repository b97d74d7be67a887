"""Acme's wire protocol, as its documentation would have it."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote

from kassa_simulator import cashier_page, decimals
from kassa_simulator.frame import (
    Answer,
    Books,
    Call,
    Change,
    Charge,
    Letter,
    Merchant,
    Operation,
    Told,
)

NAME = "acme"
_CHARGES, _REFUNDS, _PAGE = "/acme/v2/charges", "/acme/v2/refunds/", "/acme/pay/"
_STATES = {"waiting": "OPEN", "captured": "PAID", "declined": "REFUSED"}


class Acme:
    """See `ProviderProtocol`."""

    name = NAME
    credentials: Sequence[str] = ("api_key", "webhook_secret")

    def operation(self, call: Call) -> Operation:
        if call.path.startswith(_PAGE):
            return Operation.PAGE
        if call.method == "GET":
            return Operation.QUERY
        return Operation.REFUND if call.path.endswith("/refunds") else Operation.CHARGE

    def reference(self, call: Call) -> str:
        of_body = _content(call).get("reference")
        return of_body if isinstance(of_body, str) else unquote(call.path.rpartition("/")[2])

    def answer(self, books: Books, call: Call) -> Answer:
        if call.path.startswith(_PAGE):
            return _page(books, call)
        merchant = books.merchant_with(NAME, "api_key", call.headers.get("x-acme-key", ""))
        if merchant is None:
            return _error(401, "key")
        if call.path == _CHARGES and call.method == "POST":
            return _charged(books, call, merchant)
        if call.path.startswith(_REFUNDS):
            key = unquote(call.path.removeprefix(_REFUNDS))
            change = books.change_by_key(NAME, merchant.name, "refund", key)
            charge = books.charge(NAME, change.charge_id) if change else None
            return _json(_refund(charge, change)) if change and charge else _error(404, "unknown")
        path = call.path.removeprefix(f"{_CHARGES}/")
        charge = books.charge_by_key(NAME, merchant.name, unquote(path.removesuffix("/refunds")))
        if charge is None:
            return _error(404, "unknown")
        if path.endswith("/refunds"):
            return _refunded(books, call, merchant, charge)
        return _json({**_charge(charge), "page": f"{call.origin}{_PAGE}{charge.id}"})

    def distort(self, call: Call, answer: Answer, *, amount: bool) -> Answer:
        content = json.loads(answer.body) if answer.body.startswith(b"{") else {}
        if "value" not in content:
            return answer
        if amount:
            content["value"] = f"1{content['value']}"
        else:
            content["currency"] = "EUR" if content["currency"] == "USD" else "USD"
        return replace(answer, body=_packed(content))

    def not_found(self, call: Call) -> Answer:
        return _error(404, "unknown")

    def acts(self, charge: Charge) -> Sequence[str]:
        return ("pay", "decline") if charge.status == "waiting" else ()

    def act(self, books: Books, charge: Charge, action: str, *, now: datetime) -> Charge:
        if charge.status != "waiting":
            return charge
        charge = replace(charge, status="declined", updated_at=now)
        if action == "pay":
            charge = replace(charge, status="captured", captured_minor=charge.amount_minor)
            books.move(charge, "charge", charge.amount_minor, at=now, fee_minor=30)
        books.save_charge(charge)
        merchant = books.merchant(NAME, charge.merchant)
        if merchant is not None:
            books.tell(
                merchant,
                "charge",
                charge_id=charge.id,
                data=_charge(charge),
                url=charge.data["hook"],
            )
        return charge

    def write(self, merchant: Merchant, told: Told, *, now: datetime, forged: bool) -> Letter:
        content = {**told.data, "value": "0.01"} if forged else told.data
        body = told.written(_packed(content).decode())
        secret = "nobody's" if forged else merchant.credentials["webhook_secret"]
        mac = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-acme-mac": mac}
        return Letter(url=told.url, headers=headers, body=body)

    def heard(self, status: int, body: bytes) -> bool:
        return status == 200 and body == b"received"


PROTOCOL = Acme()


def _charged(books: Books, call: Call, merchant: Merchant) -> Answer:
    said = _content(call)
    key, currency = str(said.get("reference")), str(said.get("currency"))
    minor = decimals.minor(str(said.get("value")), currency)
    if minor is None:
        return _error(400, "value")
    charge = books.charge_by_key(NAME, merchant.name, key)
    if charge is None:
        charge = Charge(
            provider=NAME,
            merchant=merchant.name,
            id=books.new_id("ch_", NAME, merchant.name, key),
            key=key,
            amount_minor=minor,
            currency=currency,
            status="waiting",
            created_at=call.now,
            updated_at=call.now,
            data={name: str(said.get(name, "")) for name in ("text", "back", "hook")},
        )
        books.add_charge(charge)
    elif (charge.amount_minor, charge.currency) != (minor, currency):
        return _error(409, "reference")
    return _json({**_charge(charge), "page": f"{call.origin}{_PAGE}{charge.id}"})


def _refunded(books: Books, call: Call, merchant: Merchant, charge: Charge) -> Answer:
    said = _content(call)
    key, minor = str(said.get("reference")), decimals.minor(str(said["value"]), charge.currency)
    change = books.change_by_key(NAME, merchant.name, "refund", key)
    if change is None:
        if minor is None or charge.refunded_minor + minor > charge.captured_minor:
            return _error(422, "too_much")
        change = Change(
            provider=NAME,
            merchant=merchant.name,
            id=books.new_id("rf_", NAME, merchant.name, key),
            key=key,
            charge_id=charge.id,
            kind="refund",
            amount_minor=minor,
            status="done",
            created_at=call.now,
        )
        books.add_change(change)
        charge = replace(charge, refunded_minor=charge.refunded_minor + minor)
        books.save_charge(charge)
        books.move(charge, "refund", minor, at=call.now)
    return _json(_refund(charge, change))


def _page(books: Books, call: Call) -> Answer:
    charge = books.charge(NAME, call.path.removeprefix(_PAGE))
    if charge is None:
        return cashier_page.words("There is no such charge.", "没有此付款。", status=404)
    chosen = parse_qs(call.body.decode("utf-8", "replace")).get("action", [""])[0]
    if call.method == "POST" and chosen in PROTOCOL.acts(charge):
        charge = PROTOCOL.act(books, charge, chosen, now=call.now)
    if charge.status == "waiting":
        return cashier_page.question(
            merchant=charge.merchant,
            amount=decimals.shown(charge.amount_minor, charge.currency),
            about=charge.data["text"],
            target=f"{call.origin}{_PAGE}{charge.id}",
        )
    back = cashier_page.web_address(charge.data["back"])
    return cashier_page.sent_to(back) if back else cashier_page.words("Done.", "已完成。")


def _charge(charge: Charge) -> dict[str, Any]:
    return {
        "id": charge.id,
        "reference": charge.key,
        "value": decimals.shown(charge.amount_minor, charge.currency),
        "currency": charge.currency,
        "state": _STATES[charge.status],
    }


def _refund(charge: Charge, change: Change) -> dict[str, Any]:
    return {
        "id": change.id,
        "reference": change.key,
        "value": decimals.shown(change.amount_minor, charge.currency),
        "currency": charge.currency,
    }


def _content(call: Call) -> Mapping[str, Any]:
    try:
        content = json.loads(call.body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _json(content: Mapping[str, Any], status: int = 200) -> Answer:
    headers = {"content-type": "application/json"}
    return Answer(status=status, headers=headers, body=_packed(content))


def _error(status: int, code: str) -> Answer:
    return _json({"error": code}, status)


def _packed(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
