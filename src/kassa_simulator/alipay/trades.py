"""Alipay's trades: made when a payer opens the cashier, paid, closed, asked about.

A charge's `key` is its out_trade_no, its `id` the trade_no. Source: opendocs.alipay.com on
alipay.trade.page.pay, wap.pay, app.pay, query and close.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kassa_simulator.alipay.wire import (
    CHINA,
    CURRENCY,
    NAME,
    Biz,
    Case,
    china_moment,
    china_time,
    failed,
    invalid,
    minor_of,
    no_such_trade,
    text_of,
    yuan,
)
from kassa_simulator.frame import Books, Charge, Merchant

PRODUCTS: Mapping[str, str] = {
    "alipay.trade.page.pay": "FAST_INSTANT_TRADE_PAY",
    "alipay.trade.wap.pay": "QUICK_WAP_WAY",
    "alipay.trade.app.pay": "QUICK_MSECURITY_PAY",
    "alipay.trade.precreate": "FACE_TO_FACE_PAYMENT",
    "alipay.trade.pay": "FACE_TO_FACE_PAYMENT",
}
"""The product code that each method wants."""

FEE_PER_MILLE = 6
_REFUNDABLE_FOR = timedelta(days=365)
_DEFAULT_LIFETIME = timedelta(days=15)
_OUT_TRADE_NO = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_LIFETIME = re.compile(r"([1-9]\d{0,4})([mhdc])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_LONGEST_ADDRESS = 256


@dataclass(frozen=True, slots=True)
class Order:
    """What a payer is asked to pay, as the merchant signed it."""

    out_trade_no: str
    amount_minor: int
    data: Mapping[str, Any]


def order_of(case: Case) -> Order:
    """Raises: Refused."""
    biz = case.biz
    out_trade_no = text_of(biz, "out_trade_no", 64)
    if not _OUT_TRADE_NO.fullmatch(out_trade_no):
        raise invalid("out_trade_no")
    subject = text_of(biz, "subject", 256)
    if not subject:
        raise invalid("subject")
    # That of an app or of a code may be left out, as its documentation has it.
    product = text_of(biz, "product_code", 64)
    needed = case.method in ("alipay.trade.page.pay", "alipay.trade.wap.pay")
    if product != PRODUCTS[case.method] and (product or needed):
        raise invalid("product_code")
    for name in ("notify_url", "return_url"):
        if len(case.parameters.get(name, "")) > _LONGEST_ADDRESS:
            raise invalid(name)
    data = {
        "method": case.method,
        "subject": subject,
        "body": text_of(biz, "body", 128),
        "passback_params": text_of(biz, "passback_params", 512),
        "quit_url": text_of(biz, "quit_url", 400),
        "notify_url": case.parameters.get("notify_url", ""),
        "return_url": case.parameters.get("return_url", ""),
        "expires_at": _expiry(biz, case.now).isoformat(),
    }
    return Order(out_trade_no, minor_of(biz, "total_amount"), data)


def _expiry(biz: Biz, now: datetime) -> datetime:
    """The absolute one counts before the relative one, which begins when the trade is made."""
    if absolute := text_of(biz, "time_expire", 32):
        moment = china_moment(absolute)
        if moment is None:
            raise invalid("time_expire")
        return moment
    relative = text_of(biz, "timeout_express", 6)
    if not relative:
        return now + _DEFAULT_LIFETIME
    found = _LIFETIME.fullmatch(relative)
    if found is None:
        raise invalid("timeout_express")
    if found[2] == "c":
        if found[1] != "1":
            raise invalid("timeout_express")
        midnight = now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)
    lifetime = int(found[1]) * _UNITS[found[2]]
    if lifetime > _DEFAULT_LIFETIME:
        raise invalid("timeout_express")
    return now + lifetime


def opened(case: Case) -> Charge:
    """A payer opened the cashier: the trade of that number, made now if there was none.

    Raises: Refused when nobody can pay it any more, or it was opened with another content.
    """
    order = order_of(case)
    charge = case.books.charge_by_key(NAME, case.merchant.name, order.out_trade_no)
    if charge is None:
        if datetime.fromisoformat(order.data["expires_at"]) <= case.now:
            raise failed("TRADE_HAS_CLOSE", "订单已超时")
        return _made(case, order)
    charge = current(case.books, charge, now=case.now)
    if charge.captured_minor:
        raise failed("TRADE_HAS_SUCCESS", "交易已被支付")
    if charge.status != "waiting":
        raise failed("TRADE_HAS_CLOSE", "交易已经关闭")
    said = (order.amount_minor, order.data["subject"])
    if said != (charge.amount_minor, charge.data["subject"]):
        raise failed("CONTEXT_INCONSISTENT", "交易信息被篡改")
    newest = {name: order.data[name] for name in ("method", "notify_url", "return_url", "quit_url")}
    charge = replace(charge, data={**charge.data, **newest})
    case.books.save_charge(charge)
    return charge


def _made(case: Case, order: Order) -> Charge:
    about = (NAME, case.merchant.name, order.out_trade_no)
    day = case.now.astimezone(CHINA).strftime("%Y%m%d")
    buyer = case.books.digits(6, *about, "buyer")
    charge = Charge(
        provider=NAME,
        merchant=case.merchant.name,
        id=f"{day}2200{case.books.digits(16, *about, 'trade')}",
        key=order.out_trade_no,
        amount_minor=order.amount_minor,
        currency=CURRENCY,
        status="waiting",
        created_at=case.now,
        updated_at=case.now,
        data={
            **order.data,
            "buyer_user_id": f"2088102{buyer}073",
            "buyer_logon_id": f"buy***{buyer[-3:]}@example.com",
        },
    )
    case.books.add_charge(charge)
    return charge


def current(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """The trade as it is now: time closes what nobody paid."""
    expires_at = datetime.fromisoformat(charge.data["expires_at"])
    if charge.status == "waiting" and now >= expires_at:
        return closed(books, charge, now=expires_at)
    return charge


def paid(books: Books, charge: Charge, *, now: datetime) -> Charge:
    fee = (charge.amount_minor * FEE_PER_MILLE + 500) // 1000
    charge = replace(
        charge,
        status="captured",
        authorized_minor=charge.amount_minor,
        captured_minor=charge.amount_minor,
        updated_at=now,
        data={**charge.data, "paid_at": now.isoformat(), "fee_minor": fee},
    )
    books.save_charge(charge)
    books.move(charge, "charge", charge.amount_minor, at=now, fee_minor=fee)
    tell(books, charge, now=now)
    return charge


def closed(books: Books, charge: Charge, *, now: datetime) -> Charge:
    """Nobody can pay it any more."""
    data = {**charge.data, "closed_at": now.isoformat()}
    charge = replace(charge, status="closed", updated_at=now, data=data)
    books.save_charge(charge)
    tell(books, charge, now=now)
    return charge


def status_of(charge: Charge, now: datetime) -> str:
    """trade_status: a trade that was given back wholly is closed, an old paid one finished."""
    if charge.status == "waiting":
        return "WAIT_BUYER_PAY"
    if not charge.captured_minor or charge.refunded_minor == charge.captured_minor:
        return "TRADE_CLOSED"
    if now >= datetime.fromisoformat(charge.data["paid_at"]) + _REFUNDABLE_FOR:
        return "TRADE_FINISHED"
    return "TRADE_SUCCESS"


def tell(books: Books, charge: Charge, *, now: datetime, **more: str) -> None:
    """Queue the notification of how the trade stands. `more`: of a refund."""
    merchant = books.merchant(NAME, charge.merchant)
    if merchant is None:
        return
    received = yuan(charge.captured_minor)
    fields = {
        "trade_no": charge.id,
        "out_trade_no": charge.key,
        "buyer_id": charge.data["buyer_user_id"],
        "buyer_logon_id": charge.data["buyer_logon_id"],
        "trade_status": status_of(charge, now),
        "total_amount": yuan(charge.amount_minor),
        "subject": charge.data["subject"],
        "body": charge.data["body"],
        "passback_params": charge.data["passback_params"],
        "gmt_create": china_time(charge.created_at),
        **more,
    }
    if charge.captured_minor:
        fields |= {
            "receipt_amount": received,
            "buyer_pay_amount": received,
            "invoice_amount": received,
            "point_amount": "0.00",
            "fund_bill_list": json.dumps(
                [{"amount": received, "fundChannel": "ALIPAYACCOUNT"}], separators=(",", ":")
            ),
            "gmt_payment": china_time(datetime.fromisoformat(charge.data["paid_at"])),
        }
    if "closed_at" in charge.data:
        fields["gmt_close"] = china_time(datetime.fromisoformat(charge.data["closed_at"]))
    books.tell(
        merchant,
        fields["trade_status"],
        charge_id=charge.id,
        data={name: value for name, value in fields.items() if value},
        url=charge.data["notify_url"],
    )


def found(case: Case) -> Charge:
    """The trade a request names; trade_no counts before out_trade_no. Raises: Refused."""
    trade_no = text_of(case.biz, "trade_no", 64)
    out_trade_no = text_of(case.biz, "out_trade_no", 64)
    if trade_no:
        charge = case.books.charge(NAME, trade_no)
    elif out_trade_no:
        charge = case.books.charge_by_key(NAME, case.merchant.name, out_trade_no)
    else:
        raise invalid("out_trade_no, trade_no")
    if charge is None or charge.merchant != case.merchant.name:
        raise no_such_trade()
    return current(case.books, charge, now=case.now)


def query(case: Case) -> Mapping[str, Any]:
    """alipay.trade.query."""
    charge = found(case)
    received = yuan(charge.captured_minor)
    content: dict[str, Any] = {
        "code": "10000",
        "msg": "Success",
        "buyer_logon_id": charge.data["buyer_logon_id"],
        "buyer_pay_amount": received,
        "buyer_user_id": charge.data["buyer_user_id"],
        "invoice_amount": received,
        "out_trade_no": charge.key,
        "point_amount": "0.00",
        "receipt_amount": received,
        "total_amount": yuan(charge.amount_minor),
        "trade_no": charge.id,
        "trade_status": status_of(charge, case.now),
    }
    if charge.captured_minor:
        content["send_pay_date"] = china_time(datetime.fromisoformat(charge.data["paid_at"]))
        content["fund_bill_list"] = [{"amount": received, "fund_channel": "ALIPAYACCOUNT"}]
    return content


def close(case: Case) -> Mapping[str, Any]:
    """alipay.trade.close: only what waits for its payer. Raises: Refused."""
    charge = found(case)
    text_of(case.biz, "operator_id", 28)
    if charge.status != "waiting":
        raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
    charge = closed(case.books, charge, now=case.now)
    return {
        "code": "10000",
        "msg": "Success",
        "out_trade_no": charge.key,
        "trade_no": charge.id,
    }


def seller_of(merchant: Merchant) -> Mapping[str, str]:
    app_id = merchant.credentials["app_id"]
    return {
        "app_id": app_id,
        "auth_app_id": app_id,
        "seller_id": merchant.credentials["seller_id"],
    }
