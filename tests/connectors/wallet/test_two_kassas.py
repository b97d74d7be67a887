"""One Kassa pays through another: the merchant's calls, the wallet's answers and its news, all over
HTTP on the loopback, each with a database of its own."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from aiohttp import web
from starlette.types import ASGIApp
from tests import asgi, company
from tests.databases import Databases, in_database

from kassa import app, assembly
from kassa import demo as demo_company
from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.checkout.usecases.cashier_session import open_session
from kassa.identity.domain.principals import Company
from kassa.identity.usecases.authenticate import find_wallet_client
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.proof.usecases.verify import verify_books
from kassa.providers.usecases.provider_accounts import NewAccount, probe_account, put_account
from kassa.settings import Settings
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.wallet.usecases.wallet_users import balance_of
from kassa.webhooks_out.usecases.deliver import deliver_webhooks

pytestmark = pytest.mark.anyio

ACCOUNT = "their-wallet"
PRICE = Money(2_000, "CNY")


@asynccontextmanager
async def serving(place: socket.socket, application: ASGIApp) -> AsyncIterator[None]:
    """Hand every request that comes in to `application`, byte for byte."""
    inside = asgi.Client(application)

    async def hand_on(request: web.Request) -> web.Response:
        answer = await inside.request(
            request.method,
            request.raw_path,
            headers=dict(request.headers),
            content=await request.read(),
        )
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    outside = web.Application()
    outside.router.add_route("*", "/{rest:.*}", hand_on)
    runner = web.AppRunner(outside)
    await runner.setup()
    await web.SockSite(runner, place).start()
    try:
        yield
    finally:
        await runner.cleanup()


@dataclass
class Pair:
    """`shop` pays through `wallet`. `seller`: the shop's own company."""

    shop: Core
    seller: Company
    wallet: Core
    demo: company.DemoCompany

    async def order(self, *, capture: CaptureMethod = CaptureMethod.AUTOMATIC) -> Payment:
        wanted = NewOrder(
            company=self.seller,
            business_id=self.seller.business_id,
            actor="test",
            face="orders",
            amount=PRICE,
            capture_method=capture,
        )
        return (await create_order(self.shop, wanted)).payment

    async def pay(self, payment: Payment, code: str = "") -> Payment:
        return await submit_payment(
            self.shop,
            Submission(
                company_id=payment.company_id,
                payment_id=payment.id,
                method=Method.EWALLET,
                connector=ACCOUNT,
                instrument=code,
                instrument_shown="",
                actor="payer",
                return_url="https://shop.example/thanks",
            ),
        )

    async def payer_pays(self, payment: Payment) -> None:
        """What the wallet's cashier does when its user says yes."""
        found = await self.at_the_wallet(payment)
        await pay_from_wallet(
            self.wallet,
            WalletPay(
                company_id=self.demo.company_id,
                payment_id=found.id,
                auth_code=self.demo.wallet_auth_code,
                actor="payer",
            ),
        )

    async def at_the_wallet(self, payment: Payment) -> Payment:
        known = await self.read(payment)
        if known.redirect_url:
            session = await open_session(self.wallet, known.redirect_url.rpartition("/")[2])
            return session.payment
        reference = known.provider_reference
        return (await get_payment(self.wallet, self.demo.company_id, reference)).payment

    async def read(self, payment: Payment) -> Payment:
        return (await get_payment(self.shop, payment.company_id, payment.id)).payment

    async def sync(self, payment: Payment) -> Payment:
        return await sync_payment(self.shop, payment.company_id, payment.id, actor="test")

    async def change(self, payment: Payment, kind: ModificationKind, **changes: Any) -> Any:
        wanted = ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=kind,
            actor="test",
            face="orders",
            request_scope="test",
            request_id=f"{kind}-{payment.id}",
            **{"amount": None, **changes},
        )
        return (await modify_payment(self.shop, wanted)).modification

    async def balance(self) -> int:
        demo = self.demo
        return await balance_of(self.wallet, demo.company_id, demo.wallet_user_id, "CNY")

    async def books_are_right(self) -> None:
        for core in (self.shop, self.wallet):
            assert (await verify_books(core)).violations == ()


@pytest.fixture
def second_database(databases: Databases, migrated: str) -> Iterator[str]:
    taken = databases.take(migrated)
    yield in_database(databases.server.app_url, taken.name)
    databases.give_back(migrated, taken)


@pytest.fixture
async def pair(settings: Settings, database_url: str, second_database: str) -> AsyncIterator[Pair]:
    with socket.socket() as here, socket.socket() as there:
        for place in (here, there):
            place.bind(("127.0.0.1", 0))
        at_shop, at_wallet = (
            msgspec.structs.replace(settings, base_url=f"http://127.0.0.1:{place.getsockname()[1]}")
            for place in (here, there)
        )
        async with (
            assembly.open_core(at_shop, database_url) as shop,
            assembly.open_core(at_wallet, second_database) as wallet,
            serving(here, app.http_app(shop, at_shop)),
            serving(there, app.http_app(wallet, at_wallet)),
        ):
            for core, where in ((shop, at_shop), (wallet, at_wallet)):
                await demo_company.make(core, where)
            demo = company.read(settings)
            client = await find_wallet_client(shop, demo.wallet_client_id)
            assert client is not None
            await put_account(shop, their_wallet(demo, at_wallet.url))
            yield Pair(shop, client.company, wallet, demo)


def their_wallet(demo: company.DemoCompany, url: str) -> NewAccount:
    return NewAccount(
        company_id=demo.company_id,
        name=ACCOUNT,
        connector="wallet",
        settings={
            "client_id": demo.wallet_client_id,
            "private_key": demo.wallet_private_key_pem.decode(),
            "wallet_public_key": demo.wallet_server_public_key_pem.decode(),
            "key_version": demo.wallet_key_version,
            "base_url": url,
        },
    )


async def test_a_payer_is_sent_to_the_other_cashier_and_the_news_comes_back(pair: Pair) -> None:
    before = await pair.balance()
    assert await probe_account(pair.shop, pair.seller.id, ACCOUNT) == ""

    payment = await pair.pay(await pair.order())

    assert payment.status is PaymentStatus.REQUIRES_ACTION
    assert payment.redirect_url.startswith(f"{pair.wallet.policy.base_url}/pay/sess_")
    await pair.payer_pays(payment)
    assert (await pair.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    assert await deliver_webhooks(pair.wallet) == 1
    paid = await pair.read(payment)
    assert (paid.status, paid.captured) == (PaymentStatus.CAPTURED, PRICE)
    assert await pair.balance() == before - PRICE.minor
    await pair.books_are_right()


async def test_news_that_never_comes_is_asked_for(pair: Pair) -> None:
    payment = await pair.pay(await pair.order())

    await pair.payer_pays(payment)

    assert (await pair.sync(payment)).status is PaymentStatus.CAPTURED


async def test_a_code_of_the_other_wallet_pays_at_once(pair: Pair) -> None:
    before = await pair.balance()

    paid = await pair.pay(await pair.order(), pair.demo.wallet_auth_code)

    assert (paid.status, paid.captured) == (PaymentStatus.CAPTURED, PRICE)
    assert await pair.balance() == before - PRICE.minor
    await pair.books_are_right()


async def test_a_code_that_nobody_has_is_declined(pair: Pair) -> None:
    failed = await pair.pay(await pair.order(), "nobody's code")

    assert (failed.status, failed.failure_code) == (PaymentStatus.FAILED, "user_not_exist")


async def test_refunds_go_back_to_the_other_wallets_user(pair: Pair) -> None:
    before = await pair.balance()
    paid = await pair.pay(await pair.order(), pair.demo.wallet_auth_code)

    part = await pair.change(paid, ModificationKind.REFUND, amount=Money(500, "CNY"))

    assert part.status is ModificationStatus.SUCCEEDED
    assert await pair.balance() == before - 1_500
    assert (await pair.at_the_wallet(paid)).refunded == Money(500, "CNY")
    assert (await pair.read(paid)).refunded == Money(500, "CNY")
    await deliver_webhooks(pair.wallet)  # its news of both changes nothing more
    assert (await pair.read(paid)).captured == PRICE
    await pair.books_are_right()


async def test_what_is_reserved_at_the_other_wallet_is_captured_or_let_go(pair: Pair) -> None:
    before = await pair.balance()
    code = pair.demo.wallet_auth_code
    held = await pair.pay(await pair.order(capture=CaptureMethod.MANUAL), code)
    other = await pair.pay(await pair.order(capture=CaptureMethod.MANUAL), code)
    assert held.status is other.status is PaymentStatus.AUTHORIZED
    assert held.authorization_expires_at is not None
    assert await pair.balance() == before - 2 * PRICE.minor

    captured = await pair.change(held, ModificationKind.CAPTURE, amount=Money(700, "CNY"))
    let_go = await pair.change(other, ModificationKind.VOID)

    assert captured.status is let_go.status is ModificationStatus.SUCCEEDED
    assert (await pair.read(held)).captured == Money(700, "CNY")
    assert (await pair.read(other)).status is PaymentStatus.CANCELED
    assert await pair.balance() == before - 700
    await pair.books_are_right()
