"""Who may ask what: credentials of every state, and objects of three owners. `test_matrix.py`
multiplies them with the requests of `probes.py`."""

import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc.aio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from google.protobuf import json_format
from joserfc import jwt
from joserfc.jwk import ECKey
from tests.asgi import Client
from tests.faces.wallet.calls import TIME
from tests.identity.probes import MONEY, REFUND, Probe
from tests.shop import Shop

from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.faces.wallet import signature
from kassa.faces.wallet.signature import Signed
from kassa.identity.domain.permissions import PRESETS
from kassa.identity.domain.principals import Business, Company
from kassa.identity.usecases import companies
from kassa.identity.usecases.businesses import add_business
from kassa.identity.usecases.companies import CredentialTerms
from kassa.identity.usecases.credentials import switch_credential
from kassa.payments.domain.payments import CaptureMethod
from kassa.payments.store.payments import last_numbers
from kassa.payments.usecases.find_payments import get_payment
from kassa_protos.orders.v1 import orders_pb2
from moego.business.payment.v1 import payment_pb2

_NAMED_BY_US = frozenset(
    {"wallet request", "wallet refund", "business", "company", "wallet code", "credential"}
)
OWNERS = ("own", "another's", "nobody's")
PROOFS = ("none", "malformed", "wrong", "expired", "revoked", "elsewhere")
"""What shows that nobody known asks, or nobody who may from here."""
SERVICES = {
    service.full_name: service
    for service in (
        payment_pb2.DESCRIPTOR.services_by_name["PaymentService"],
        orders_pb2.DESCRIPTOR.services_by_name["PaymentService"],
    )
}


@dataclass(frozen=True)
class Said:
    """`refused`: "", "unauthenticated" or "forbidden", in whatever words the interface has."""

    refused: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Side:
    """A company with objects of every sort, by what probes call them."""

    company: Company
    objects: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class World:
    """`proofs`: what to send by kind of credential and by its state, as a function of the request:
    a preset's name, "right", "another company's", or one of PROOFS."""

    core: Core
    client: Client
    channel: grpc.aio.Channel
    ours: Side
    theirs: Side
    proofs: Mapping[tuple[str, str], "Proof"]

    def id_of(self, about: str, owner: str) -> str:
        if owner == "own":
            return self.ours.objects[about]
        if owner == "another's":
            return self.theirs.objects[about]
        known = self.ours.objects[about]
        if about == "number":
            return "987654321"
        if about in _NAMED_BY_US:
            return known[:-3] + "zzz"
        return new_id(known.partition("_")[0])

    async def ask(self, name: str, probe: Probe, proof: str, owner: str) -> Said:
        """The answer, without the id that was asked about."""
        known = self.id_of(probe.about, owner) if probe.about else ""
        said = await self._asked(name, probe, self.proofs[probe.kind, proof], known)
        return replace(said, body=said.body.replace(known.encode(), b"ID") if known else said.body)

    async def _asked(self, name: str, probe: Probe, proof: "Proof", known: str) -> Said:
        ours = self.ours.company.public_id
        body = json.dumps(probe.body) if probe.body is not None else ""
        body = body.replace("THEID", known) if probe.about else body
        body = body.replace("OURS", ours)
        if not name.partition(" ")[2]:
            return await self._called(name, json.loads(body), proof)
        method, path = name.partition(" ")[0], probe.path.replace("THEID", known)
        headers = {**probe.headers, **proof.headers(method, path, body.encode())}
        if body:
            headers["content-type"] = "application/json"
        answer = await self.client.request(method, path, headers=headers, content=body)
        if probe.kind == "wallet_client":
            return Said(_WALLET.get(answer.json()["result"]["resultCode"], ""), answer.body)
        return Said(_HTTP.get(answer.status, ""), answer.body)

    async def _called(self, name: str, body: Any, proof: "Proof") -> Said:
        service, _, method = name.partition("/")
        described = SERVICES[service].methods_by_name[method]
        kinds = orders_pb2 if service.startswith("kassa") else payment_pb2
        message = json_format.ParseDict(body, getattr(kinds, described.input_type.name)())
        call = self.channel.unary_unary(f"/{name}", type(message).SerializeToString, bytes)
        metadata = tuple(proof.headers("POST", name, b"").items())
        try:
            return Said("", await call(message, metadata=metadata))
        except grpc.aio.AioRpcError as error:
            told = f"{error.code().name} {error.details()}"
            return Said(_GRPC.get(error.code().name, ""), told.encode())


_HTTP = {401: "unauthenticated", 403: "forbidden"}
_GRPC = {"UNAUTHENTICATED": "unauthenticated", "PERMISSION_DENIED": "forbidden"}
_WALLET = {
    "INVALID_CLIENT": "unauthenticated",
    "INVALID_SIGNATURE": "unauthenticated",
    "INVALID_CLIENT_STATUS": "unauthenticated",
    "ACCESS_DENIED": "forbidden",
}


@dataclass(frozen=True)
class Proof:
    """What a request shows: given its method, its target and its body, the headers."""

    headers: Callable[[str, str, bytes], dict[str, str]]


def _bearer(text: str) -> Proof:
    return Proof(lambda *_: {"authorization": f"Bearer {text}"})


def _pair(client_id: str, secret: str) -> Proof:
    return Proof(lambda *_: {"x-client-id": client_id, "x-client-secret": secret})


def _signer(client_id: str, key: RSAPrivateKey) -> Proof:
    def headers(method: str, target: str, body: bytes) -> dict[str, str]:
        signed = Signed(method, target, client_id, TIME, body)
        return {
            "client-id": client_id,
            "request-time": TIME,
            "signature": signature.sign(signed, key, "1"),
        }

    return Proof(headers)


STATES: Mapping[str, CredentialTerms] = {
    "right": CredentialTerms(),
    "admin": CredentialTerms(permissions=["admin"]),
    **{name: CredentialTerms(permissions=[name]) for name in PRESETS},
    "expired": CredentialTerms(expires_at=datetime.now(UTC) - timedelta(minutes=1)),
    "revoked": CredentialTerms(),
    "elsewhere": CredentialTerms(networks=["192.0.2.0/24"]),
}
"""Credentials of our company, each with what it is given."""

Maker = Callable[[Core, Company, str, CredentialTerms], Awaitable[Proof]]


class Hands:
    """Makes credentials of each kind. The keys are made once: they cost a second."""

    def __init__(self, wallet: RSAPrivateKey) -> None:
        self.wallet = wallet
        self.customers = ECKey.generate_key("P-256")

    async def api_key(
        self, core: Core, company: Company, name: str, terms: CredentialTerms
    ) -> Proof:
        secret = f"sk_test_{name}_{'s' * 43}"
        await companies.put_api_key(core, company, secret, terms)
        return _bearer(secret)

    async def orders_client(
        self, core: Core, company: Company, name: str, terms: CredentialTerms
    ) -> Proof:
        await companies.put_orders_client(core, company, f"client_{name}", "s" * 43, terms)
        return _pair(f"client_{name}", "s" * 43)

    async def jwt_key(
        self, core: Core, company: Company, name: str, terms: CredentialTerms
    ) -> Proof:
        public = self.customers.raw_value.public_key()  # type: ignore[union-attr]
        await companies.put_jwt_key(core, company, name, _pem(public), terms)
        return self.customer("alice", name)

    def customer(self, username: str, key: str) -> Proof:
        claims = {
            "sub": username,
            "roles": ["CUSTOMER"],
            "aud": "kassa",
            "exp": int(time.time()) + 600,
            "orders": "*" if username == "alice" else [],
        }
        return _bearer(jwt.encode({"alg": "ES256", "kid": key}, claims, self.customers))

    async def wallet_client(
        self, core: Core, company: Company, name: str, terms: CredentialTerms
    ) -> Proof:
        keys = {"1": _pem(self.wallet.public_key())}
        await companies.put_wallet_client(core, company, name, keys, terms)
        return _signer(name, self.wallet)


def _pem(key: Any) -> str:
    made: bytes = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return made.decode()


KINDS = ("api_key", "orders_client", "jwt_key", "wallet_client")
_WRONG = {
    "api_key": (_bearer("sk"), _bearer(f"sk_test_right_{'x' * 43}")),
    "orders_client": (_pair("", "x"), _pair("client_right", "x" * 43)),
    "jwt_key": (_bearer("a.b.c"), _bearer("x")),
}


async def proofs_of(
    core: Core, hands: Hands, ours: Company, theirs: Company
) -> dict[tuple[str, str], Proof]:
    made: dict[tuple[str, str], Proof] = {}
    for kind in KINDS:
        make: Maker = getattr(hands, kind)
        for state, terms in STATES.items():
            if state == "admin" and kind != "api_key":
                continue
            name = state.replace("-", "")
            made[kind, state] = await make(core, ours, name, terms)
        every = ["full", "admin"] if kind == "api_key" else ["full"]
        terms = CredentialTerms(permissions=every)
        made[kind, "another company's"] = await make(core, theirs, "theirs", terms)
        made[kind, "none"] = Proof(lambda *_: {})
    for kind, (malformed, wrong) in _WRONG.items():
        made[kind, "malformed"], made[kind, "wrong"] = malformed, wrong
    capture = CredentialTerms(permissions=["orders:capture"])
    made["orders_client", "capturer"] = await hands.orders_client(core, ours, "capturer", capture)
    made["jwt_key", "wrong"] = _forged(hands)
    made["jwt_key", "another customer's"] = hands.customer("bob", "right")
    made["wallet_client", "malformed"] = _changed(
        made["wallet_client", "right"], "algorithm=RSA256"
    )
    made["wallet_client", "wrong"] = _changed(
        made["wallet_client", "right"], "algorithm=RSA256,keyVersion=1,signature=" + "A" * 342
    )
    for lookup in ("key:sk_test_revoked", "client:client_revoked", "jwt:revoked", "wallet:revoked"):
        await switch_credential(core, lookup, active=False)
    return made


def _forged(hands: Hands) -> Proof:
    """By a key of the forger's own, under the name of a good one."""
    other = Hands(hands.wallet)
    return other.customer("alice", "right")


def _changed(proof: Proof, text: str) -> Proof:
    return Proof(lambda *asked: {**proof.headers(*asked), "signature": text})


async def side_of(shop: Shop, client: Client, proofs: Mapping[str, Proof]) -> Side:
    """Objects of every sort of that shop's company."""
    company = shop.company
    async with shop.core.db.transaction() as connection:  # no number is of both companies
        await last_numbers(connection, {company.id: 1_000 * company.number}, "payment")
    await add_business(shop.core, company, Business(f"biz_of_{company.number}", "Harbour"))
    paid = await shop.submit(await shop.payment())
    reserved = await shop.submit(await shop.payment(capture_method=CaptureMethod.MANUAL))
    number = await _opened(client, proofs["jwt_key"], (await shop.create()).order.id)
    wallet = proofs["wallet_client"]
    spare = f"key:sk_test_spare{company.number}abc"
    await companies.put_api_key(shop.core, company, f"{spare.removeprefix('key:')}_{'s' * 43}")
    request, refund = f"R-{company.number}-abc", f"F-{company.number}-abc"
    payment = await _wallet_payment(client, wallet, request)
    await shop.submit((await get_payment(shop.core, company.id, payment)).payment)
    members = {"refundRequestId": refund, "paymentId": payment, "refundAmount": MONEY}
    await _post(client, wallet, "/v1/payments/refund", members)
    await _post(client, proofs["orders_client"], f"/pg/orders/{paid.order_id}/refunds", REFUND)
    given = {"refundId": "gw_refund_0", "amount": 1}
    path = f"/gateway/payment-requests/{paid.id}/refunds"
    await _post(client, proofs["api_key"], path, given)
    return Side(
        company=company,
        objects={
            "company": company.public_id,
            "business": f"biz_of_{company.number}",
            "order": paid.order_id,
            "payment": paid.id,
            "reserved order": reserved.order_id,
            "number": number,
            "wallet payment": payment,
            "wallet request": request,
            "wallet refund": refund,
            "credential": spare,
            "wallet code": f"code-of-{company.number}-abc",
        },
    )


async def _post(client: Client, proof: Proof, path: str, members: Any) -> Any:
    body = json.dumps(members)
    headers = proof.headers("POST", path, body.encode())
    made = await client.request("POST", path, headers=headers, content=body)
    assert made.status == 200, made.text
    assert '"resultStatus":"F"' not in made.text, made.text
    return made.json()


async def _opened(client: Client, proof: Proof, order_id: str) -> str:
    made = await _post(client, proof, "/api/v1/payments", {"orderId": order_id, "subject": "Tea"})
    return str(made["data"]["id"])


async def _wallet_payment(client: Client, proof: Proof, request_id: str) -> str:
    members = {
        "productCode": "51051000101000000011",
        "paymentRequestId": request_id,
        "paymentAmount": MONEY,
        "order": {"orderDescription": "shoes"},
    }
    made = await _post(client, proof, "/v1/payments/pay", members)
    return str(made["paymentId"])
