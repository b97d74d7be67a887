"""A request for every route and call that a credential opens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A request. `kind`: of the credential that opens it. `about`: which object it names; "" for
    none. `path` and `body`: with THEID where that object's id stands."""

    kind: str
    path: str
    body: Any = None
    about: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


VERSION = {"x-api-version": "2025-01-01"}
_PG = "/pg/orders/THEID"
_CUSTOMER = {
    "customer_name": "Alice",
    "customer_email": "alice@example.com",
    "customer_phone": "9000000000",
    "order_amount": 10,
    "business_id": "THEID",
}
_PG_ORDER = {
    "order_amount": 10,
    "order_currency": "CNY",
    "business_id": "THEID",
    "customer_details": {"customer_id": "c_1", "customer_phone": "9000000000"},
}
_CAPTURE, _VOID = {"action": "CAPTURE"}, {"action": "VOID"}
REFUND = {"refund_amount": 1, "refund_id": "refund_of_mine", "refund_note": "as agreed"}
_GATEWAY = {
    "userId": "alice",
    "orderId": "ord_1",
    "amount": 1,
    "paymentMethod": "credit card",
    "businessId": "THEID",
    "payerAccount": {"accountType": "token", "accountNumber": "pm_sandbox_paid"},
    "payeeAccount": {"accountType": "business", "accountNumber": "x"},
}
MONEY = {"currency": "CNY", "value": "100"}
_CONSULT = {
    "customerBelongsTo": "KASSA",
    "authRedirectUrl": "https://shop.example/back",
    "scopes": ["AGREEMENT_PAY"],
    "authState": "s",
}


def _orders(path: str, body: Any = None, about: str = "order", **more: Any) -> Probe:
    return Probe(kind="orders_client", path=path, body=body, about=about, **more)


def _key(path: str, body: Any = None, about: str = "payment") -> Probe:
    return Probe(kind="api_key", path=path, body=body, about=about)


def _admin(path: str, about: str = "", body: Any = None) -> Probe:
    return Probe(kind="api_key", path=f"/admin/v1/{path}", body=body, about=about)


def _customer(path: str, body: Any = None, about: str = "number") -> Probe:
    return Probe(kind="jwt_key", path=path, body=body, about=about)


def _wallet(api: str, body: Any, about: str = "wallet payment") -> Probe:
    return Probe(kind="wallet_client", path=f"/v1/{api}", body=body, about=about)


def _both(path: str, body: Any = None, about: str = "order") -> tuple[Probe, Probe]:
    return _orders(path, body, about), _orders(path, body, about, headers=VERSION)


PROBES: Mapping[str, Sequence[Probe]] = {
    "POST /v1/orders:create": [_orders("/v1/orders:create", _CUSTOMER, "business")],
    "POST /v1/orders:verify": [_orders("/v1/orders:verify", {"order_id": "THEID"})],
    "POST /pg/orders": [_orders("/pg/orders", _PG_ORDER, "business", headers=VERSION)],
    "GET /pg/orders/{order_id}": _both(_PG),
    "PATCH /pg/orders/{order_id}": [_orders(_PG, {"order_status": "TERMINATED"}, headers=VERSION)],
    "GET /pg/orders/{order_id}/payments": _both(f"{_PG}/payments"),
    "GET /pg/orders/{order_id}/payments/{cf_payment_id}": [
        _orders(f"{_PG}/payments/1", headers=VERSION)
    ],
    "POST /pg/orders/{order_id}/authorization": [
        *_both(f"{_PG}/authorization", _CAPTURE, "reserved order"),
        *_both(f"{_PG}/authorization", _VOID, "reserved order"),
    ],
    "POST /pg/orders/{order_id}/refunds": _both(f"{_PG}/refunds", REFUND),
    "GET /pg/orders/{order_id}/refunds": _both(f"{_PG}/refunds"),
    "GET /pg/orders/{order_id}/refunds/{refund_id}": _both(f"{_PG}/refunds/refund_of_mine"),
    "GET /pg/orders/{order_id}/settlements": _both(f"{_PG}/settlements"),
    "kassa.orders.v1.PaymentService/CreateOrder": [_orders("CreateOrder", _CUSTOMER, "business")],
    "kassa.orders.v1.PaymentService/VerifyPayment": [
        _orders("VerifyPayment", {"order_id": "THEID"})
    ],
    "GET /v1/payment/{id:path}": [_key("/v1/payment/THEID")],
    "POST /v1/payments:list": [
        _key("/v1/payments:list", {"companyId": "THEID", "pagination": {}}, "company"),
        _key(
            "/v1/payments:list",
            {"companyId": "OURS", "pagination": {}, "filter": {"orderIds": ["THEID"]}},
            "order",
        ),
        _key(
            "/v1/payments:list",
            {"companyId": "OURS", "pagination": {}, "filter": {"businessIds": ["THEID"]}},
            "business",
        ),
    ],
    "moego.business.payment.v1.PaymentService/GetPayment": [_key("GetPayment", {"id": "THEID"})],
    "moego.business.payment.v1.PaymentService/ListPayments": [
        _key("ListPayments", {"companyId": "THEID", "pagination": {}}, "company")
    ],
    "POST /api/v1/payments": [
        _customer("/api/v1/payments", {"orderId": "THEID", "subject": "Tea"}, "order")
    ],
    "GET /api/v1/payments/retry/{id}": [_customer("/api/v1/payments/retry/THEID")],
    "GET /api/v1/payments/verify/{id}": [_customer("/api/v1/payments/verify/THEID")],
    "GET /api/v1/payments/{id}": [_customer("/api/v1/payments/THEID")],
    "POST /gateway/payment-requests": [_key("/gateway/payment-requests", _GATEWAY, "business")],
    "GET /gateway/payment-requests/{payment_request_id}": [_key("/gateway/payment-requests/THEID")],
    "POST /gateway/payment-requests/{payment_request_id}/refunds": [
        _key("/gateway/payment-requests/THEID/refunds", {"refundId": "gw_refund_1", "amount": 1})
    ],
    "GET /gateway/payment-requests/{payment_request_id}/refunds/{refund_id}": [
        _key("/gateway/payment-requests/THEID/refunds/gw_refund_0")
    ],
    "POST /v1/payments/pay": [
        _wallet(
            "payments/pay",
            {
                "productCode": "51051000101000000011",
                "paymentRequestId": "R-matrix",
                "paymentAmount": MONEY,
                "order": {"orderDescription": "shoes"},
            },
            "",
        )
    ],
    "POST /v1/payments/inquiryPayment": [
        _wallet("payments/inquiryPayment", {"paymentId": "THEID"}),
        _wallet("payments/inquiryPayment", {"paymentRequestId": "THEID"}, "wallet request"),
    ],
    "POST /v1/payments/capture": [
        _wallet("payments/capture", {"captureRequestId": "C-1", "paymentId": "THEID"})
    ],
    "POST /v1/payments/void": [
        _wallet("payments/void", {"voidRequestId": "V-1", "paymentId": "THEID"})
    ],
    "POST /v1/payments/refund": [
        _wallet(
            "payments/refund",
            {"refundRequestId": "F-1", "paymentId": "THEID", "refundAmount": MONEY},
        )
    ],
    "POST /v1/payments/refundApply": [
        _wallet(
            "payments/refundApply",
            {"refundRequestId": "F-2", "paymentId": "THEID", "refundAmount": MONEY},
        )
    ],
    "POST /v1/payments/inquiryRefund": [
        _wallet("payments/inquiryRefund", {"refundRequestId": "THEID"}, "wallet refund")
    ],
    "POST /v1/payments/cancel": [_wallet("payments/cancel", {"paymentId": "THEID"})],
    "POST /v1/authorizations/consult": [_wallet("authorizations/consult", _CONSULT, "")],
    "POST /v1/authorizations/applyToken": [
        _wallet(
            "authorizations/applyToken",
            {"grantType": "AUTHORIZATION_CODE", "customerBelongsTo": "KASSA", "authCode": "THEID"},
            "wallet code",
        )
    ],
    "POST /v1/authorizations/revoke": [
        _wallet("authorizations/revoke", {"accessToken": "THEID"}, "wallet code")
    ],
    "POST /v1/authorizations/cancelToken": [
        _wallet("authorizations/cancelToken", {"accessToken": "THEID"}, "wallet code")
    ],
    "GET /admin/v1/companies": [_admin("companies")],
    "GET /admin/v1/companies/{company_id}": [_admin("companies/THEID", "company")],
    "GET /admin/v1/businesses": [_admin("businesses")],
    "POST /admin/v1/businesses": [_admin("businesses", "", {"id": "biz_new", "name": "New"})],
    "GET /admin/v1/credentials": [_admin("credentials")],
    "POST /admin/v1/credentials": [
        _admin(
            "credentials",
            "business",
            {"kind": "api_key", "permissions": ["read-only"], "business_id": "THEID"},
        )
    ],
    "GET /admin/v1/credentials/{credential_id}": [_admin("credentials/THEID", "credential")],
    "POST /admin/v1/credentials/{credential_id}/disable": [
        _admin("credentials/THEID/disable", "credential")
    ],
    "POST /admin/v1/credentials/{credential_id}/enable": [
        _admin("credentials/THEID/enable", "credential")
    ],
    "POST /admin/v1/credentials/{credential_id}/rotate": [
        _admin("credentials/THEID/rotate", "credential")
    ],
    "GET /sandbox/books": [_key("/sandbox/books", about="")],
    "GET /sandbox/report.csv": [_key("/sandbox/report.csv?day=2026-01-01", about="")],
}
"""For each route and call of `criticality.OF` that a credential opens; of some, more than one."""

PAGES = frozenset({"GET /sandbox/books", "GET /sandbox/report.csv"})
"""Pages, which tell whoever may not read them to go away in one sentence, whatever the reason."""

NO_OBJECT_OF_ONES_OWN = frozenset({"wallet code"})
"""Secrets: the right one is in the tests of agreements, for it serves once."""
