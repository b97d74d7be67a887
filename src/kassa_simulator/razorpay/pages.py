"""The hosted checkout and the page of a payment link."""

from collections.abc import Mapping
from urllib.parse import urlencode

from kassa_simulator import decimals
from kassa_simulator.frame import Answer, Books, Call, Charge, Merchant
from kassa_simulator.onward import posted_to, sent_to, web_address
from kassa_simulator.payer_page import payer_page
from kassa_simulator.razorpay import links
from kassa_simulator.razorpay.entities import DECLINED
from kassa_simulator.razorpay.paying import (
    Order,
    current_link,
    decline,
    link_of,
    order_of,
    pay,
    payable,
    waiting_attempt,
)
from kassa_simulator.razorpay.wire import (
    NAME,
    JsonObject,
    amount_in,
    form_of,
    hex_mac,
    query_of,
    refusal,
)

_METHODS = ("card", "upi", "netbanking", "wallet")


def checkout(books: Books, call: Call) -> Answer:
    """POST /checkout/embedded: first from the shop's form, then from the payer's button.

    Source: https://razorpay.com/docs/payments/payment-gateway/web-integration/hosted/
    """
    fields = _fields(call)
    merchant = books.merchant_with(NAME, "key_id", _text(fields, "key_id"))
    if merchant is None:
        raise refusal("The api key provided is invalid", status=401)
    order = order_of(books, _text(fields, "order_id"))
    if order is None or order["merchant"] != merchant.name:
        raise refusal("The id provided does not exist", "order_id")
    if (
        fields.get("amount") not in (None, "")
        and amount_in(fields, order["currency"]) != (order["amount"])
    ):
        raise refusal("Your payment amount is different from your order amount.", "amount")
    return _answer(books, call, merchant, order, fields)


def pay_page(books: Books, call: Call, order_id: str) -> Answer:
    """/razorpay/pay/{order_id}: the same page by a mere address, for who cannot post a form."""
    order = order_of(books, order_id)
    merchant = books.merchant(NAME, order["merchant"]) if order else None
    if order is None or merchant is None:
        return payer_page(call, status=404, message="unknown")
    return _answer(books, call, merchant, order, _fields(call))


def _answer(
    books: Books, call: Call, merchant: Merchant, order: Order, fields: JsonObject
) -> Answer:
    cancel_url = web_address(fields.get("cancel_url"))
    if not payable(books, order, now=call.now):
        message = "paid" if order["paid"] >= order["amount"] else "closed"
        return payer_page(call, message=message, link=cancel_url)
    action = fields.get("action") if call.method == "POST" else None
    if action == "leave" and cancel_url:
        return sent_to(cancel_url)
    if action not in ("pay", "decline"):
        return _ask(call, merchant, order, fields)
    charge = _acted(books, call, order, str(action), _text(fields, "method"))
    callback_url = web_address(fields.get("callback_url"))
    if charge.status == "declined":
        if not callback_url:
            return _ask(call, merchant, order, fields, message="declined")
        return posted_to(callback_url, _errors(charge))
    if not callback_url:
        return payer_page(call, message="paid")
    return posted_to(callback_url, signed(merchant, order["id"], charge.id))


def _acted(books: Books, call: Call, order: Order, action: str, method: str) -> Charge:
    method = method if method in _METHODS else "card"
    charge = waiting_attempt(books, order, now=call.now)
    act = pay if action == "pay" else decline
    return act(books, charge, now=call.now, method=method)


def signed(merchant: Merchant, order_id: str, payment_id: str) -> Mapping[str, str]:
    """What a checkout hands back to the shop after a payment."""
    secret = merchant.credentials["key_secret"]
    return {
        "razorpay_payment_id": payment_id,
        "razorpay_order_id": order_id,
        "razorpay_signature": hex_mac(secret, f"{order_id}|{payment_id}"),
    }


def _errors(charge: Charge) -> Mapping[str, str]:
    order_id = charge.data["order_id"]
    metadata = f'{{"payment_id":"{charge.id}","order_id":"{order_id}"}}'
    told = {name.removeprefix("error_"): word for name, word in DECLINED.items()}
    return {f"error[{name}]": word for name, word in {**told, "metadata": metadata}.items()}


def _ask(
    call: Call, merchant: Merchant, order: Order, fields: JsonObject, message: str = ""
) -> Answer:
    kept = {name: _text(fields, name) for name in ("callback_url", "cancel_url", "method", "name")}
    kept |= {"key_id": merchant.credentials["key_id"], "order_id": order["id"]}
    left = decimals.shown(order["amount"] - order["paid"], order["currency"])
    return payer_page(
        call,
        title=kept["name"] or merchant.name,
        amount=f"{order['currency']} {left}",
        lines=[_text(fields, "description") or order["receipt"] or order["id"]],
        message=message,
        actions=("pay", "decline", *(("leave",) if web_address(kept["cancel_url"]) else ())),
        form={name: value for name, value in kept.items() if value},
    )


def link_page(books: Books, call: Call, link_id: str) -> Answer:
    """/razorpay/i/{id}: a payment link's own page."""
    link = link_of(books, link_id)
    order = order_of(books, link["order_id"]) if link else None
    merchant = books.merchant(NAME, link["merchant"]) if link else None
    if link is None or order is None or merchant is None:
        return payer_page(call, status=404, message="unknown")
    link = current_link(books, link, now=call.now)
    if link["status"] != "created":
        return payer_page(call, message="paid" if link["status"] == "paid" else "closed")
    fields = _fields(call)
    message = ""
    if call.method == "POST" and fields.get("action") in ("pay", "decline"):
        charge = _acted(books, call, order, str(fields["action"]), _text(fields, "method"))
        if charge.status == "captured":
            return _back(call, merchant, link_of(books, link_id) or link, charge)
        message = "declined"
    amount = decimals.shown(order["amount"], order["currency"])
    return payer_page(
        call,
        title=merchant.name,
        amount=f"{order['currency']} {amount}",
        lines=[link["description"] or link["reference_id"] or link_id],
        message=message,
        actions=("pay", "decline"),
    )


def _back(call: Call, merchant: Merchant, link: JsonObject, charge: Charge) -> Answer:
    callback_url = web_address(link["callback_url"])
    if not callback_url:
        return payer_page(call, message="paid")
    said = {
        "razorpay_payment_id": charge.id,
        "razorpay_payment_link_id": link["id"],
        "razorpay_payment_link_reference_id": link["reference_id"],
        "razorpay_payment_link_status": link["status"],
        "razorpay_signature": links.signature(merchant.credentials["key_secret"], link, charge.id),
    }
    joint = "&" if "?" in callback_url else "?"
    return sent_to(callback_url + joint + urlencode(said))


def _fields(call: Call) -> JsonObject:
    body = call.body.decode(errors="replace") if call.method == "POST" else ""
    return {**query_of(call), **form_of(body)}


def _text(fields: JsonObject, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""
