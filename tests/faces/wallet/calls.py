"""A merchant of the wallet: signs its requests, and believes no answer without a signature."""

import itertools
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.faces.wallet import signature
from kassa.faces.wallet.own_keys import public_keys
from kassa.faces.wallet.signature import Signed
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.authenticate import find_wallet_client
from kassa.identity.usecases.companies import put_wallet_client
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.wallet.usecases.wallet_users import add_wallet_user, balance_of, top_up

PAY = "/v1/payments/pay"
INQUIRY = "/v1/payments/inquiryPayment"
CAPTURE = "/v1/payments/capture"
VOID = "/v1/payments/void"
REFUND = "/v1/payments/refund"
REFUND_INQUIRY = "/v1/payments/inquiryRefund"
CANCEL = "/v1/payments/cancel"
RESERVE = "51051000101000000012"
TIME = "2026-11-22T10:00:00+08:00"
CODE = "a wallet code of these tests"
USER = "a-user-of-these-tests"
_numbers = itertools.count(1)


def an_order(**changes: Any) -> dict[str, Any]:
    """The members of a good pay request, each time with a new request id."""
    return {
        "productCode": "51051000101000000011",
        "paymentRequestId": f"R-{next(_numbers)}",
        "paymentAmount": {"currency": "CLP", "value": "2000"},
        "order": {"orderDescription": "shoes"},
    } | changes


@dataclass(frozen=True)
class Merchant:
    """`client`: what answers in-process; `core`: holds the wallet's public key."""

    client: Any
    core: Core
    client_id: str
    key: RSAPrivateKey
    key_version: str = "1"

    async def pay(self, **changes: Any) -> dict[str, Any]:
        return await self.ask(PAY, an_order(**changes))

    async def inquire(self, **members: Any) -> dict[str, Any]:
        return await self.ask(INQUIRY, members)

    async def reserve(self, **changes: Any) -> dict[str, Any]:
        """Pay for authorizing now and capturing later, by the user's code."""
        members: dict[str, Any] = {"productCode": RESERVE, "paymentAuthCode": CODE}
        return await self.pay(**members | changes)

    async def capture(
        self, payment_id: str, value: str | None = None, **changes: Any
    ) -> dict[str, Any]:
        members = {"captureRequestId": f"C-{next(_numbers)}", "paymentId": payment_id}
        if value is not None:
            changes = {"captureAmount": {"currency": "CLP", "value": value}, **changes}
        return await self.ask(CAPTURE, members | changes)

    async def void(self, payment_id: str, **changes: Any) -> dict[str, Any]:
        members = {"voidRequestId": f"V-{next(_numbers)}", "paymentId": payment_id}
        return await self.ask(VOID, members | changes)

    async def refund(self, payment_id: str, value: str = "2000", **changes: Any) -> dict[str, Any]:
        members = {
            "refundRequestId": f"F-{next(_numbers)}",
            "paymentId": payment_id,
            "refundAmount": {"currency": "CLP", "value": value},
        }
        return await self.ask(REFUND, members | changes)

    async def inquire_refund(self, **members: Any) -> dict[str, Any]:
        return await self.ask(REFUND_INQUIRY, members)

    async def cancel(self, **members: Any) -> dict[str, Any]:
        return await self.ask(CANCEL, members)

    async def ask(self, path: str, members: Any) -> dict[str, Any]:
        return await self.send(path, json.dumps(members).encode())

    async def send(
        self,
        path: str,
        body: bytes,
        *,
        method: str = "POST",
        headers: dict[str, str | None] | None = None,
    ) -> dict[str, Any]:
        """What the wallet says, its signature checked. `headers`: replace ours; None: leave out."""
        signed = Signed(method, path, self.client_id, TIME, body)
        ours = {
            "Client-Id": self.client_id,
            "Request-Time": TIME,
            "Signature": signature.sign(signed, self.key, self.key_version),
            "Content-Type": "application/json; charset=UTF-8",
        }
        sent = {
            name: value for name, value in {**ours, **(headers or {})}.items() if value is not None
        }
        answer = await self.client.request(method, path, headers=sent, content=body)
        return self.believed(method, path, answer)

    def believed(self, method: str, path: str, answer: Any) -> dict[str, Any]:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json; charset=UTF-8"
        assert answer.headers["client-id"] == self.client_id
        time = answer.headers["response-time"]
        signed = Signed(method, path, self.client_id, time, answer.body)
        signature.verify(signed, answer.headers["signature"], public_keys(self.core))
        said: dict[str, Any] = json.loads(answer.body)
        return said


async def company_of(merchant: Merchant) -> Company:
    found = await find_wallet_client(merchant.core, merchant.client_id)
    assert found is not None
    return found.company


async def a_user(merchant: Merchant, clp: int = 0) -> None:
    """A wallet user with `clp` pesos, who is charged by CODE."""
    company = await company_of(merchant)
    await add_wallet_user(merchant.core, company.id, USER, CODE)
    if clp:
        await top_up(merchant.core, company.id, USER, Money(clp, "CLP"))


async def balance(merchant: Merchant) -> int:
    return await balance_of(merchant.core, (await company_of(merchant)).id, USER, "CLP")


def public_pem(key: RSAPrivateKey) -> str:
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return pem.decode("ascii")


async def another_client(merchant: Merchant, client_id: str) -> Merchant:
    """A second wallet client of the same company, with a key of its own."""
    key = rsa.generate_private_key(65537, 2048)
    company = await company_of(merchant)
    await put_wallet_client(merchant.core, company, client_id, {"1": public_pem(key)})
    return Merchant(merchant.client, merchant.core, client_id, key)


async def pay_in_the_cashier(merchant: Merchant, payment_id: str) -> Payment:
    return await pay_from_wallet(
        merchant.core,
        WalletPay(
            company_id=(await company_of(merchant)).id,
            payment_id=payment_id,
            auth_code=CODE,
            actor="payer",
        ),
    )


async def pay_by_card(merchant: Merchant, payment_id: str, card: str = "paid") -> Payment:
    """What the cashier does with a sandbox card of that story."""
    return await submit_payment(
        merchant.core,
        Submission(
            company_id=(await company_of(merchant)).id,
            payment_id=payment_id,
            method=Method.CREDIT_CARD,
            connector="sandbox",
            instrument=next(one.number for one in SCENARIOS if one.name == card),
            instrument_shown="****",
            actor="payer",
            return_url="https://kassa.example/pay",
        ),
    )


def code(answer: dict[str, Any]) -> str:
    """ "F PARAM_ILLEGAL": the two words that a client decides by."""
    return f"{answer['result']['resultStatus']} {answer['result']['resultCode']}"
