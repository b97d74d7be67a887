"""A shop in this process whose payments are made through any interface and brought to any state."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import grpc.aio
from tests.asgi import Client
from tests.cashier.shop import Payer
from tests.e2e.wire import Call, Faces, Reply, fresh

from kassa.base.domain.lifecycle import PaymentStatus as S
from kassa.base.usecases.core import Core
from kassa.connectors.base import Unknown
from kassa.modifications.usecases.cancel_payment import cancel_payment
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.payments.usecases.find_payments import get_payment
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.usecases.reconcile import reconcile

PAID_CARD = "4242424242424242"
DECLINED_CARD = "4000000000000002"
APPROVED_CARD = "4000000000003220"
LOST_CARD = "4000000000000119"
CARD_TO = {
    S.AUTHORIZED: PAID_CARD,
    S.CAPTURED: PAID_CARD,
    S.SETTLED: PAID_CARD,
    S.FAILED: DECLINED_CARD,
    S.REQUIRES_ACTION: APPROVED_CARD,
    S.PROCESSING: LOST_CARD,
}
"""The cards whose payers reach a status by themselves."""

# No face asks for it where the order was made by another one.
_RESERVE_FIRST = "update payment set capture_method = 'manual' where id = $1"
_LATER = (
    "with late as (update payment set expires_at = now() - interval '1 s' where id = $1"
    " returning company_id, order_id) update orders o set expires_at = now() - interval '1 s'"
    " from late where (o.company_id, o.id) = (late.company_id, late.order_id)"
)


async def _nobody_opened_it(*_: Any) -> Unknown:
    """What Alipay, which is not reached from here, says of a trade to close."""
    return Unknown(reason="there is no such trade")


@dataclass(frozen=True)
class Made:
    """A payment as its creator knows it. `number`: the checkout's; `request`: the wallet's;
    `again`: the very request that made it."""

    payment_id: str
    order_id: str
    again: Call
    number: int = 0
    request: str = ""


@dataclass
class Shop:
    core: Core
    client: Client
    faces: Faces
    owner: "asyncpg.Connection[asyncpg.Record]"
    channel: grpc.aio.Channel

    async def ask(self, call: Call) -> Reply:
        answer = await self.client.request(
            call.method, call.path, headers=call.headers, content=call.body
        )
        return Reply(answer.status, answer.headers, answer.body)

    async def read(self, call: Call) -> Any:
        reply = await self.ask(call)
        assert reply.status == 200, (call.path, reply.status, reply.body)
        return reply.json()

    async def by_orders(self) -> Made:
        call = self.faces.create_order(order_id=fresh("order"))
        order_id = (await self.read(call))["order_id"]
        return Made(await self._payment_of(order_id), order_id, call)

    async def by_checkout(self) -> Made:
        order_id = (await self.by_orders()).order_id
        call = self.faces.open_checkout(order_id)
        number = (await self.read(call))["data"]["id"]
        return Made(await self._payment_of(order_id), order_id, call, number=number)

    async def by_wallet(self) -> Made:
        request = fresh("request")
        call = self.faces.pay(request)
        payment_id = (await self.wallet(call))["paymentId"]
        view = await get_payment(self.core, self.faces.demo.company_id, payment_id)
        return Made(payment_id, view.order.id, call, request=request)

    async def by_gateway(self) -> Made:
        order_id = fresh("order")
        call = self.faces.request(order_id)
        payment_id = (await self.read(call))["paymentRequestId"]
        return Made(payment_id, order_id, call)

    async def wallet(self, call: Call) -> Any:
        return self.faces.check_wallet_answer(call.path, await self.ask(call))

    async def _payment_of(self, order_id: str) -> str:
        (payment,) = (await self.read(self.faces.list_payments(order_id)))["payments"]
        return str(payment["id"])

    async def payer(self, made: Made) -> Payer:
        company_id = self.faces.demo.company_id
        order = (await get_payment(self.core, company_id, made.payment_id)).order
        place = f"/pay/{order.session_token}"
        return Payer(self.core, self.client, company_id, made.payment_id, place)

    async def bring(self, made: Made, status: S) -> None:
        """Let the payment reach `status`: by its payer and the clock where they can."""
        if status is S.EXPIRED:
            await self.owner.execute(_LATER, made.payment_id)
            alipay: Any = self.core.connectors["alipay"]
            alipay.close_charge = _nobody_opened_it
            assert await expire_orders(self.core) == 1
        if status is S.CANCELED:
            company_id = self.faces.demo.company_id
            await cancel_payment(self.core, company_id, made.payment_id, actor="test")
        if status is S.AUTHORIZED:
            await self.owner.execute(_RESERVE_FIRST, made.payment_id)
        card = CARD_TO.get(status)
        if card and not (status is S.REQUIRES_ACTION and made.number):
            await (await self.payer(made)).pay_by_card(card)
        if status is S.SETTLED:
            await self._report(made)
        view = await get_payment(self.core, self.faces.demo.company_id, made.payment_id)
        assert view.payment.status is status

    async def _report(self, made: Made) -> None:
        """Lay the provider's report of this payment beside the books."""
        company_id = self.faces.demo.company_id
        payment = (await get_payment(self.core, company_id, made.payment_id)).payment
        line = ReportLine(
            number=1,
            kind=LineKind.PAYMENT,
            amount=payment.captured,
            fee=payment.fee,
            provider_reference=payment.provider_reference,
            payout_reference=f"payout of {payment.id}",
            occurred_at=payment.captured_at,
        )
        content = hashlib.sha256(payment.id.encode()).hexdigest()
        outcome = await reconcile(
            self.core, company_id, payment.connector, "report.csv", iter([line]), content
        )
        assert outcome.is_clean


CREATORS: dict[str, Callable[[Shop], Awaitable[Made]]] = {
    "orders": Shop.by_orders,
    "checkout": Shop.by_checkout,
    "wallet": Shop.by_wallet,
    "gateway": Shop.by_gateway,
}
