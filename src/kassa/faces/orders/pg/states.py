"""What every state inside is called in the words of the API: one table for each kind of thing."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from kassa.base.domain.lifecycle import (
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PaymentStatus,
)
from kassa.faces.orders.pg.versions import ApiVersion
from kassa.orders.domain.orders import Order
from kassa.orders.usecases.terminate_order import has_money
from kassa.payments.domain.payments import Method, Payment

_O, _S, _M = OrderStatus, PaymentStatus, ModificationStatus


class Standing(StrEnum):
    """What decides an order's word beside its status."""

    NOTHING = "nothing"  # no money was ever reserved for it
    MONEY = "money"  # money was reserved for it, or taken
    CLOSING = "closing"  # its end was asked for, and an attempt is open


# fmt: off
ORDER_STATUS: Mapping[tuple[OrderStatus, Standing], str] = {
    (_O.ACTIVE,   Standing.NOTHING): "ACTIVE",
    (_O.ACTIVE,   Standing.CLOSING): "TERMINATION_REQUESTED",
    (_O.ACTIVE,   Standing.MONEY):   "PAID",  # reserved: the payer has done all that he can
    (_O.PAID,     Standing.NOTHING): "PAID",
    (_O.PAID,     Standing.CLOSING): "PAID",
    (_O.PAID,     Standing.MONEY):   "PAID",
    (_O.EXPIRED,  Standing.NOTHING): "EXPIRED",
    (_O.EXPIRED,  Standing.CLOSING): "EXPIRED",
    (_O.EXPIRED,  Standing.MONEY):   "PAID",  # reserved, and let go when its time ran out
    (_O.CANCELED, Standing.NOTHING): "TERMINATED",
    (_O.CANCELED, Standing.CLOSING): "TERMINATED",
    (_O.CANCELED, Standing.MONEY):   "PAID",  # reserved, and voided
}
"""order_status. Money makes it PAID for ever: a void or refund is told by the payment."""
# fmt: on

PAYMENT_STATUS: Mapping[PaymentStatus, str] = {
    _S.CREATED: "NOT_ATTEMPTED",
    _S.REQUIRES_ACTION: "PENDING",
    _S.PROCESSING: "PENDING",
    _S.AUTHORIZED: "SUCCESS",
    _S.CAPTURED: "SUCCESS",
    _S.SETTLED: "SUCCESS",
    _S.CANCELED: "CANCELLED",
    _S.FAILED: "FAILED",
    _S.EXPIRED: "USER_DROPPED",
}
"""payment_status, unless the money was let go (VOID) or owed by nobody (CANCELLED)."""

ACTION: Mapping[ModificationKind, str] = {
    ModificationKind.CAPTURE: "CAPTURE",
    ModificationKind.VOID: "VOID",
}
"""authorization.action."""

ACTION_STATUS: Mapping[ModificationStatus, str | None] = {
    _M.REQUESTED: "PENDING",
    _M.PROCESSING: "PENDING",
    _M.SUCCEEDED: "SUCCESS",
    _M.FAILED: None,  # refused, so nothing was done: its clients have no word for that
}
"""authorization.status."""

GROUP: Mapping[Method, str | None] = {
    Method.CREDIT_CARD: "credit_card",
    Method.WALLET: "wallet",
    Method.ALIPAY: "wallet",
    Method.EWALLET: "wallet",
    Method.UPI: "upi",
    Method.NET_BANKING: "net_banking",
    Method.BANK_TRANSFER: "bank_transfer",
    Method.CASH: "cash",
    Method.CHECK: None,
}
"""payment_group."""

METHOD_KEY: Mapping[Method, str | None] = {
    Method.CREDIT_CARD: "card",
    Method.WALLET: "app",
    Method.ALIPAY: "app",
    Method.EWALLET: "app",
    Method.UPI: "upi",
    Method.NET_BANKING: "netbanking",
    Method.BANK_TRANSFER: "banktransfer",
    Method.CASH: None,
    Method.CHECK: None,
}
"""The one key of payment_method. Official clients refuse keys they do not know."""


def order_status(
    order: Order, payments: Sequence[Payment], version: ApiVersion, *, closing: bool = False
) -> str:
    """`closing`: its end was asked for and has not come."""
    standing = Standing.CLOSING if closing else Standing.NOTHING
    if has_money(payments):
        standing = Standing.MONEY
    word = ORDER_STATUS[order.status, standing]
    return version.words.get(word, word)


def payment_status(payment: Payment) -> str:
    if payment.surplus:
        return "CANCELLED"
    if payment.released_minor and not payment.captured.minor and not payment.held.minor:
        return "VOID"
    return PAYMENT_STATUS[payment.status]
