"""`kassa try FACE`: a real call of one interface of the running demo, both sides shown."""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kassa import demo, demo_providers
from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.ids import new_id
from kassa.faces.wallet import signature
from kassa.settings import Settings

_TIMEOUT_SECONDS = 20
_REFUSED = 400  # from this HTTP status on
_START_SECONDS = 5.0  # seconds, not money: the providers begin a moment after the server
_LETTER_SECONDS = 2.0  # seconds, not money: until a provider's news has arrived
_GLANCE_SECONDS = 0.05  # seconds, not money


class Caller:
    """Sends requests to the demo, printing each with its answer."""

    def __init__(self, settings: Settings):
        self.demo = demo.shown(settings)
        self._simulator = demo.simulator_of(settings)

    def call(self, method: str, path: str, headers: Mapping[str, str], content: Any = None) -> Any:
        """One exchange; the answer's JSON, whatever its status."""
        body = b"" if content is None else json.dumps(content, ensure_ascii=False).encode()
        return self.send(method, path, {"content-type": "application/json", **headers}, body)

    def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        url = self.demo["base_url"] + path
        self._say(f"→ {method} {url}")
        if body:
            self._say(f"  {body.decode()}")
        request = urllib.request.Request(  # noqa: S310 - our own address
            url, body or None, dict(headers), method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, text = error.code, error.read()
        except urllib.error.URLError:
            raise InvalidRequest(
                f"nothing answers at {self.demo['base_url']}: start it with kassa serve --demo"
            ) from None
        content = json.loads(text)
        self._say(f"← {status}\n{json.dumps(content, indent=2, ensure_ascii=False)}\n")
        if status >= _REFUSED:
            raise InvalidRequest(
                f"the server at {self.demo['base_url']} refused the call: is it the one of this"
                " data directory?"
            )
        return content

    def _say(self, text: str) -> None:
        print(text, file=sys.stdout)

    def pay_at(self, session: str) -> None:
        self._say(f"Now pay it in a browser: {self.demo['base_url']}/pay/{session}")

    def tell(self, text: str) -> None:
        """Say what the next calls show."""
        self._say(f"{text}\n")

    def has_providers(self) -> bool:
        """Whether the simulated providers are there and know the demo's accounts."""
        until, wanted = time.monotonic() + _START_SECONDS, demo_providers.number_of_accounts()
        while self._simulator and time.monotonic() < until:
            try:
                if len(json.loads(_read(f"{self._simulator}/_simulator/merchants"))) >= wanted:
                    return True
            except (OSError, ValueError):
                pass
            time.sleep(_GLANCE_SECONDS)
        return False

    def pay_on_page(self, url: str) -> None:
        """What a payer's browser does on a simulated provider's page: open it, press Pay."""
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as page:  # noqa: S310
            place = page.url
        _read(place, b"action=pay")

    def wait_for(self, path: str, headers: Mapping[str, str], wanted: Any) -> None:
        """Until that is the answer, or it takes too long."""
        until = time.monotonic() + _LETTER_SECONDS
        while time.monotonic() < until:
            if json.loads(_read(self.demo["base_url"] + path, headers=headers)) == wanted:
                return
            time.sleep(_GLANCE_SECONDS)


def _read(url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    request = urllib.request.Request(url, body, dict(headers or {}))  # noqa: S310 - our own
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def _orders_headers(caller: Caller) -> dict[str, str]:
    orders = caller.demo["orders"]
    return {"x-client-id": orders["client_id"], "x-client-secret": orders["client_secret"]}


def _create_order(caller: Caller, **more: Any) -> Any:
    content = {
        "customer_name": "Alice",
        "customer_email": "alice@example.com",
        "customer_phone": "9999999999",
        "order_amount": 299.99,
    }
    return caller.call("POST", "/v1/orders:create", _orders_headers(caller), content | more)


def _orders(caller: Caller) -> None:
    made = _create_order(caller)
    caller.call(
        "POST", "/v1/orders:verify", _orders_headers(caller), {"order_id": made["order_id"]}
    )
    caller.call("GET", f"/pg/orders/{made['order_id']}", _orders_headers(caller))
    if caller.has_providers():
        caller.tell("The payer's app, which holds the session, pays with a card's token at Stripe:")
        method = {"card": {"channel": "link", "token": "pm_card_visa"}}
        content = {"payment_session_id": made["payment_session_id"], "payment_method": method}
        caller.call("POST", "/pg/orders/sessions", {"x-api-version": "2025-01-01"}, content)
        caller.call(
            "POST", "/v1/orders:verify", _orders_headers(caller), {"order_id": made["order_id"]}
        )
        caller.tell("Another order, in rupees: its payer may also use UPI or net banking.")
        made = _create_order(caller, order_currency="INR")
    caller.pay_at(made["payment_session_id"])


def _business(caller: Caller) -> None:
    _create_order(caller)
    key = {"authorization": f"Bearer {caller.demo['api_key']}"}
    company_id = caller.demo["company_id"]
    query = {"pagination": {"pageSize": 2, "pageToken": "1"}, "companyId": company_id}
    listed = caller.call("POST", "/v1/payments:list", key, query)
    caller.call("GET", f"/v1/payment/{listed['payments'][0]['id']}", key)


def _checkout(caller: Caller) -> None:
    made = _create_order(caller)
    token = {"authorization": f"Bearer {caller.demo['customer']['token']}"}
    content = {"orderId": made["order_id"], "subject": "Test Subject"}
    opened = caller.call("POST", "/api/v1/payments", token, content)
    verify = f"/api/v1/payments/verify/{opened['data']['id']}"
    caller.call("GET", verify, token)
    if not caller.has_providers():
        caller.pay_at(made["payment_session_id"])
        return
    caller.tell("The payer opens the orderString, which is a page of Alipay, and pays there.")
    caller.pay_on_page(opened["data"]["orderString"])
    caller.wait_for(verify, token, {"data": True})
    caller.call("GET", verify, token)


def _gateway(caller: Caller) -> None:
    key = {"authorization": f"Bearer {caller.demo['api_key']}"}

    def pay(account_type: str, number: str) -> None:
        business = {"accountType": "business", "accountNumber": caller.demo["business_id"]}
        content = {
            "userId": "user_1",
            "orderId": new_id("order"),
            "amount": 299.99,
            "paymentMethod": "credit card",
            "payerAccount": {"accountType": account_type, "accountNumber": number},
            "payeeAccount": business,
        }
        made = caller.call("POST", "/gateway/payment-requests", key, content)
        caller.call("GET", f"/gateway/payment-requests/{made['paymentRequestId']}", key)

    pay("card", "4242424242424242")
    if caller.has_providers():
        caller.tell("The same with a card's token at Stripe, which declines the second one:")
        pay("token", "pm_card_visa")
        pay("token", "pm_card_chargeDeclinedInsufficientFunds")


def _wallet(caller: Caller) -> None:
    content = {
        "paymentRequestId": new_id("req"),
        "productCode": "51051000101000000011",
        "paymentAmount": {"currency": "CLP", "value": "2000"},
        "order": {"orderDescription": "iphone details"},
        "paymentAuthCode": caller.demo["wallet_user"]["auth_code"],
    }
    path = "/v1/payments/pay"
    body = json.dumps(content).encode()
    wallet = caller.demo["wallet"]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    signed = signature.Signed("POST", path, wallet["client_id"], now, body)
    key = signature.private_key(Path(wallet["private_key_path"]).read_bytes())
    headers = {
        "client-id": wallet["client_id"],
        "request-time": now,
        "signature": signature.sign(signed, key, wallet["key_version"]),
        "content-type": "application/json; charset=UTF-8",
    }
    caller.send("POST", path, headers, body)


FACES: Mapping[str, Callable[[Caller], None]] = {
    "business": _business,
    "orders": _orders,
    "checkout": _checkout,
    "wallet": _wallet,
    "gateway": _gateway,
}


def run(settings: Settings, face: str) -> int:
    """Call `face` of the running demo."""
    if face not in FACES:
        raise InvalidRequest(f"there is no face {face!r}; there are {', '.join(FACES)}")
    FACES[face](Caller(settings))
    return 0
