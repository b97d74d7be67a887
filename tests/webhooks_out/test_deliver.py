"""Every fact reaches the merchant at least once, verifiable, or ends as a visible dead letter."""

import asyncio
import itertools
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook
from tests.shop import Shop

from kassa.faces.orders.notify import StandardWriter, write_secret
from kassa.faces.wallet import signature
from kassa.faces.wallet.notify import WalletNotifications
from kassa.faces.wallet.own_keys import public_keys
from kassa.faces.wallet.signature import Signed
from kassa.payments.domain.payments import Payment
from kassa.webhooks_out.store import deliveries
from kassa.webhooks_out.store.deliveries import DeliveryPlaces, Tried
from kassa.webhooks_out.usecases.deliver import WebhookSender, deliver_webhooks
from kassa.webhooks_out.usecases.signing import signing_secrets

pytestmark = pytest.mark.anyio


@dataclass
class Receiver:
    """A merchant's server on loopback. `answers`: statuses to give, the last one for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    body: bytes = b""
    got: list[tuple[dict[str, str], bytes, str]] = field(default_factory=list)
    hold: asyncio.Event | None = None

    async def receive(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.got.append((headers, await request.read(), request.raw_path))
        if self.hold is not None:
            await self.hold.wait()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        moved = {"location": "/elsewhere"} if 300 <= status < 400 else None
        return web.Response(status=status, body=self.body, headers=moved)

    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, body, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", made.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/news?shop=%2F1"
    yield made
    if made.hold is not None:
        made.hold.set()
    await runner.cleanup()


def nobody(path: str) -> str:
    """An address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/{path}"


async def deliver(shop: Shop) -> int:
    """One round, without jitter."""
    return await deliver_webhooks(shop.core, spread=lambda: 0.5)


async def letters(shop: Shop) -> list[dict[str, Any]]:
    found = await shop.sql(
        "select *, next_at - now() as due_in from announcement order by created_at, version"
    )
    return [dict(row) for row in found]


async def wait_out(shop: Shop) -> None:
    await shop.sql("update announcement set next_at = now() where state = 'waiting'")


async def paid(shop: Shop, receiver: Receiver, **changes: Any) -> Payment:
    return await shop.submit(await shop.payment(notify_url=receiver.url, **changes))


async def test_the_official_verifier_accepts_what_we_send(shop: Shop, receiver: Receiver) -> None:
    payment = await paid(shop, receiver)

    assert await deliver(shop) == 1

    [(headers, body, path)] = receiver.got
    told = Webhook(write_secret((await signing_secrets(shop.core, shop.company.id))[0])).verify(
        body, headers
    )
    assert told == json.loads(body)
    assert path == "/news?shop=%2F1"
    [letter] = await letters(shop)
    assert headers["webhook-id"] == letter["id"]
    assert (told["type"], told["data"]["payment_id"]) == ("payment.paid", payment.id)
    assert (letter["state"], letter["tries"], letter["last_status"]) == ("delivered", 1, 200)
    assert letter["delivered_at"] is not None
    assert await deliver(shop) == 0


async def test_the_wallets_news_carries_its_rsa_signature(shop: Shop, receiver: Receiver) -> None:
    receiver.body = b'{"result":{"resultCode":"SUCCESS","resultStatus":"S"}}'
    await paid(
        shop,
        receiver,
        face="wallet",
        notify_kind="wallet",
        request_scope="wallet",
        request_id="r-1",
        payment_extra={"client_id": "5X001"},
    )

    await deliver(shop)

    [(headers, body, path)] = receiver.got
    signed = Signed("POST", path, headers["client-id"], headers["request-time"], body)
    signature.verify(signed, headers["signature"], public_keys(shop.core))
    assert [one["state"] for one in await letters(shop)] == ["delivered"]


async def test_a_receiver_in_trouble_is_tried_again_after_longer_and_longer_pauses(
    shop: Shop, receiver: Receiver
) -> None:
    receiver.answers = [500, 302, 404, 200]
    await paid(shop, receiver)

    pauses = []
    for _ in range(3):
        assert await deliver(shop) == 1
        assert await deliver(shop) == 0  # not before its time
        [letter] = await letters(shop)
        pauses.append(round(letter["due_in"].total_seconds()))
        assert letter["state"] == "waiting"
        await wait_out(shop)
    await deliver(shop)

    planned = [int(pause.total_seconds()) for pause in StandardWriter.schedule[1:4]]
    assert all(abs(pause - plan) <= 2 for pause, plan in zip(pauses, planned, strict=True))
    [letter] = await letters(shop)
    assert (letter["state"], letter["tries"]) == ("delivered", 4)
    assert len({headers["webhook-id"] for headers, _, _ in receiver.got}) == 1
    assert len({body for _, body, _ in receiver.got}) == 1


async def test_pauses_are_spread_by_a_fifth_either_way(shop: Shop, receiver: Receiver) -> None:
    receiver.answers = [500]
    for _ in range(8):
        await paid(shop, receiver)

    edges = itertools.cycle([0.0, 0.999])  # seconds, not money
    await deliver_webhooks(shop.core, spread=lambda: next(edges))

    waits = sorted(round(one["due_in"].total_seconds(), 1) for one in await letters(shop))
    assert 3.0 <= waits[0] <= 4.0
    assert 5.0 <= waits[-1] <= 6.0


async def test_after_the_schedule_it_is_a_dead_letter_that_says_why(
    shop: Shop, receiver: Receiver
) -> None:
    receiver.answers = [503]
    await paid(shop, receiver)

    tries = 0
    while await deliver(shop):
        tries += 1
        await wait_out(shop)

    assert tries == len(StandardWriter.schedule) == len(receiver.got)
    [letter] = await letters(shop)
    assert (letter["state"], letter["next_at"]) == ("dead", None)
    assert (letter["last_status"], letter["last_error"]) == (503, "answered 503")


async def test_gone_means_never_again(shop: Shop, receiver: Receiver) -> None:
    receiver.answers = [410]
    await paid(shop, receiver)

    await deliver(shop)
    await wait_out(shop)

    assert await deliver(shop) == 0
    assert [one["state"] for one in await letters(shop)] == ["dead"]
    assert len(receiver.got) == 1


async def test_nobody_at_the_address_is_a_failure_like_any_other(shop: Shop) -> None:
    payment = await shop.payment(notify_url=nobody("news"))
    await shop.submit(payment)

    await deliver(shop)

    [letter] = await letters(shop)
    assert (letter["state"], letter["tries"], letter["last_status"]) == ("waiting", 1, None)
    assert letter["last_error"]


async def test_a_worker_that_died_leaves_its_letter_to_the_next(
    shop: Shop, receiver: Receiver
) -> None:
    await paid(shop, receiver)
    async with shop.core.db.connection() as connection:
        [dead_workers] = await deliveries.lease(
            connection, timedelta(seconds=60), DeliveryPlaces(free=10)
        )
    assert await deliver(shop) == 0  # the lease still runs

    await wait_out(shop)
    receiver.answers = [500]
    assert await deliver(shop) == 1

    async with shop.core.db.connection() as connection:  # the dead worker was only asleep
        late = await deliveries.report(
            connection, dead_workers, tried=Tried(delivered=True, status=200), next_in=None
        )
    [letter] = await letters(shop)
    assert late is False
    assert (letter["state"], letter["tries"], letter["last_status"]) == ("waiting", 2, 500)


async def test_two_workers_share_the_letters_and_send_none_twice(
    shop: Shop, receiver: Receiver
) -> None:
    for _ in range(12):
        await paid(shop, receiver)

    while sum(await asyncio.gather(*(deliver(shop) for _ in range(3)))):
        continue

    assert len({headers["webhook-id"] for headers, _, _ in receiver.got}) == 12
    assert len(receiver.got) == 12


async def test_a_receiver_that_hangs_delays_no_other(shop: Shop, receiver: Receiver) -> None:
    receiver.hold = asyncio.Event()
    for _ in range(20):
        await paid(shop, receiver)
    other = await shop.payment(notify_url=nobody("other"))
    await shop.submit(other)
    courier = WebhookSender(at_once=16, spread=lambda: 0.5)

    async def other_was_tried() -> None:
        while not await shop.sql("select from announcement where url like '%/other' and tries = 1"):
            await courier.set_out(shop.core)
            await asyncio.sleep(0.01)

    await asyncio.wait_for(other_was_tried(), 5)
    in_flight = len(receiver.got)
    receiver.hold.set()
    await courier.finish()

    assert in_flight <= 8


async def test_a_letter_that_cannot_be_written_stops_no_other(
    shop: Shop, receiver: Receiver
) -> None:
    await paid(shop, receiver, notify_kind="wallet")  # without the client id it would need
    await paid(shop, receiver)

    assert await deliver(shop) == 2

    states = sorted((one["kind"], one["state"]) for one in await letters(shop))
    assert states == [("standard", "delivered"), ("wallet", "waiting")]


async def test_a_letter_that_can_never_be_written_is_dead_after_the_schedule(
    shop: Shop, receiver: Receiver
) -> None:
    await paid(shop, receiver, notify_kind="wallet")
    tries = 0
    while await deliver(shop) and tries < 20:
        tries += 1
        await wait_out(shop)

    assert tries == len(WalletNotifications.schedule)
    [letter] = await letters(shop)
    assert (letter["state"], letter["last_error"]) == ("dead", "it could not be written")
    assert receiver.got == []


async def test_news_of_one_payment_set_out_in_their_order(shop: Shop, receiver: Receiver) -> None:
    failed = await shop.submit(await shop.payment(notify_url=receiver.url), "declined")
    await shop.submit(failed)

    while await deliver(shop):
        continue

    assert [body["type"] for body in receiver.bodies()] == ["payment.failed", "payment.paid"]


async def test_what_was_rolled_back_is_never_told(shop: Shop, receiver: Receiver) -> None:
    payment = await shop.payment(notify_url=receiver.url)
    await shop.expire(payment)

    with pytest.raises(Exception, match="expired"):
        await shop.submit(payment)

    assert await deliver(shop) == 0
    assert receiver.got == []
