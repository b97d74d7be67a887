"""What every route and every call is for, and who may ask it: the one table that load shedding and
permissions go by.

A route that does not stand here cannot be made, nor one that does not say who may ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kassa.base.domain.rate_limits import Criticality
from kassa.identity.domain.permissions import Bearer, Permission


@dataclass(frozen=True, slots=True)
class Traits:
    """`allowed`: permissions, one of which lets a credential in; or what opens it instead, which
    is no credential. `public`: who asks shows no credential of ours, so that their address has to
    count."""

    criticality: Criticality
    allowed: tuple[Permission, ...] | Bearer
    public: bool = False

    def __post_init__(self) -> None:
        if not self.allowed:
            raise ValueError("a route says who may ask")

    @property
    def needed(self) -> tuple[Permission, ...]:
        """One of these; none where no credential opens it."""
        return () if isinstance(self.allowed, Bearer) else self.allowed


_C, _P = Criticality, Permission


def _money(*needed: Permission) -> Traits:
    return Traits(_C.MONEY, needed)


def _ordinary(*needed: Permission) -> Traits:
    return Traits(_C.ORDINARY, needed)


def _question(*needed: Permission) -> Traits:
    return Traits(_C.QUESTION, needed)


def _list(*needed: Permission) -> Traits:
    return Traits(_C.LIST, needed)


_PROBE = Traits(_C.PROBE, Bearer.NOBODY)
_PAGE = Traits(_C.ORDINARY, Bearer.PAYER, public=True)
_PAYER = Traits(_C.MONEY, Bearer.PAYER, public=True)
_PAYER_ASKS = Traits(_C.QUESTION, Bearer.PAYER, public=True)
_NOTHING_HERE = Traits(_C.ORDINARY, Bearer.NOBODY, public=True)
_USER = Traits(_C.MONEY, Bearer.WALLET_USER, public=True)

OF: Mapping[str, Traits] = {
    # orders
    "POST /v1/orders:create": _ordinary(_P.ORDERS_CREATE),
    "POST /v1/orders:verify": _question(_P.ORDERS_READ),
    "POST /pg/orders": _ordinary(_P.ORDERS_CREATE),
    "POST /pg/orders/sessions": _PAYER,
    "POST /pg/orders/pay/authenticate/{cf_payment_id}": _PAYER,
    "GET /pg/orders/{order_id}": _ordinary(_P.ORDERS_READ),
    "PATCH /pg/orders/{order_id}": _money(_P.ORDERS_CANCEL),
    "GET /pg/orders/{order_id}/payments": _list(_P.ORDERS_READ),
    "GET /pg/orders/{order_id}/payments/{cf_payment_id}": _question(_P.ORDERS_READ),
    "POST /pg/orders/{order_id}/authorization": _money(_P.ORDERS_CAPTURE, _P.ORDERS_VOID),
    "POST /pg/orders/{order_id}/refunds": _money(_P.ORDERS_REFUND),
    "GET /pg/orders/{order_id}/refunds": _list(_P.ORDERS_READ),
    "GET /pg/orders/{order_id}/refunds/{refund_id}": _question(_P.ORDERS_READ),
    "GET /pg/orders/{order_id}/settlements": _list(_P.ORDERS_READ),
    "* /pg/": _NOTHING_HERE,
    "kassa.orders.v1.PaymentService/CreateOrder": _ordinary(_P.ORDERS_CREATE),
    "kassa.orders.v1.PaymentService/VerifyPayment": _question(_P.ORDERS_READ),
    # business
    "GET /v1/payment/{id:path}": _ordinary(_P.BUSINESS_READ),
    "POST /v1/payments:list": _list(_P.BUSINESS_READ),
    "* /v1/payment/{id:path}": _NOTHING_HERE,
    "* /v1/payments:list": _NOTHING_HERE,
    "moego.business.payment.v1.PaymentService/GetPayment": _ordinary(_P.BUSINESS_READ),
    "moego.business.payment.v1.PaymentService/ListPayments": _list(_P.BUSINESS_READ),
    # checkout
    "POST /api/v1/payments": _money(_P.CHECKOUT_CREATE),
    "GET /api/v1/payments/retry/{id}": _money(_P.CHECKOUT_CREATE),
    "GET /api/v1/payments/verify/{id}": _question(_P.CHECKOUT_READ),
    "GET /api/v1/payments/{id}": _ordinary(_P.CHECKOUT_READ),
    "* /api/v1/payments": _NOTHING_HERE,
    # gateway
    "POST /gateway/payment-requests": _money(_P.GATEWAY_CREATE),
    "GET /gateway/payment-requests/{payment_request_id}": _question(_P.GATEWAY_READ),
    "POST /gateway/payment-requests/{payment_request_id}/refunds": _money(_P.GATEWAY_REFUND),
    "GET /gateway/payment-requests/{payment_request_id}/refunds/{refund_id}": _ordinary(
        _P.GATEWAY_READ
    ),
    "* /gateway/": _NOTHING_HERE,
    # wallet
    "POST /v1/payments/pay": _money(_P.WALLET_CREATE),
    "POST /v1/payments/inquiryPayment": _question(_P.WALLET_READ),
    "POST /v1/payments/capture": _money(_P.WALLET_CAPTURE),
    "POST /v1/payments/void": _money(_P.WALLET_VOID),
    "POST /v1/payments/refund": _money(_P.WALLET_REFUND),
    "POST /v1/payments/refundApply": _money(_P.WALLET_REFUND),
    "POST /v1/payments/inquiryRefund": _question(_P.WALLET_READ),
    "POST /v1/payments/cancel": _money(_P.WALLET_CANCEL),
    "POST /v1/authorizations/consult": _ordinary(_P.WALLET_AGREE),
    "POST /v1/authorizations/applyToken": _money(_P.WALLET_AGREE),
    "POST /v1/authorizations/revoke": _money(_P.WALLET_AGREE),
    "POST /v1/authorizations/cancelToken": _money(_P.WALLET_AGREE),
    "POST /wallet/pay-codes": _USER,
    "POST /wallet/consent-codes": _USER,
    "GET /wallet/agreements": Traits(_C.QUESTION, Bearer.WALLET_USER, public=True),
    "GET /wallet/keys": _NOTHING_HERE,
    "POST /wallet/agreements/{agreement_id}/end": _USER,
    "* /v1/payments/": _NOTHING_HERE,
    "* /v1/authorizations/": _NOTHING_HERE,
    # admin
    "GET /admin/v1/companies": _list(_P.ADMIN_READ),
    "GET /admin/v1/companies/{company_id}": _question(_P.ADMIN_READ),
    "GET /admin/v1/businesses": _list(_P.ADMIN_READ),
    "POST /admin/v1/businesses": _ordinary(_P.ADMIN_BUSINESSES),
    "GET /admin/v1/credentials": _list(_P.ADMIN_READ),
    "POST /admin/v1/credentials": _ordinary(_P.ADMIN_CREDENTIALS),
    "GET /admin/v1/credentials/{credential_id}": _question(_P.ADMIN_READ),
    "POST /admin/v1/credentials/{credential_id}/disable": _money(_P.ADMIN_CREDENTIALS),
    "POST /admin/v1/credentials/{credential_id}/enable": _ordinary(_P.ADMIN_CREDENTIALS),
    "POST /admin/v1/credentials/{credential_id}/rotate": _ordinary(_P.ADMIN_CREDENTIALS),
    "* /admin/": _NOTHING_HERE,
    # providers' notifications, and their pages' ways in and out
    "POST /providers/{account}": Traits(_C.NOTIFICATION, Bearer.PROVIDER),
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
    "GET /sandbox/books": Traits(_C.LIST, (_P.BUSINESS_READ,), public=True),
    "GET /sandbox/report.csv": Traits(_C.LIST, (_P.BUSINESS_READ,), public=True),
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
