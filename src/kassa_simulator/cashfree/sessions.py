"""Paying from a server: POST /orders/sessions, and a one-time password after it."""

from collections.abc import Mapping
from typing import Any

from kassa_simulator.cashfree.paying import (
    Order,
    begin,
    current,
    fail,
    order_of,
    order_paid_by,
    pay,
    payable,
)
from kassa_simulator.cashfree.wire import (
    NAME,
    PREFIX,
    Case,
    JsonObject,
    body_of,
    cf_id,
    invalid,
    missing,
    money,
    not_found,
    object_in,
    refusal,
    reply,
)
from kassa_simulator.frame import Answer, Books, Call, Merchant

PAYS_AT_ONCE, DECLINES_AT_ONCE = "testsuccess@gocash", "testfailure@gocash"
"""UPI addresses whose payers answer a request for money at once; others take their time."""
_RIGHT_PASSWORD = "111000"
_GROUPS = {
    "card": "credit_card",
    "upi": "upi",
    "netbanking": "net_banking",
    "app": "wallet",
    "emi": "credit_card_emi",
    "cardless_emi": "cardless_emi",
    "paylater": "pay_later",
    "banktransfer": "bank_transfer",
}
_CHANNELS = {"card": ("link", "post"), "upi": ("link", "collect", "qrcode", "podQrCode")}
_LINK_CHANNELS = ("link",)
_APP_CHANNELS = ("link", "gpay", "phonepe", "podQrCode")


def session_of(books: Books, session_id: object) -> tuple[Merchant, Order] | None:
    """Whose session it is, and for which order: the session alone lets in."""
    kept = books.get(NAME, "session", session_id) if isinstance(session_id, str) else None
    merchant = books.merchant(NAME, kept["merchant"]) if kept else None
    order = order_of(books, kept["merchant"], kept["order_id"]) if kept else None
    return (merchant, order) if merchant and order else None


def merchant_of_session(books: Books, call: Call) -> Merchant:
    found = session_of(books, body_of(call).get("payment_session_id"))
    if found is None:
        raise refusal(
            400,
            "payment_session_id_invalid",
            "payment_session_id is not present or is invalid",
        )
    return found[0]


def create(case: Case) -> Answer:
    """POST /orders/sessions"""
    fields = body_of(case.call)
    found = session_of(case.books, fields.get("payment_session_id"))
    assert found is not None, "the session has let the caller in"
    order = current(case.books, found[1], now=case.now)
    kind, method = _method(fields)
    channel = _channel(kind, method)
    if not payable(order):
        raise refusal(400, "order_inactive", "order is no longer active")
    charge = begin(
        case.books,
        order,
        now=case.now,
        method={kind: _shown(kind, method, channel)},
        group=_GROUPS[kind],
        stage="PENDING" if channel == "collect" else "NOT_ATTEMPTED",
        holds=kind == "upi" and method.get("authorize_only") is True,
    )
    if case.call.decline or method.get("upi_id") == DECLINES_AT_ONCE:
        fail(case.books, charge, now=case.now)
    elif method.get("upi_id") == PAYS_AT_ONCE:
        pay(case.books, charge, now=case.now)
    return reply(
        {
            "payment_method": kind,
            "channel": channel,
            "action": _ACTIONS.get(channel, "custom"),
            "cf_payment_id": cf_id(charge.id, case.version),
            "payment_amount": money(charge.amount_minor, charge.currency),
            "data": _data(case, channel, charge.id),
        }
    )


_ACTIONS = {"link": "link", "post": "post"}


def _method(fields: Mapping[str, Any]) -> tuple[str, JsonObject]:
    if fields.get("payment_method") is None:
        raise missing("payment_method")
    chosen = object_in(fields, "payment_method")
    if len(chosen) != 1 or next(iter(chosen)) not in _GROUPS:
        raise invalid("payment_method", "should have exactly one known method")
    kind = next(iter(chosen))
    method = object_in(chosen, kind)
    if kind == "card" and not (
        method.get("instrument_id") or str(method.get("card_number") or "").isdigit()
    ):
        raise invalid("payment_method", "card.card_number : should be digits")
    return kind, method


def _channel(kind: str, method: Mapping[str, Any]) -> str:
    channel = method.get("channel")
    usual = _APP_CHANNELS if kind == "app" else _LINK_CHANNELS
    if channel not in _CHANNELS.get(kind, usual):
        raise invalid("payment_method", f"{kind}.channel : is no channel of this method")
    if channel == "collect" and "@" not in str(method.get("upi_id")):
        raise invalid("payment_method", "upi.upi_id : is no UPI address")
    return str(channel)


def _shown(kind: str, method: Mapping[str, Any], channel: str) -> JsonObject:
    """The method as payments say it: of a card only the last four digits are kept."""
    match kind:
        case "card" | "emi":
            last = str(method.get("card_number") or "1111")[-4:]
            return {
                "channel": channel,
                "card_number": f"XXXXXXXXXXXX{last}",
                "card_network": "visa",
                "card_type": "credit_card",
                "card_sub_type": "R",
                "card_country": "IN",
                "card_bank_name": "TEST Bank",
                "card_network_reference_id": None,
                "instrument_id": None,
            }
        case "upi":
            return {"channel": channel, "upi_id": method.get("upi_id")}
        case "netbanking":
            code = method.get("netbanking_bank_code")
            return {
                "channel": channel,
                "netbanking_bank_code": code if isinstance(code, int) else 3333,
                "netbanking_bank_name": "TEST Bank",
            }
    return {"channel": channel, "provider": method.get("provider"), "phone": method.get("phone")}


def _data(case: Case, channel: str, charge_id: str) -> JsonObject:
    base = case.call.origin + PREFIX
    data: JsonObject = {"url": None, "payload": None, "content_type": None, "method": None}
    if channel == "link":
        data |= {"url": f"{base}/view/gateway/{token_of(case.books, charge_id)}", "method": "get"}
    elif channel == "post":
        data |= {
            "url": f"{base}/orders/pay/authenticate/{charge_id}",
            "content_type": "application/json",
            "method": "post",
        }
    elif channel != "collect":
        data |= {"payload": {"qrcode": f"upi://pay?tr={charge_id}"}}
    return data


def token_of(books: Books, charge_id: str) -> str:
    """What the address of a payment's own page ends with."""
    token = books.new_id("", NAME, "gateway", charge_id)
    books.put(NAME, "gateway", token, {"charge": charge_id})
    return token


def authenticate(books: Books, call: Call, charge_id: str) -> Answer:
    """POST /orders/pay/authenticate/{cf_payment_id}: no credentials, just the password.

    The right one is 111000; any other is a decline.
    """
    charge = books.charge(NAME, charge_id)
    if charge is None or not charge.data.get("attempted_at"):
        raise not_found("payment", "payment with this id does not exist")
    fields = body_of(call)
    action = fields.get("action")
    if action not in ("SUBMIT_OTP", "RESEND_OTP"):
        raise invalid("action", "should be SUBMIT_OTP or RESEND_OTP")
    status = "SUCCESS"
    if action == "SUBMIT_OTP":
        if charge.status != "waiting":
            raise refusal(400, "transaction_status_invalid", "transaction is already over")
        right = fields.get("otp") == _RIGHT_PASSWORD
        (pay if right else fail)(books, charge, now=call.now)
        status = "SUCCESS" if right else "FAILED"
    version = order_paid_by(books, charge)["version"]
    return reply(
        {
            "cf_payment_id": cf_id(charge_id, version),
            "action": action,
            "authenticate_status": status,
            "payment_message": "payment is processed" if status == "SUCCESS" else "OTP is wrong",
        }
    )
