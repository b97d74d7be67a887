"""The requests of each part, as exact bytes, made before any clock starts."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from bench.gateway import Gateway
from kassa.base.usecases.ids import new_id
from kassa.faces.wallet import signature
from moego.business.payment.v1 import payment_pb2

SERVICE = "/moego.business.payment.v1.PaymentService/"
_PAY = "/v1/payments/pay"


def _http(
    gateway: Gateway, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> bytes:
    head = {
        "host": f"127.0.0.1:{gateway.port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("ascii") + body


def _api_key(gateway: Gateway) -> dict[str, str]:
    return {"authorization": f"Bearer {gateway.demo['api_key']}"}


def create_orders(gateway: Gateway, count: int) -> list[bytes]:
    """Each is another order, of another customer and amount."""
    client = gateway.demo["orders"]
    headers = {"x-client-id": client["client_id"], "x-client-secret": client["client_secret"]}
    return [
        _http(
            gateway,
            "POST",
            "/v1/orders:create",
            headers,
            msgspec.json.encode(
                {
                    "customer_name": f"Customer {number}",
                    "customer_email": f"customer{number}@example.com",
                    "customer_phone": f"{9_000_000_000 + number}",
                    "order_amount": 1 + number % 5000,
                    "order_note": "bench",
                    "order_meta": {"return_url": "https://shop.example.com/thanks"},
                }
            ),
        )
        for number in range(count)
    ]


def signed_pays(gateway: Gateway, count: int, tokens: Sequence[str] = ()) -> list[bytes]:
    """POST /v1/payments/pay from a balance, with its signature. `tokens`: of the users who pay in
    turn; without any it is the demo's."""
    wallet = gateway.demo["wallet"]
    key = signature.private_key(Path(wallet["private_key_path"]).read_bytes())
    with ThreadPoolExecutor() as pool:
        payers = _payers(gateway, count, tokens)
        return list(pool.map(lambda code: _signed_pay(gateway, wallet, key, code), payers))


def _payers(gateway: Gateway, count: int, tokens: Sequence[str]) -> Iterator[str]:
    return islice(cycle(tokens or [gateway.demo["wallet_user"]["auth_code"]]), count)


def _signed_pay(gateway: Gateway, wallet: dict[str, str], key: RSAPrivateKey, code: str) -> bytes:
    content: dict[str, Any] = {
        "paymentRequestId": new_id("req"),
        "productCode": "51051000101000000011",
        "paymentAmount": {"currency": "CNY", "value": "100"},
        "order": {"orderDescription": "bench"},
        "paymentAuthCode": code,
    }
    body = msgspec.json.encode(content)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    signed = signature.Signed("POST", _PAY, wallet["client_id"], now, body)
    headers = {
        "client-id": wallet["client_id"],
        "request-time": now,
        "signature": signature.sign(signed, key, wallet["key_version"]),
    }
    return _http(gateway, "POST", _PAY, headers, body)


def unsigned_pays(gateway: Gateway, count: int, tokens: Sequence[str]) -> list[bytes]:
    """The same movement of money, asked for through the gateway interface with an API key."""
    headers = _api_key(gateway)
    payee = {"accountType": "business", "accountNumber": gateway.demo["business_id"]}
    return [
        _http(
            gateway,
            "POST",
            "/gateway/payment-requests",
            headers,
            msgspec.json.encode(
                {
                    "userId": f"user_{number}",
                    "orderId": new_id("order"),
                    "amount": 1,
                    "paymentMethod": "wallet",
                    "payerAccount": {"accountType": "wallet_auth_code", "accountNumber": code},
                    "payeeAccount": payee,
                }
            ),
        )
        for number, code in enumerate(_payers(gateway, count, tokens))
    ]


def card_payments(gateway: Gateway, count: int) -> list[bytes]:
    """A card payment each, through the gateway interface, by a token of the bench's provider."""
    headers = _api_key(gateway)
    payee = {"accountType": "business", "accountNumber": gateway.demo["business_id"]}
    payer = {"accountType": "token", "accountNumber": "pm_card_visa"}
    return [
        _http(
            gateway,
            "POST",
            "/gateway/payment-requests",
            headers,
            msgspec.json.encode(
                {
                    "userId": f"user_{number}",
                    "orderId": new_id("order"),
                    "amount": 1 + number % 5000,
                    "paymentMethod": "credit_card",
                    "payerAccount": payer,
                    "payeeAccount": payee,
                }
            ),
        )
        for number in range(count)
    ]


def _list_body(gateway: Gateway, size: int, token: str = "", **wanted: Any) -> bytes:
    page = {"pageSize": size, "pageToken": token} if token else {"pageSize": size}
    return msgspec.json.encode(
        {"pagination": page, "companyId": gateway.demo["company_id"], **wanted}
    )


def listed(gateway: Gateway, *, size: int, token: str = "", **wanted: Any) -> dict[str, Any]:
    """One page of payments, as the gateway tells it. `wanted`: further members of the request."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{gateway.port}/v1/payments:list",
        _list_body(gateway, size, token, **wanted),
        {"content-type": "application/json", **_api_key(gateway)},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return dict(json.load(answer))


def payment_ids(gateway: Gateway) -> list[str]:
    """Ids of some payments that are there."""
    return [payment["id"] for payment in listed(gateway, size=500)["payments"]]


def get_payments(gateway: Gateway, ids: list[str]) -> list[bytes]:
    return [_http(gateway, "GET", f"/v1/payment/{one}", _api_key(gateway)) for one in ids]


def list_payments(gateway: Gateway, *, token: str = "", **wanted: Any) -> list[bytes]:
    """`token`: of a page. `wanted`: further members, such as a filter."""
    body = _list_body(gateway, 20, token, **wanted)
    return [_http(gateway, "POST", "/v1/payments:list", _api_key(gateway), body)]


def grpc_metadata(gateway: Gateway) -> list[tuple[str, str]]:
    return list(_api_key(gateway).items())


def grpc_get_payments(ids: list[str]) -> list[bytes]:
    return [payment_pb2.GetPaymentRequest(id=one).SerializeToString() for one in ids]


def grpc_list_payments(gateway: Gateway) -> list[bytes]:
    wanted = payment_pb2.ListPaymentsRequest(company_id=gateway.demo["company_id"])
    wanted.pagination.page_size = 20
    return [wanted.SerializeToString()]
