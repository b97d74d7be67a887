"""Orders: made, asked about, ended."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from kassa_simulator.cashfree.entities import order_json, payment_json
from kassa_simulator.cashfree.paying import (
    Order,
    add_attempt,
    attempts,
    current,
    end_order,
    in_flight,
    order_of,
)
from kassa_simulator.cashfree.wire import (
    NAME,
    Case,
    JsonObject,
    amount_in,
    body_of,
    dumps,
    invalid,
    missing,
    not_found,
    object_in,
    read_time,
    refusal,
    reply,
    seconds,
    text_in,
)
from kassa_simulator.frame import Answer

_ORDER_ID = re.compile(r"[A-Za-z0-9_-]{3,45}", re.ASCII)
_CUSTOMER_ID = re.compile(r"[A-Za-z0-9_-]{3,50}", re.ASCII)
_PHONE = re.compile(r"\d{10}|\+\d{8,15}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_SOONEST, _LATEST, _USUAL = timedelta(minutes=15), timedelta(days=30), timedelta(days=30)
_LEAST_MINOR, _MOST_MINOR = 100, 100_000_000
_LONGEST_URL = 250
_MOST_TAGS, _LONGEST_TAG = 10, 255
_SESSION_PARTS = 4
_HOME = ("127.0.0.1", "localhost")


def create(case: Case) -> Answer:
    """POST /orders: 200, not 201."""
    return reply(order_json(open_order(case, body_of(case.call)), case.version))


def open_order(case: Case, fields: Mapping[str, Any], *, key: str = "") -> Order:
    """An order and the payment that waits for its payer. `key`: the merchant's own reference of
    that payment, where it is not the order's id. Raises: Refused.
    """
    books, merchant = case.books, case.merchant.name
    currency = _currency(fields)
    amount = _amount(fields, currency)
    customer = _customer(fields)
    order_id = _order_id(case, fields)
    order: Order = {
        "order_id": order_id,
        "key": key or order_id,
        "cf_order_id": books.digits(14, NAME, "order", merchant, order_id),
        "merchant": merchant,
        "amount": amount,
        "currency": currency,
        "status": "ACTIVE",
        "session": _session(case, order_id),
        "created_at": seconds(case.now),
        "expires_at": _expiry(case, fields),
        "note": text_in(fields, "order_note", 3, 200),
        "customer": customer,
        "meta": _meta(fields),
        "tags": _tags(fields),
        "splits": dumps(fields.get("order_splits") or []),
        "charges": [],
        "version": case.version,
        "origin": case.call.origin,
    }
    if order_of(books, merchant, order_id) is not None:
        raise refusal(409, "order_already_exists", "order with same id is already present")
    books.put(NAME, "session", order["session"], {"merchant": merchant, "order_id": order_id})
    add_attempt(books, order, now=case.now)
    return order


def _currency(fields: Mapping[str, Any]) -> str:
    currency = fields.get("order_currency")
    if currency is None:
        raise missing("order_currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise invalid("order_currency", "should be a currency code")
    return currency


def _amount(fields: Mapping[str, Any], currency: str) -> int:
    amount = amount_in(fields, "order_amount", currency)
    if not _LEAST_MINOR <= amount <= _MOST_MINOR:
        raise invalid("order_amount", "should be from 1 to 1000000")
    return amount


def _customer(fields: Mapping[str, Any]) -> JsonObject:
    if fields.get("customer_details") is None:
        raise missing("customer_details")
    customer = object_in(fields, "customer_details")
    if customer.get("customer_id") is None:
        raise missing("customer_details.customer_id")
    if not _CUSTOMER_ID.fullmatch(str(customer["customer_id"])):
        raise refusal(
            400,
            "customer_id_invalid",
            "customer_details.customer_id : should be alphanumeric, from 3 to 50 characters",
        )
    if customer.get("customer_phone") is None:
        raise missing("customer_details.customer_phone")
    if not _PHONE.fullmatch(str(customer["customer_phone"])):
        raise refusal(
            400, "customer_phone_invalid", "customer_details.customer_phone : invalid value"
        )
    for name in ("customer_email", "customer_name"):
        text_in(customer, name, 3, 100)
    return customer


def _order_id(case: Case, fields: Mapping[str, Any]) -> str:
    order_id = fields.get("order_id")
    if order_id is None or order_id == "":
        counted = case.books.get(NAME, "nameless", case.merchant.name) or {"count": 0}
        counted["count"] += 1
        case.books.put(NAME, "nameless", case.merchant.name, counted)
        return case.books.new_id("order_", NAME, case.merchant.name, str(counted["count"]))
    if not isinstance(order_id, str) or not _ORDER_ID.fullmatch(order_id):
        raise invalid("order_id", "should be 3 to 45 letters, digits, '_' or '-'")
    return order_id


def _session(case: Case, order_id: str) -> str:
    """A little longer than a hundred signs, as Cashfree's are."""
    parts = [
        case.books.new_id("", NAME, "session", case.merchant.name, order_id, str(part))
        for part in range(_SESSION_PARTS)
    ]
    return "session_" + "".join(parts)


def _expiry(case: Case, fields: Mapping[str, Any]) -> int:
    if fields.get("order_expiry_time") is None:
        return seconds(case.now + _USUAL)
    expires_at = read_time("order_expiry_time", fields["order_expiry_time"])
    if not case.now + _SOONEST < expires_at < case.now + _LATEST:
        raise invalid("order_expiry_time", "should be more than 15 minutes and less than 30 days")
    return seconds(expires_at)


def _meta(fields: Mapping[str, Any]) -> JsonObject:
    meta = object_in(fields, "order_meta")
    for name in ("return_url", "notify_url"):
        address = meta.get(name)
        if address is not None and (
            not isinstance(address, str) or len(address) > _LONGEST_URL or not _web(address)
        ):
            raise invalid(f"order_meta.{name}", "should be a valid address")
    notify_url = str(meta.get("notify_url") or "https:")
    if not notify_url.startswith("https:") and urlsplit(notify_url).hostname not in _HOME:
        raise invalid("order_meta.notify_url", "should be https")
    return {name: meta.get(name) for name in ("return_url", "notify_url", "payment_methods")}


def _web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _tags(fields: Mapping[str, Any]) -> JsonObject:
    tags = object_in(fields, "order_tags")
    if len(tags) > _MOST_TAGS:
        raise invalid("order_tags", "should have at most 10 entries")
    for value in tags.values():
        if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_TAG:
            raise invalid("order_tags", "values should be between 1 and 255 characters")
    return tags


def own_order(case: Case, order_id: str) -> Order:
    """The merchant's order, as it is now. Raises: Refused with 404."""
    order = order_of(case.books, case.merchant.name, order_id)
    if order is None:
        raise not_found("order", "Order Reference Id does not exist")
    return current(case.books, order, now=case.now)


def fetch(case: Case, order_id: str) -> Answer:
    return reply(order_json(own_order(case, order_id), case.version))


def update(case: Case, order_id: str) -> Answer:
    """PATCH /orders/{order_id}: all it can do is to end the order."""
    order = own_order(case, order_id)
    if body_of(case.call).get("order_status") != "TERMINATED":
        raise invalid("order_status", "should be TERMINATED")
    if order["status"] == "PAID":
        raise refusal(400, "order_already_paid", "order is already paid")
    if order["status"] == "EXPIRED":
        raise refusal(400, "order_inactive", "order is no longer active")
    if order["status"] == "ACTIVE":
        waits = in_flight(case.books, order, now=case.now)
        status = "TERMINATION_REQUESTED" if waits else "TERMINATED"
        end_order(case.books, order, status, now=case.now)
    return reply(order_json(order, case.version))


def payments(case: Case, order_id: str) -> Answer:
    """A bare array, newest first."""
    order = own_order(case, order_id)
    begun = attempts(case.books, order)
    return reply([payment_json(charge, order, case.version) for charge in begun])


def payment(case: Case, order_id: str, cf_payment_id: str) -> Answer:
    order = own_order(case, order_id)
    for charge in attempts(case.books, order):
        if charge.id == cf_payment_id:
            return reply(payment_json(charge, order, case.version))
    raise not_found("payment", "payment with this id does not exist")
