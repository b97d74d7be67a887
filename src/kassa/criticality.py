"""What every route and every call is for: the one table that load shedding goes by.

A route that does not stand here cannot be made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kassa.base.domain.rate_limits import Criticality


@dataclass(frozen=True, slots=True)
class Traits:
    """`public`: who asks shows no credential of ours, so that their address has to count."""

    criticality: Criticality
    public: bool = False


_C = Criticality
_PROBE = Traits(_C.PROBE)
_MONEY, _ORDINARY, _QUESTION, _LIST = map(Traits, (_C.MONEY, _C.ORDINARY, _C.QUESTION, _C.LIST))
_PAGE, _PAYER = Traits(_C.ORDINARY, public=True), Traits(_C.MONEY, public=True)
_PAYER_ASKS = Traits(_C.QUESTION, public=True)

OF: Mapping[str, Traits] = {
    # orders
    "POST /v1/orders:create": _ORDINARY,
    "POST /v1/orders:verify": _QUESTION,
    "POST /pg/orders": _ORDINARY,
    "POST /pg/orders/sessions": _PAYER,
    "POST /pg/orders/pay/authenticate/{cf_payment_id}": _PAYER,
    "GET /pg/orders/{order_id}": _ORDINARY,
    "PATCH /pg/orders/{order_id}": _MONEY,
    "GET /pg/orders/{order_id}/payments": _LIST,
    "GET /pg/orders/{order_id}/payments/{cf_payment_id}": _QUESTION,
    "POST /pg/orders/{order_id}/authorization": _MONEY,
    "POST /pg/orders/{order_id}/refunds": _MONEY,
    "GET /pg/orders/{order_id}/refunds": _LIST,
    "GET /pg/orders/{order_id}/refunds/{refund_id}": _QUESTION,
    "GET /pg/orders/{order_id}/settlements": _LIST,
    "* /pg/": _PAGE,
    "kassa.orders.v1.PaymentService/CreateOrder": _ORDINARY,
    "kassa.orders.v1.PaymentService/VerifyPayment": _QUESTION,
    # business
    "GET /v1/payment/{id:path}": _ORDINARY,
    "POST /v1/payments:list": _LIST,
    "* /v1/payment/{id:path}": _PAGE,
    "* /v1/payments:list": _PAGE,
    "moego.business.payment.v1.PaymentService/GetPayment": _ORDINARY,
    "moego.business.payment.v1.PaymentService/ListPayments": _LIST,
    # checkout
    "POST /api/v1/payments": _MONEY,
    "GET /api/v1/payments/retry/{id}": _MONEY,
    "GET /api/v1/payments/verify/{id}": _QUESTION,
    "GET /api/v1/payments/{id}": _ORDINARY,
    "* /api/v1/payments": _PAGE,
    # gateway
    "POST /gateway/payment-requests": _MONEY,
    "GET /gateway/payment-requests/{payment_request_id}": _QUESTION,
    "POST /gateway/payment-requests/{payment_request_id}/refunds": _MONEY,
    "GET /gateway/payment-requests/{payment_request_id}/refunds/{refund_id}": _ORDINARY,
    "* /gateway/": _PAGE,
    # wallet
    "POST /v1/payments/pay": _MONEY,
    "POST /v1/payments/inquiryPayment": _QUESTION,
    "POST /v1/payments/capture": _MONEY,
    "POST /v1/payments/void": _MONEY,
    "POST /v1/payments/refund": _MONEY,
    "POST /v1/payments/refundApply": _MONEY,
    "POST /v1/payments/inquiryRefund": _QUESTION,
    "POST /v1/payments/cancel": _MONEY,
    "POST /v1/authorizations/consult": _ORDINARY,
    "POST /v1/authorizations/applyToken": _MONEY,
    "POST /v1/authorizations/revoke": _MONEY,
    "POST /v1/authorizations/cancelToken": _MONEY,
    "POST /wallet/pay-codes": _PAYER,
    "POST /wallet/consent-codes": _PAYER,
    "GET /wallet/agreements": _PAYER_ASKS,
    "GET /wallet/keys": _PAGE,
    "POST /wallet/agreements/{agreement_id}/end": _PAYER,
    "* /v1/payments/": _PAGE,
    "* /v1/authorizations/": _PAGE,
    # providers' notifications, and their pages' ways in and out
    "POST /providers/{account}": Traits(_C.NOTIFICATION),
    "GET /providers/{account}/pay/{reference}": _PAYER,
    "* /providers/{account}/paid/{reference}": _PAYER,
    # the cashier
    "GET /pay/static/{name}": _PROBE,  # a short list of small files, kept in memory
    "* /pay/{token}": _PAGE,
    "* /pay/{token}/confirm": _PAYER,
    "GET /pay/{token}/result": _PAYER_ASKS,
    "GET /agree/{token}": _PAGE,
    "* /agree/{token}/answer": _PAYER,
    "* /agree": _PAGE,
    "* /agree/{rest:path}": _PAGE,
    "* /pay": _PAGE,
    "* /pay/{rest:path}": _PAGE,
    # the sandbox's own pages
    "GET /sandbox/challenge/{reference}": _PAGE,
    "POST /sandbox/challenge/{reference}": _PAGE,
    "GET /sandbox/books": Traits(_C.LIST, public=True),
    "GET /sandbox/report.csv": Traits(_C.LIST, public=True),
    # ours
    "GET /livez": _PROBE,
    "GET /readyz": _PROBE,
}


def name_of(methods: str | Sequence[str], path: str) -> str:
    """How a route stands in the table: several methods at once are "*"."""
    several = not isinstance(methods, str) and len(methods) != 1
    method = "*" if several else methods if isinstance(methods, str) else next(iter(methods))
    return f"{method} {path}"


def of_route(methods: str | Sequence[str], path: str) -> Traits:
    return OF[name_of(methods, path)]
