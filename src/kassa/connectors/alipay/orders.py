"""The order that a payer takes to Alipay's cashier: its parameters, and which cannot be made."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kassa.base.domain.money import Money
from kassa.connectors.alipay.codes import PAY, PRECREATE, QR
from kassa.connectors.alipay.parameters import KEY, china_time, common_parameters, readable
from kassa.connectors.base import ChargeRequest, Declined


@dataclass(frozen=True, slots=True)
class Product:
    """One way of paying that Alipay sells, in its own words."""

    method: str
    code: str


PAGE = Product("alipay.trade.page.pay", "FAST_INSTANT_TRADE_PAY")  # a browser on a computer
WAP = Product("alipay.trade.wap.pay", "QUICK_WAP_WAY")  # a browser on a phone
APP = Product("alipay.trade.app.pay", "QUICK_MSECURITY_PAY")  # an app, through Alipay's own SDK

_FACE_TO_FACE = "FACE_TO_FACE_PAYMENT"
SCANNED_BY_PAYER = Product(PRECREATE, _FACE_TO_FACE)
SCANNED_BY_SHOP = Product(PAY, _FACE_TO_FACE)

PRODUCTS: Mapping[str, Product] = {"": PAGE, "wap": WAP, "app": APP}
"""By what the charge names as its instrument; PAGE for any other."""

_LIFETIME = timedelta(minutes=15)
_MARGIN = timedelta(seconds=30)  # Alipay closes first, so that no payment meets a closed order
_SHORTEST = timedelta(minutes=1)  # Alipay accepts no shorter expiry
_MOST = Money(100_000_000_00, "CNY")
_MAX_ADDRESS = 256
_MAX_SUBJECT = 256
_MAX_BODY = 128


def refusal(request: ChargeRequest) -> Declined | None:
    """Why Alipay could never take this order, or None."""
    if request.amount.currency != "CNY":
        return Declined(code="currency_unsupported", message="Alipay takes payments in CNY only.")
    if not 0 < request.amount.minor <= _MOST.minor:
        return Declined(
            code="amount_out_of_range",
            message="Alipay takes amounts from 0.01 to 100000000.00 CNY.",
        )
    if _closes_at(request) - request.now < _SHORTEST:
        return Declined(
            code="expired", message="There is too little time left to pay this with Alipay."
        )
    if max(len(request.notify_url), len(request.return_url)) > _MAX_ADDRESS:
        return Declined(
            code="address_too_long",
            message=f"Alipay takes addresses of at most {_MAX_ADDRESS} characters.",
        )
    return None


def order_parameters(
    request: ChargeRequest, product: Product, app_id: str
) -> tuple[dict[str, str], datetime]:
    """Everything to sign for an order that is not refused, and when its address stops working.

    Raises: ValueError for a key that Alipay cannot hold.
    """
    if not KEY.fullmatch(request.key):
        raise ValueError("a key for Alipay is 1 to 64 letters, digits or underscores")
    parameters = common_parameters(app_id, product.method, request.now)
    parameters["biz_content"] = _content(request, product)
    parameters["notify_url"] = request.notify_url
    if product is not APP:  # an app is never sent back: its SDK tells it
        parameters["return_url"] = request.return_url
    return parameters, min(request.now + _LIFETIME, request.expires_at)


def code_order(request: ChargeRequest) -> tuple[str, str, datetime]:
    """What is asked for a payment by a code: the method, its content, and when it closes.

    Raises: ValueError for a key that Alipay cannot hold.
    """
    product = SCANNED_BY_PAYER if request.instrument == QR else SCANNED_BY_SHOP
    parameters, _ = order_parameters(request, product, "")
    return product.method, parameters["biz_content"], _closes_at(request)


def _closes_at(request: ChargeRequest) -> datetime:
    return min(request.now + _LIFETIME, request.expires_at - _MARGIN)


def _content(request: ChargeRequest, product: Product) -> str:
    closes_at = _closes_at(request)
    subject = readable(request.subject) or readable(f"Order {request.order_id}")
    content = {
        "subject": subject[:_MAX_SUBJECT],
        "out_trade_no": request.key,
        "total_amount": f"{request.amount.major:f}",
        "product_code": product.code,
        # The relative one counts from the opening of the cashier; Alipay prefers the other.
        "timeout_express": f"{(closes_at - request.now) // _SHORTEST}m",
        "time_expire": china_time(closes_at),
    }
    body = readable(request.description)[:_MAX_BODY]
    if body:
        content["body"] = body
    if product is WAP and request.return_url:
        content["quit_url"] = request.return_url
    if product is SCANNED_BY_SHOP:
        content |= {"scene": "bar_code", "auth_code": request.instrument}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
