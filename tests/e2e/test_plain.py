"""`kassa serve` without `--demo`: no sandbox for whoever was not given it, by no road; and no
provider's production address on a test side."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import grpc
import pytest
from tests.e2e.server import Server, a_server, kassa
from tests.e2e.wire import Call

from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc

CARD = "4242 4242 4242 4242"
PAYER = {
    "customer_name": "Alice",
    "customer_email": "alice@example.com",
    "customer_phone": "9999999999",
}
ALIPAY = "https://openapi.alipay.com/gateway.do"
REAL_MONEY = {
    # At these two the key says which, as one address serves both.
    "stripe": ["secret_key=sk_live_1"],
    "razorpay": ["key_id=rzp_live_1", "key_secret=s"],
    "alipay": ["app_id=1", f"base_url={ALIPAY}"],
    "cashfree": ["client_id=TEST1", "client_secret=s", "base_url=https://api.cashfree.com"],
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server(demo=False) as started:
        yield started


@pytest.fixture(scope="module")
def shop(server: Server) -> Any:
    return json.loads(server.run("company", "add", "Tea House", "--currency", "CNY").stdout)


def ask(server: Server, method: str, path: str, headers: Any, body: Any = None) -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    return server.ask(Call(method, path, headers, data))


def client_of(shop: Any) -> dict[str, str]:
    orders = shop["orders"]
    return {"x-client-id": orders["client_id"], "x-client-secret": orders["client_secret"]}


def test_nobody_pays_with_the_sandbox_who_was_not_given_it(server: Server, shop: Any) -> None:
    key = {"authorization": f"Bearer {shop['api_key']}"}
    order = {"order_id": "tea-1", "order_amount": 5, **PAYER}
    session = ask(server, "POST", "/v1/orders:create", client_of(shop), order).json()
    token = session["payment_session_id"]
    version = {"x-api-version": "2023-08-01"}
    card = {"channel": "link", "card_number": CARD}
    page = server.ask(Call("GET", f"/pay/{token}"))
    form = re.search(rb'name="form_token" value="([^"]*)"', page.body)
    assert form is not None

    by_gateway = ask(
        server,
        "POST",
        "/gateway/payment-requests",
        key,
        {
            "userId": "user_1",
            "orderId": "tea-1",
            "amount": 5,
            "paymentMethod": "credit card",
            "payerAccount": {"accountType": "card", "accountNumber": CARD},
            "payeeAccount": {"accountType": "business", "accountNumber": shop["business_id"]},
        },
    )
    by_session = ask(
        server,
        "POST",
        "/pg/orders/sessions",
        version,
        {"payment_session_id": token, "payment_method": {"card": card}},
    )
    by_cashier = server.ask(
        Call(
            "POST",
            f"/pay/{token}/confirm",
            {"content-type": "application/x-www-form-urlencoded"},
            urlencode(
                {
                    "form_token": form[1].decode(),
                    "method": "credit_card",
                    "card_number": CARD,
                }
            ).encode(),
        )
    )

    assert page.status == 200
    assert b"4242" not in page.body
    assert b"card_number" not in page.body
    assert by_gateway.status >= 400
    assert by_session.status >= 400
    assert by_cashier.status == 422
    for path in ("/sandbox/books", "/sandbox/report.csv?day=2026-01-01"):
        assert server.ask(Call("GET", path, key)).status == 401
    assert (
        ask(server, "GET", "/pg/orders/tea-1", client_of(shop) | version).json()["order_status"]
        == "ACTIVE"
    )
    added = server.run(
        *("provider", "add", "--connector", "sandbox", "--account", "mine", "--set", "key=1"),
        *("--company", shop["company_id"]),
    )
    assert added.returncode != 0
    assert "built in" in added.stderr


def test_what_is_ordered_over_grpc_has_no_sandbox_either(server: Server, shop: Any) -> None:
    with grpc.insecure_channel(server.grpc_target) as channel:
        stub = orders_pb2_grpc.PaymentServiceStub(channel)
        made = stub.CreateOrder(
            orders_pb2.CreateOrderRequest(order_amount=5, **PAYER),
            metadata=tuple(client_of(shop).items()),
        )

    page = server.ask(Call("GET", f"/pay/{made.payment_session_id}"))
    assert page.status == 200
    assert b"card_number" not in page.body


@pytest.mark.parametrize("connector", REAL_MONEY)
def test_what_moves_real_money_is_refused_on_a_test_side(
    server: Server, shop: Any, connector: str
) -> None:
    flags = [part for one in REAL_MONEY[connector] for part in ("--set", one)]

    added = server.run(
        *("provider", "add", "--connector", connector, "--account", f"{connector}-1"),
        *("--company", shop["company_id"], *flags),
    )

    assert added.returncode != 0
    assert "and the account is test" in added.stderr
    listed = server.run("provider", "list", "--company", shop["company_id"]).stdout
    assert f"{connector}-1" not in listed


def test_the_settings_of_an_installation_without_real_money_name_no_production_address(
    server: Server,
) -> None:
    file = str(server.log_path)  # any that can be read
    refused = kassa(
        "serve",
        env={
            "KASSA_ALIPAY_APP_ID": "1",
            "KASSA_ALIPAY_PRIVATE_KEY_PATH": file,
            "KASSA_ALIPAY_PUBLIC_KEY_PATH": file,
            "KASSA_ALIPAY_GATEWAY": ALIPAY,
        },
    )

    assert refused.returncode != 0
    assert "moves real money" in refused.stderr
