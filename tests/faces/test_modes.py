"""Every interface says whether money is real, and shows nobody the other side of their company."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import grpc.aio
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.faces.wallet.calls import INQUIRY

from kassa import app, installation
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.http import Answered
from kassa.faces.wallet import signature
from kassa.faces.wallet.contract import FACE
from kassa.faces.wallet.notify import KIND
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases import companies
from kassa.identity.usecases.companies import NewCompany
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Payment
from kassa.settings import Settings
from kassa.wallet.usecases import wallet_users
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.webhooks_out.usecases.deliver import deliver_webhooks
from kassa_protos.orders.v1 import orders_pb2, orders_pb2_grpc
from moego.business.payment.v1 import payment_pb2, payment_pb2_grpc

pytestmark = pytest.mark.anyio
_RSA, _EC = installation.rsa_pem(), installation.ec_pem()
_UNKNOWN = "py_01k3z8m4q5v7x9y2a4b6c8d0ef"


@dataclass(frozen=True)
class Side:
    """One side of a company, with a credential for each interface."""

    core: Core
    client: Any
    company: Company

    @property
    def key(self) -> str:
        return f"sk_{self.company.mode}_k1_secret"

    @property
    def orders_client(self) -> dict[str, str]:
        return {"x-client-id": f"client_{self.company.mode}", "x-client-secret": "secret"}

    async def register(self) -> None:
        await companies.put_api_key(self.core, self.company, self.key)
        await companies.put_orders_client(
            self.core, self.company, f"client_{self.company.mode}", "secret"
        )
        tokens = installation.public_pem(_EC).decode()
        await companies.put_jwt_key(self.core, self.company, f"kid-{self.company.mode}", tokens)
        wallet = {"1": installation.public_pem(_RSA).decode()}
        await companies.put_wallet_client(self.core, self.company, self.wallet_id, wallet)

    @property
    def wallet_id(self) -> str:
        return f"5X{self.company.mode}"

    def token(self) -> str:
        claims = {"sub": "ann", "roles": ["CUSTOMER"], "aud": "kassa", "exp": 4_000_000_000}
        header = {"alg": "ES256", "kid": f"kid-{self.company.mode}"}
        claims["orders"] = "*"
        return str(jwt.encode(header, claims, ECKey.import_key(_EC), algorithms=["ES256"]))

    async def payment(self, **changes: Any) -> tuple[Payment, str]:
        """A payment, as every interface could have made it, and the token of its page."""
        made = await create_order(
            self.core,
            NewOrder(
                company=self.company,
                business_id=self.company.business_id,
                actor="test",
                face="gateway",
                amount=Money(10_000, "CNY"),
                request_scope=f"{FACE}.pay:{self.wallet_id}",
                request_id=f"R-{self.company.mode}",
                **changes,
            ),
        )
        return made.payment, made.order.session_token


@dataclass(frozen=True)
class Asked:
    """A request of one interface about one payment."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def _business(side: Side, payment_id: str, order_id: str) -> Asked:
    headers = {"authorization": f"Bearer {side.key}"}
    return Asked("GET", f"/v1/payment/{payment_id}", headers)


def _gateway(side: Side, payment_id: str, order_id: str) -> Asked:
    headers = {"authorization": f"Bearer {side.key}"}
    return Asked("GET", f"/gateway/payment-requests/{payment_id}", headers)


def _orders(side: Side, payment_id: str, order_id: str) -> Asked:
    body = json.dumps({"order_id": order_id}).encode()
    return Asked("POST", "/v1/orders:verify", side.orders_client, body)


def _pg_orders(side: Side, payment_id: str, order_id: str) -> Asked:
    headers = {**side.orders_client, "x-api-version": "2023-08-01"}
    return Asked("GET", f"/pg/orders/{order_id}", headers)


def _checkout(side: Side, payment_id: str, order_id: str) -> Asked:
    headers = {"authorization": f"Bearer {side.token()}"}
    body = json.dumps({"orderId": order_id, "subject": "Tea"}).encode()
    return Asked("POST", "/api/v1/payments", headers, body)


def _wallet(side: Side, payment_id: str, order_id: str) -> Asked:
    return signed_inquiry(side, payment_id)


def signed_inquiry(side: Side, payment_id: str) -> Asked:
    return signed_call(side, INQUIRY, {"paymentId": payment_id})


def signed_call(side: Side, path: str, members: Mapping[str, Any]) -> Asked:
    body = json.dumps(members).encode()
    now = "2026-11-22T10:00:00+08:00"
    signed = signature.Signed("POST", path, side.wallet_id, now, body)
    headers = {
        "client-id": side.wallet_id,
        "request-time": now,
        "signature": signature.sign(signed, signature.private_key(_RSA), "1"),
        "content-type": "application/json",
    }
    return Asked("POST", path, headers, body)


FACES = [_business, _gateway, _orders, _pg_orders, _checkout, _wallet]


async def ask(side: Side, face: Any, payment_id: str, order_id: str) -> Any:
    asked = face(side, payment_id, order_id)
    return await side.client.request(
        asked.method, asked.path, headers=asked.headers, content=asked.body
    )


@pytest.fixture
async def sides(core: Core, client: Any) -> dict[Mode, Side]:
    core.policy = replace(core.policy, live=True)
    made = {}
    for mode in Mode:
        company = await companies.add_company(
            core,
            NewCompany(id="cmp_two", business_id="biz", name="Tea", currency="CNY", mode=mode),
        )
        made[mode] = Side(core, client, company)
        await made[mode].register()
    return made


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("face", FACES)
async def test_every_answer_to_a_credential_says_its_mode(
    sides: dict[Mode, Side], face: Any, mode: Mode
) -> None:
    side = sides[mode]
    payment, _ = await side.payment()

    own = await ask(side, face, payment.id, payment.order_id)
    unknown = await ask(side, face, _UNKNOWN, "order-unknown")
    asked = face(side, payment.id, payment.order_id)
    nobody = await side.client.request(asked.method, asked.path, content=asked.body)

    if face is not _checkout or mode is Mode.TEST:  # only the demo's Alipay account is there
        assert own.status == 200
    assert own.headers["kassa-mode"] == mode
    assert unknown.headers["kassa-mode"] == mode
    assert "kassa-mode" not in nobody.headers


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("face", FACES)
async def test_what_is_on_the_other_side_is_not_found_in_the_same_words(
    sides: dict[Mode, Side], face: Any, mode: Mode
) -> None:
    side, other = sides[mode], sides[Mode.LIVE if mode is Mode.TEST else Mode.TEST]
    payment, _ = await other.payment()
    unknown_order = f"order_{payment.order_id[6:][::-1]}"

    theirs = await ask(side, face, payment.id, payment.order_id)
    nobodys = await ask(side, face, _UNKNOWN, unknown_order)

    said = theirs.body.replace(payment.order_id.encode(), unknown_order.encode())
    assert theirs.status == nobodys.status
    assert said.replace(payment.id.encode(), _UNKNOWN.encode()) == nobodys.body


@pytest.mark.parametrize("face", FACES)
async def test_a_live_credential_is_told_that_no_real_money_is_moved_here(
    sides: dict[Mode, Side], face: Any
) -> None:
    live, test = sides[Mode.LIVE], sides[Mode.TEST]
    payment, page = await live.payment()
    mine, _ = await test.payment()
    live.core.policy = replace(live.core.policy, live=False)

    refused = await ask(live, face, payment.id, payment.order_id)

    assert b"moves no real money" in refused.body
    assert refused.status == (200 if face is _wallet else 403)
    if face is _wallet:
        assert refused.json()["result"]["resultCode"] == "ACCESS_DENIED"
    assert refused.headers["kassa-mode"] == "live"
    assert (await ask(test, face, mine.id, mine.order_id)).status == 200
    assert (await live.client.request("GET", f"/pay/{page}")).status == 404


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Test mode: no real money moves."), ("zh-CN", "测试模式")],
)
async def test_a_test_sides_pages_say_so_and_a_live_sides_do_not(
    sides: dict[Mode, Side], language: str, said: str
) -> None:
    for mode, side in sides.items():
        _, page = await side.payment()
        for path in (f"/pay/{page}", f"/pay/{page}/result"):
            shown = await side.client.request("GET", f"{path}?lang={language}")
            assert shown.status == 200
            assert (said in shown.text) is (mode is Mode.TEST)
            assert shown.headers["kassa-mode"] == mode


class Postman:
    """Takes the letters that would go out."""

    def __init__(self) -> None:
        self.letters: list[tuple[Mapping[str, str], bytes]] = []

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes, **_: Any) -> Any:
        self.letters.append((headers, body))
        return Answered(status=200, headers={}, body=b"")

    async def close(self) -> None:
        """Nothing to give back."""


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("kind", ["standard", KIND])
async def test_every_letter_says_its_mode(sides: dict[Mode, Side], kind: str, mode: Mode) -> None:
    side, postman = sides[mode], Postman()
    payment, _ = await side.payment(
        notify_url="https://shop.example/hook",
        notify_kind=kind,
        payment_extra={"client_id": side.wallet_id},
    )
    await wallet_users.add_wallet_user(side.core, side.company.id, "wu", "code")
    await wallet_users.top_up(side.core, side.company.id, "wu", payment.amount)
    await pay_from_wallet(
        side.core,
        WalletPay(
            company_id=side.company.id, payment_id=payment.id, auth_code="code", actor="test"
        ),
    )
    kept, side.core.egress = side.core.egress, postman  # type: ignore[assignment]
    try:
        await deliver_webhooks(side.core)
    finally:
        side.core.egress = kept

    [(headers, body)] = postman.letters
    assert headers["kassa-mode"] == mode
    if kind == "standard":
        assert json.loads(body)["mode"] == mode


@pytest.fixture
async def channel(core: Core, settings: Settings) -> AsyncIterator[grpc.aio.Channel]:
    async with app.grpc_server(core, settings) as server:
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as opened:
            yield opened


@pytest.mark.parametrize("mode", Mode)
async def test_every_grpc_call_says_its_mode_and_finds_nothing_of_the_other_side(
    sides: dict[Mode, Side], channel: grpc.aio.Channel, mode: Mode
) -> None:
    side, other = sides[mode], sides[Mode.LIVE if mode is Mode.TEST else Mode.TEST]
    mine, theirs = (await side.payment())[0], (await other.payment())[0]
    business = payment_pb2_grpc.PaymentServiceStub(channel)
    orders = orders_pb2_grpc.PaymentServiceStub(channel)
    key = (("authorization", f"Bearer {side.key}"),)
    client = tuple(side.orders_client.items())

    for call in (
        business.GetPayment(payment_pb2.GetPaymentRequest(id=mine.id), metadata=key),
        orders.VerifyPayment(
            orders_pb2.VerifyPaymentRequest(order_id=mine.order_id), metadata=client
        ),
    ):
        await call
        assert dict(await call.trailing_metadata())["kassa-mode"] == mode
    for call in (
        business.GetPayment(payment_pb2.GetPaymentRequest(id=theirs.id), metadata=key),
        orders.VerifyPayment(
            orders_pb2.VerifyPaymentRequest(order_id=theirs.order_id), metadata=client
        ),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert dict(refused.value.trailing_metadata() or ())["kassa-mode"] == mode
    listed = await business.ListPayments(
        payment_pb2.ListPaymentsRequest(company_id="cmp_two", pagination={"page_size": 9}),
        metadata=key,
    )
    assert [one.id for one in listed.payments] == [mine.id]
