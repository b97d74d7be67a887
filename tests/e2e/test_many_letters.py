"""A storm of notifications over two HTTP processes: each event has its effect once, however often
and in whatever order it is told, and no forged copy has any.

KASSA_TEST_LONG=1 tells of ten thousand events, at random (KASSA_TEST_SEED).
"""

import asyncio
import os
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from tests.e2e.crowd import Crowd, a_crowd
from tests.e2e.letters import (
    FOREIGN,
    READ,
    Account,
    Event,
    Forge,
    call_of,
    events,
    secrets_of,
)
from tests.e2e.providers import (
    Providers,
    at_rest,
    by_token,
    compare,
    load,
    prove,
    refund,
    wait_for_accounts,
)
from tests.e2e.receiver import Receiver, a_receiver
from tests.e2e.server import Server, a_server
from tests.e2e.wire import Call, fresh

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"
SEED = int(os.environ.get("KASSA_TEST_SEED", "0")) or random.randrange(1, 10**9)
EVENTS = int(os.environ.get("KASSA_TEST_EVENTS", "10000" if LONG else "400"))
REFUNDS = EVENTS // 8  # of as many payments that were answered; of the others no answer came
PAYMENTS = EVENTS - REFUNDS
MOST_COPIES = 5
FORGED = 0.05  # of the copies
AT_ONCE = 64
OTHER = "cards-too"
DEAF = (  # questions to Stripe come to nothing, so that only letters can decide
    {"provider": "stripe", "operation": "letter", "fault": "never"},
    {"provider": "stripe", "operation": "query", "fault": "error_500"},
)
LOST = (
    {"provider": "stripe", "operation": "charge", "fault": "reset_after"},
    {"provider": "stripe", "operation": "refund", "fault": "reset_after"},
)
Making = Callable[[], Call]
COUNTED = re.compile(
    r'kassa_provider_notifications_total\{account="([^"]*)",outcome="([^"]*)"\} (\S+)'
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    print(f"KASSA_TEST_SEED={SEED}")
    with a_server(workers=2) as started:
        wait_for_accounts(started)
        yield started


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    async with a_crowd(server) as gathered:
        yield gathered


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as listening:
        yield listening


def accounts(server: Server) -> tuple[Account, Account]:
    """The demo's account at Stripe, and a second one of the same company."""
    mine, other = secrets_of(server), f"whsec_{secrets.token_hex(16)}"
    sets = {
        "secret_key": f"sk_test_{secrets.token_hex(16)}",
        "webhook_secret": other,
        "base_url": f"http://127.0.0.1:{server.simulator_port}/stripe",
    }
    words = [word for name, value in sets.items() for word in ("--set", f"{name}={value}")]
    added = server.run("provider", "add", "--connector", "stripe", "--account", OTHER, *words)
    assert added.returncode == 0, added.stderr
    return Account("stripe", mine["webhook_secret"]), Account(OTHER, other)


async def pay(crowd: Crowd, receiver: Receiver, count: int) -> list[Any]:
    """So many orders whose merchant is to be told, paid by token."""
    meta = {"notify_url": receiver.url("/told")}
    names = [fresh("order") for _ in range(count)]
    faces = crowd.faces
    await crowd.in_turn([faces.create_order(order_id=name, order_meta=meta) for name in names])
    return [reply.json() for reply in await crowd.in_turn([by_token(faces, one) for one in names])]


async def happenings(crowd: Crowd, receiver: Receiver) -> list[Event]:
    """Let it happen at Stripe without our being told."""
    providers = Providers(crowd.server, crowd.session)
    await providers.faults(*DEAF)
    known = await pay(crowd, receiver, REFUNDS)
    assert all(one["paymentResult"] for one in known), known[:3]
    await providers.faults(*DEAF, *LOST)
    wanted = [refund(crowd.faces, one["paymentRequestId"], fresh("refund")) for one in known]
    replies = await crowd.in_turn(wanted)
    told = await pay(crowd, receiver, PAYMENTS - REFUNDS)
    assert {one["error"].partition(":")[0] for one in told} == {"UNKNOWN"}
    assert {one.json()["error"].partition(":")[0] for one in replies} == {"UNKNOWN"}
    return events(crowd.server)


def written(account: Account, event: Event) -> Making:
    return lambda: call_of(account.letter(event))


async def post(crowd: Crowd, pile: Sequence[Making]) -> list[int]:
    """Their statuses; many are under way at the same time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(making: Making) -> int:
        async with gate:
            return (await crowd.ask(making())).status

    return await asyncio.gather(*map(one, pile))


async def counted(crowd: Crowd) -> Counter[tuple[str, str]]:
    """Notifications, by account and outcome, as the metrics count them."""
    metrics = f"http://127.0.0.1:{crowd.server.ops_port}/metrics"
    async with crowd.session.get(metrics) as answer:
        text = await answer.text()
    found = COUNTED.findall(text)
    return Counter({(account, what): int(float(count)) for account, what, count in found})


async def test_every_event_has_its_effect_once_and_no_forgery_has_any(
    crowd: Crowd, receiver: Receiver
) -> None:
    whole = time.monotonic()
    luck = random.Random(SEED)
    mine, other = await asyncio.to_thread(accounts, crowd.server)
    began = time.monotonic()
    happened = await happenings(crowd, receiver)
    read = [event for event in happened if event.name in READ]
    assert len(read) == PAYMENTS + 2 * REFUNDS  # a refund is told of itself and of its charge
    made = time.monotonic() - began

    beside = [event for event in happened if event.name not in READ]
    forge = Forge(luck, mine, other, [event.key for event in read])
    pile: list[tuple[str, Making]] = []
    for event in read + luck.sample(beside, len(beside) // 10):
        pile += [(event.name, written(mine, event))] * luck.randint(1, MOST_COPIES)
    genuine = Counter(name for name, _ in pile)
    forged = [forge.copy(luck.choice(read)) for _ in range(int(FORGED * len(pile)))]
    # Signed as they should be, and not that account's: thanked for, and without any effect.
    foreign = sum(how == FOREIGN for how, _ in forged)
    pile += [("foreign" if how == FOREIGN else "forged", making) for how, making in forged]
    luck.shuffle(pile)

    began = time.monotonic()
    statuses = await post(crowd, [making for _, making in pile])
    took = time.monotonic() - began
    answers = Counter(zip((what for what, _ in pile), statuses, strict=True))

    assert answers == Counter(
        {("forged", 401): len(forged) - foreign, ("foreign", 200): foreign}
        | {(name, 200): many for name, many in genuine.items()}
    )
    await at_rest(crowd, seconds=300)
    await effects_are(crowd, mine, read)
    await metrics_are(crowd, len(read), genuine, Counter(making().path for _, making in forged))
    await compare(crowd)
    told = await announced(crowd, receiver)
    whole = time.monotonic() - whole
    print(
        f"\n{len(read)} events ({PAYMENTS} charges, {REFUNDS} refunds) and"
        f" {len(beside) // 10} that say nothing to us, made in {made:.0f} s; as"
        f" {sum(genuine.values())} copies and {len(forged)} forgeries"
        f" {dict(Counter(how for how, _ in forged))}, {AT_ONCE} at once, in {took:.1f} s:"
        f" {len(pile) / took:.0f} a second; {told} announcements delivered;"
        f" {whole:.0f} s in all; {load()}\n"
        f"{prove(crowd.server)}"
    )


async def effects_are(crowd: Crowd, mine: Account, read: Sequence[Event]) -> None:
    """The distinct genuine events and nothing else, each once."""
    kept = await crowd.rows(
        "select dedupe_key, account, body, applied_at is not null from provider_news"
    )
    assert Counter((name, account, True) for name, account, _, _ in kept) == Counter(
        (event.told.id, mine.name, True) for event in read
    )
    assert all(applied for *_, applied in kept)
    assert {body for _, _, body, _ in kept} == {mine.letter(event).body for event in read}
    moves = Counter(
        dict(
            await crowd.rows(
                "select to_status || ' by ' || coalesce(evidence ->> 'by', ''), count(*)"
                "  from payment_event where to_status is distinct from from_status"
                "  and to_status = 'captured' group by 1"
            )
        )
    )
    assert moves == {"captured by charge": REFUNDS, "captured by notification": PAYMENTS - REFUNDS}
    postings = dict(
        await crowd.rows(
            "select kind, count(*) from posting where kind in ('capture', 'surplus', 'refund')"
            " group by 1"
        )
    )
    assert postings == {"capture": PAYMENTS, "refund": REFUNDS}


async def metrics_are(
    crowd: Crowd, distinct: int, genuine: Counter[str], forged: Counter[str]
) -> None:
    found = await counted(crowd)
    read = sum(many for name, many in genuine.items() if name in READ)
    assert {(account, what): many for (account, what), many in found.items() if many} == {
        ("stripe", "applied"): distinct,
        ("stripe", "duplicate"): read - distinct,
        ("stripe", "irrelevant"): sum(genuine.values()) - read,
        ("stripe", "refused"): forged["/providers/stripe"],
        (OTHER, "foreign"): forged[f"/providers/{OTHER}"],
    }


async def announced(crowd: Crowd, receiver: Receiver) -> int:
    """Each payment's merchant was told that it was paid, and of its refund, once; how many letters
    that took."""
    waiting = "select count(*) from announcement where state <> 'delivered'"
    async with asyncio.timeout(600):
        while (await crowd.rows(waiting))[0][0]:
            await asyncio.sleep(0.5)
    found = await crowd.rows("select event_type, count(*) from announcement group by 1")
    assert dict(found) == {"payment.paid": PAYMENTS, "payment.refunded": REFUNDS}
    assert len({letter.headers["webhook-id"] for letter in receiver.letters}) == EVENTS
    return len(receiver.letters)
