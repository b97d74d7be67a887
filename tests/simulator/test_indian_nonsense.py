"""Razorpay and Cashfree answer nonsense with a refusal, never with a failure of their own."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.simulator import cashfree_shop, razorpay_shop

from kassa_simulator import cashfree, razorpay
from kassa_simulator.books import SqliteBooks
from kassa_simulator.clock import Clock
from kassa_simulator.desk import Desk
from kassa_simulator.frame import Call

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)

BODIES = (
    b"",
    b"null",
    b"[]",
    b"\xff\xfe",
    b"{" * 50,
    b"[" * 100_000,
    b'{"amount": NaN}',
    b'{"amount": 1e400, "currency": "INR", "order_amount": 1e400, "order_currency": "INR"}',
    b'{"amount": true, "currency": [], "receipt": 7, "notes": [], "expire_by": "soon"}',
    b'{"amount": 100, "currency": "INR", "receipt": "\\ud800", "reference_id": "\\ud800"}',
    b'{"order_amount": 100, "order_currency": "INR", "customer_details": [], "order_id": {}}',
    b'{"payment_session_id": {}, "payment_method": {"card": 1}, "action": [], "amount": {}}',
    b'{"entity": "PAYMENTS", "entity_id": [], "entity_simulation": 5, "filters": 1}',
    b'{"filters": {"start_date": 1, "end_date": {}}, "pagination": {"cursor": "LTE="}}',
    b'{"refund_amount": -1, "refund_id": "r 1", "order_status": 5}',
)
CALLS = {
    "razorpay": (
        "GET /v1/orders?count=x&skip=-1",
        "GET /v1/orders?receipt=%FF&from=a",
        "POST /v1/orders",
        "GET /v1/orders/%00",
        "POST /v1/payments/pay_1/capture",
        "POST /v1/payments/pay_1/refund",
        "POST /v1/payment_links",
        "POST /v1/payment_links/x/cancel",
        "GET /v1/settlements?count=0",
        "GET /v1/settlements/recon/combined?year=99999&month=13",
        "GET /v1/settlements/recon/combined?year=0&month=1&day=x",
        "POST /v1/checkout/embedded",
        "GET /pay/none",
        "POST /i/none",
        "DELETE /v1/orders",
        "GET /",
    ),
    "cashfree": (
        "POST /pg/orders",
        "GET /pg/orders/%00",
        "PATCH /pg/orders/x",
        "POST /pg/orders/sessions",
        "POST /pg/orders/pay/authenticate/1",
        "POST /pg/orders/x/authorization",
        "POST /pg/orders/x/refunds",
        "POST /pg/links",
        "POST /pg/links/x/cancel",
        "POST /pg/settlements",
        "POST /pg/settlement/recon",
        "POST /pg/recon",
        "POST /pg/simulate",
        "GET /pg/view/sessions/checkout?session=%FF",
        "POST /pg/view/sessions/checkout",
        "GET /pg/view/gateway/none",
        "DELETE /pg/orders/x",
        "GET /",
    ),
}
CREDENTIALS = {
    "razorpay": razorpay_shop.basic(razorpay_shop.KEY_ID, razorpay_shop.KEY_SECRET),
    "cashfree": {
        "x-api-version": "2025-01-01",
        "x-client-id": cashfree_shop.CLIENT_ID,
        "x-client-secret": cashfree_shop.CLIENT_SECRET,
    },
}


@pytest.mark.parametrize(
    "provider, line", [(provider, line) for provider, lines in CALLS.items() for line in lines]
)
def test_nonsense_is_refused(tmp_path: Path, provider: str, line: str):
    protocol = {"razorpay": razorpay.PROTOCOL, "cashfree": cashfree.PROTOCOL}[provider]
    books = SqliteBooks(tmp_path / "simulator.sqlite", seed=1, clock=Clock(START))
    desk = Desk(books)
    method, _, address = line.partition(" ")
    path, _, query = address.partition("?")
    with books.deed():
        desk.add_merchant(razorpay_shop.MERCHANT)
        desk.add_merchant(cashfree_shop.MERCHANT)
    try:
        for body in BODIES if method != "GET" else BODIES[:1]:
            call = Call(
                method=method,
                path=f"/{provider}{path}",
                query=query,
                headers={
                    "content-type": "application/json",
                    **{name.lower(): value for name, value in CREDENTIALS[provider].items()},
                },
                body=body,
                now=START,
                origin="http://127.0.0.1:9",
            )
            protocol.operation(call)
            assert isinstance(protocol.reference(call), str)
            with books.deed():
                answer = protocol.answer(books, call)
            assert 200 <= answer.status < 500
            assert 400 <= protocol.not_found(call).status < 500 or method == "GET"
    finally:
        books.close()
