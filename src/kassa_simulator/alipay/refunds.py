"""Alipay's refunds: of one request number once, and never more than was paid.

Source: opendocs.alipay.com on alipay.trade.refund and alipay.trade.fastpay.refund.query.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from kassa_simulator.alipay import trades
from kassa_simulator.alipay.wire import (
    NAME,
    Case,
    china_time,
    failed,
    invalid,
    minor_of,
    text_of,
    yuan,
)
from kassa_simulator.frame import Books, Change, Charge


def refund(case: Case) -> Mapping[str, Any]:
    """alipay.trade.refund. A repeat moves no money and says so. Raises: Refused."""
    amount = minor_of(case.biz, "refund_amount")
    request = text_of(case.biz, "out_request_no", 64)
    reason = text_of(case.biz, "refund_reason", 256)
    charge = trades.found(case)
    if not request and amount != charge.amount_minor:
        raise invalid("out_request_no")  # only a whole refund goes without
    request = request or charge.key
    made = _made(case.books, charge, request)
    if made is not None:
        if made.amount_minor != amount:
            raise failed("DISCORDANT_REPEAT_REQUEST", "同一退款请求号的退款金额不一致")
        return _told(charge, sent_back=0)
    _check(charge, amount, case.now)
    charge = _refunded(case.books, charge, request, amount, reason, case.now)
    return _told(charge, sent_back=amount)


def in_back_office(books: Books, charge: Charge, now: datetime) -> Charge:
    """All that is left, by a person in Alipay's own pages, under a number of Alipay's."""
    request = books.digits(24, NAME, "back office", charge.id, str(charge.refunded_minor))
    left = charge.captured_minor - charge.refunded_minor
    return _refunded(books, charge, request, left, "", now)


def _check(charge: Charge, amount: int, now: datetime) -> None:
    match trades.status_of(charge, now):
        case "WAIT_BUYER_PAY":
            raise failed("TRADE_STATUS_ERROR", "交易状态不合法")
        case "TRADE_CLOSED":
            raise failed("TRADE_HAS_CLOSE", "交易已经关闭")
        case "TRADE_FINISHED":
            raise failed("TRADE_HAS_FINISHED", "交易已完结，超过可退款时间")
    if amount > charge.captured_minor - charge.refunded_minor:
        raise failed("REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")


def _refunded(
    books: Books, charge: Charge, request: str, amount: int, reason: str, now: datetime
) -> Charge:
    after = charge.refunded_minor + amount
    returned = _fee_of(charge, after) - _fee_of(charge, charge.refunded_minor)
    books.add_change(
        Change(
            provider=NAME,
            merchant=charge.merchant,
            id=books.new_id("rf", NAME, charge.id, request),
            key=request,
            charge_id=charge.id,
            kind="refund",
            amount_minor=amount,
            status="done",
            created_at=now,
            data={"reason": reason, "fee_returned_minor": returned},
        )
    )
    data = {**charge.data, "refunded_at": now.isoformat()}
    if after == charge.captured_minor:
        data["closed_at"] = now.isoformat()
    charge = replace(charge, refunded_minor=after, updated_at=now, data=data)
    books.save_charge(charge)
    books.move(charge, "refund", amount, at=now, fee_minor=-returned)
    trades.tell(
        books,
        charge,
        now=now,
        out_biz_no=request,
        refund_fee=yuan(after),
        send_back_fee=yuan(amount),
        gmt_refund=china_time(now),
    )
    return charge


def _fee_of(charge: Charge, refunded: int) -> int:
    """How much of the fee has been given back once so much of the payment has."""
    fee: int = charge.data["fee_minor"]
    return fee * refunded // charge.captured_minor


def _told(charge: Charge, *, sent_back: int) -> Mapping[str, Any]:
    refunded_at = datetime.fromisoformat(charge.data["refunded_at"])
    return {
        "code": "10000",
        "msg": "Success",
        "buyer_logon_id": charge.data["buyer_logon_id"],
        "buyer_user_id": charge.data["buyer_user_id"],
        "fund_change": "Y" if sent_back else "N",
        "gmt_refund_pay": china_time(refunded_at),
        "out_trade_no": charge.key,
        "refund_fee": yuan(charge.refunded_minor),
        "send_back_fee": yuan(sent_back),
        "trade_no": charge.id,
    }


def query(case: Case) -> Mapping[str, Any]:
    """alipay.trade.fastpay.refund.query: a refund that was not made has no status at all.

    Raises: Refused.
    """
    request = text_of(case.biz, "out_request_no", 64)
    if not request:
        raise invalid("out_request_no")
    options = case.biz.get("query_options") or []
    charge = trades.found(case)
    made = _made(case.books, charge, request)
    if made is None:
        return {"code": "10000", "msg": "Success"}
    content = {
        "code": "10000",
        "msg": "Success",
        "out_request_no": request,
        "out_trade_no": charge.key,
        "refund_amount": yuan(made.amount_minor),
        "refund_status": "REFUND_SUCCESS",
        "total_amount": yuan(charge.amount_minor),
        "trade_no": charge.id,
    }
    if isinstance(options, list) and "gmt_refund_pay" in options:
        content["gmt_refund_pay"] = china_time(made.created_at)
    return content


def _made(books: Books, charge: Charge, request: str) -> Change | None:
    """The refund of that number; numbers are the trade's own."""
    changes = books.changes_of(NAME, charge.id)
    return next((change for change in changes if change.key == request), None)
