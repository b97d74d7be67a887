"""Genuine news has its effect exactly once; anything else has none, and learns nothing."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import pytest
from tests.shop import Scripted, Shop
from tests.telling import keep

from kassa import assembly, installation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.checkout.usecases.open_payment import redirect
from kassa.connectors.alipay.rsa2 import AlipaySigner, notification_texts
from kassa.connectors.base import ActionNeeded, Captured, ChargeEvent
from kassa.connectors.sandbox import signing
from kassa.connectors.sandbox.books import Notification
from kassa.payments.domain.payments import Payment
from kassa.settings import Settings
from kassa.webhooks_in.store import provider_events
from kassa.webhooks_in.usecases.receive import Received, receive_notification

pytestmark = pytest.mark.anyio
REFUSAL = Received(401, "text/plain; charset=utf-8", b"refused")
TAKEN = Captured(reference="ref", amount=Money(10_000, "CNY"))
THANKS = Received(200, "application/json", b'{"received":true}')


@pytest.fixture
def secret(settings: Settings) -> bytes:
    return installation.sandbox_secret(settings.directory)


async def sandbox_news(shop: Shop, card: str) -> tuple[Payment, Notification]:
    """A payment that waits for the sandbox, and what the sandbox posts in the end."""
    payment = await shop.submit(await shop.payment(notify_url="https://shop.example/n"), card)
    assert payment.status is PaymentStatus.PROCESSING
    later = datetime.now(UTC) + timedelta(seconds=10)
    [news] = shop.books.take_due(now=later, limit=10)
    return payment, news


def headers(secret: bytes, body: bytes, *, ago: int = 0) -> dict[str, str]:
    at = int(datetime.now(UTC).timestamp()) - ago
    return {signing.HEADER: signing.sign(secret, body, at=at)}


async def foreign(shop: Shop, account: str) -> dict[str, int]:
    """How much was counted as not ours, by the reason."""
    async with shop.core.db.connection() as connection:
        found = await provider_events.foreign_news(connection, [account])
    return {one.why: one.many for one in found}


async def kept(shop: Shop) -> list[tuple[str, bool]]:
    rows = await shop.sql("select result, applied_at from provider_news")
    return [(row["result"], row["applied_at"] is not None) for row in rows]


async def test_news_delivered_twenty_times_eight_at_once_has_its_effect_once(
    shop: Shop, secret: bytes
) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    signed = headers(secret, news.body)

    answers = []
    for _ in range(3):
        answers += await asyncio.gather(
            *(receive_notification(shop.core, "sandbox", signed, news.body) for _ in range(8))
        )

    assert set(answers) == {THANKS}
    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert (await shop.timeline(payment)).count("capture captured") == 1
    booked = await shop.sql("select kind from posting order by id")
    assert sorted(row["kind"] for row in booked) == ["capture", "fee"]
    assert [row[0] for row in await shop.sql("select event_type from announcement")] == [
        "payment.paid"
    ]
    assert await kept(shop) == [("captured", True)]
    assert await shop.faults() == []


async def test_a_decline_by_notification_is_told_with_its_reason(shop: Shop, secret: bytes) -> None:
    payment, news = await sandbox_news(shop, "declined_later")

    await receive_notification(shop.core, "sandbox", headers(secret, news.body), news.body)

    failed = await shop.read(payment)
    assert (failed.status, failed.failure_code) == (PaymentStatus.FAILED, "card_declined")


async def test_news_kept_but_not_applied_is_applied_when_it_comes_again(
    shop: Shop, secret: bytes
) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    [attempt] = await shop.attempts(payment)
    said = ChargeEvent(dedupe_key=news.id, key=attempt["id"], outcome=TAKEN)
    await keep(shop, said, body=news.body, lease=timedelta(hours=1), account="sandbox")

    await receive_notification(shop.core, "sandbox", headers(secret, news.body), news.body)

    assert (await shop.read(payment)).status is PaymentStatus.CAPTURED
    assert await kept(shop) == [("captured", True)]


async def test_news_and_queries_at_once_charge_once(shop: Shop, secret: bytes) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    signed = headers(secret, news.body)

    await asyncio.gather(
        *(receive_notification(shop.core, "sandbox", signed, news.body) for _ in range(5)),
        *(shop.sync(payment) for _ in range(5)),
    )

    assert (await shop.read(payment)).surplus_amount.minor == 0
    assert await shop.taken(payment) == [10_000]
    assert await shop.faults() == []


async def test_forged_news_has_no_effect_and_one_constant_answer(shop: Shop, secret: bytes) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    body = news.body
    good = headers(secret, body)
    value = good[signing.HEADER]
    forgeries: list[tuple[str, dict[str, str], bytes]] = [
        ("sandbox", {}, body),
        ("sandbox", {signing.HEADER: ""}, body),
        ("sandbox", {signing.HEADER: value[:-1]}, body),
        ("sandbox", {signing.HEADER: value[:-1] + ("0" if value[-1] != "0" else "1")}, body),
        ("sandbox", {signing.HEADER: value.replace("v1=", "v2=")}, body),
        ("sandbox", headers(b"another secret of 24 b.", body), body),
        ("sandbox", headers(secret, body, ago=301), body),
        ("sandbox", headers(secret, body, ago=-600), body),  # it nears while others are asked
        ("sandbox", good, body + b" "),
        ("sandbox", good, body.replace(b"100.00", b"900.00")),
        ("sandbox", good, b""),
        ("alipay", good, body),
        ("nobody", good, body),
        ("", good, body),
    ]

    answers = [await receive_notification(shop.core, *forgery) for forgery in forgeries]

    assert set(answers) == {REFUSAL}
    assert await kept(shop) == []
    assert (await shop.read(payment)).status is PaymentStatus.PROCESSING


async def test_every_single_changed_byte_is_refused(shop: Shop, secret: bytes) -> None:
    _, news = await sandbox_news(shop, "paid_later")
    signed = headers(secret, news.body)

    for place in range(len(news.body)):
        changed = bytearray(news.body)
        changed[place] ^= 1
        answer = await receive_notification(shop.core, "sandbox", signed, bytes(changed))
        assert answer == REFUSAL

    assert await kept(shop) == []


async def test_genuine_news_that_names_no_company_of_ours_is_foreign(
    shop: Shop, secret: bytes
) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    [attempt] = await shop.attempts(payment)
    key = attempt["id"].encode()
    head, _, _ = key.partition(b"_")

    for name in (b"at99999999_", b"xx1_", b""):
        body = news.body.replace(head + b"_", name)
        answer = await receive_notification(shop.core, "sandbox", headers(secret, body), body)
        assert (answer, answer.outcome) == (THANKS, "foreign")
    for body in (b"{}", b"\xff"):
        answer = await receive_notification(shop.core, "sandbox", headers(secret, body), body)
        assert (answer, answer.outcome) == (THANKS, "foreign")

    assert await kept(shop) == []
    assert await foreign(shop, "sandbox") == {"reference": 3, "unreadable": 2}


@cache
def signer(pem: str) -> AlipaySigner:
    return AlipaySigner(pem)


async def alipay_news(
    shop: Shop, settings: Settings, payment: Payment, notify_id: str, **changes: str
) -> bytes:
    """The form Alipay would post, signed with the key of the Alipay that the demo plays."""
    pem = (Path(settings.directory) / "demo" / "alipay_platform_key.pem").read_text()
    attempt = (await shop.attempts(payment))[0]
    fields = {
        "notify_id": notify_id,
        "app_id": "2021000000000001",
        "out_trade_no": attempt["id"],
        "trade_no": "2026112222001473037000000001",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "100.00",
        **changes,
    }
    plain = {name: value.encode() for name, value in fields.items()}
    text = notification_texts(plain)[0].decode()
    return urlencode({**fields, "sign_type": "RSA2", "sign": signer(pem).sign(text)}).encode()


async def test_alipays_news_in_any_order_ends_the_same(shop: Shop, settings: Settings) -> None:
    stories = {"a": "WAIT_BUYER_PAY", "b": "TRADE_SUCCESS", "c": "TRADE_FINISHED"}

    for order in itertools.permutations(stories):
        payment = await redirect(shop.core, await shop.payment(), actor="payer")
        assert payment.status is PaymentStatus.REQUIRES_ACTION
        for name in (*order, *order):
            news = await alipay_news(
                shop, settings, payment, f"{payment.id}-{name}", trade_status=stories[name]
            )
            answer = await receive_notification(shop.core, "alipay", {}, news)
            assert answer == Received(200, "text/plain", b"success")
        ended = await shop.read(payment)
        assert (ended.status, ended.surplus) == (PaymentStatus.CAPTURED, False)
        assert ended.provider_reference == "2026112222001473037000000001"
        assert (await shop.timeline(payment)).count("capture captured") == 1
    assert await shop.faults() == []


async def test_alipays_news_for_others_is_foreign_and_by_others_refused(
    shop: Shop, settings: Settings
) -> None:
    payment = await redirect(shop.core, await shop.payment(), actor="payer")
    good = await alipay_news(shop, settings, payment, "n-1")
    others = await alipay_news(shop, settings, payment, "n-1", app_id="2021000000000002")
    answer = await receive_notification(shop.core, "alipay", {}, others)
    assert (answer.status, answer.body, answer.outcome) == (200, b"success", "foreign")
    assert await foreign(shop, "alipay") == {"account": 1}
    forgeries = [
        good.replace(b"total_amount=100.00", b"total_amount=100.01"),
        good.replace(b"notify_id=n-1", b"notify_id=n-2"),
        good[:-8],
        b"",
    ]

    answers = [await receive_notification(shop.core, "alipay", {}, body) for body in forgeries]

    assert set(answers) == {REFUSAL}
    assert await kept(shop) == []
    assert await shop.read(payment) == payment


async def test_alipays_news_of_another_amount_is_kept_and_not_booked(
    shop: Shop, settings: Settings
) -> None:
    payment = await redirect(shop.core, await shop.payment(), actor="payer")
    news = await alipay_news(shop, settings, payment, "n-1", total_amount="99.99")

    await receive_notification(shop.core, "alipay", {}, news)

    assert (await shop.read(payment)).status is PaymentStatus.REQUIRES_ACTION
    assert [one["status"] for one in await shop.attempts(payment)] == ["in_doubt"]
    assert (await shop.sql("select count(*) from posting"))[0][0] == 0


async def test_news_for_one_provider_cannot_speak_of_anothers_attempt(
    shop: Shop, settings: Settings
) -> None:
    redirected = ActionNeeded(reference="r", url="https://provider.example/")
    payment = await shop.play(await shop.payment(), Scripted(redirected))
    news = await alipay_news(shop, settings, payment, "n-1")

    answer = await receive_notification(shop.core, "alipay", {}, news)

    assert (answer.status, answer.outcome) == (200, "foreign")
    assert await kept(shop) == []
    assert await shop.read(payment) == payment


async def test_news_reaches_any_process_and_the_next_one_too(
    shop: Shop, secret: bytes, settings: Settings, database_url: str
) -> None:
    payment, news = await sandbox_news(shop, "paid_later")
    signed = headers(secret, news.body)

    async with assembly.open_core(settings, database_url) as other:
        answers = await asyncio.gather(
            *(
                receive_notification(core, "sandbox", signed, news.body)
                for core in (shop.core, other) * 4
            )
        )

    assert set(answers) == {THANKS}
    assert (await shop.timeline(payment)).count("capture captured") == 1
    assert await shop.faults() == []
