"""Money under many callers at once, over two server processes: refunds, capture against void, and
two ways to pay one order.

KASSA_TEST_LONG=1 plays many more rounds (KASSA_TEST_ROUNDS), at random (KASSA_TEST_SEED).
"""

import asyncio
import json
import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.e2e.crowd import FORM, Crowd, a_crowd, session_in
from tests.e2e.server import Server, a_server
from tests.e2e.shop import PAID_CARD
from tests.e2e.wire import JSON, Call, Reply, fresh

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"
SEED = int(os.environ.get("KASSA_TEST_SEED", "0")) or random.randrange(1, 10**9)
ROUNDS = int(os.environ.get("KASSA_TEST_ROUNDS", "200" if LONG else "4"))
MANY = 50
PRICE = 29_990  # minor units: what every order of Faces.create_order asks
REFUND_CARDS = ("4242424242424242", "4000000000006025", "4000000000006033", "4000000000006041")
CLAIM_CARDS = ("4242424242424242", "4000000000007015", "4000000000007023")
CHALLENGE_CARD = "4000000000003220"

FIGURES = """
    select p.status, p.authorized_minor, p.captured_minor, p.released_minor, p.refunded_minor,
           p.refund_reserved_minor, p.surplus_minor, p.surplus_returned_minor
      from payment p where p.id = $1
"""
OPEN = """
    select count(*) from modification where status in ('requested', 'processing')
"""
SURPLUS_LEFT = """
    select count(*) from payment where surplus_minor > surplus_returned_minor
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    print(f"KASSA_TEST_SEED={SEED}")
    with a_server(workers=2) as started:
        yield started
        proof = started.run("verify")
        assert proof.returncode == 0, proof.stdout
        assert "Traceback" not in started.log, started.log


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    async with a_crowd(server) as gathered:
        yield gathered


@pytest.fixture
def luck(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(f"{SEED} {request.node.name}")


def asking(crowd: Crowd, path: str, members: dict[str, Any]) -> Call:
    """A call of the orders interface."""
    demo = crowd.faces.demo
    headers = {
        "x-client-id": demo.orders_client_id,
        "x-client-secret": demo.orders_client_secret,
    }
    return Call("POST", path, {**JSON, **headers}, json.dumps(members).encode())


async def an_order(crowd: Crowd, **members: Any) -> tuple[str, str, str]:
    """Order, payment and cashier session."""
    made = await crowd.read(crowd.faces.create_order(order_id=fresh("order"), **members))
    ((payment_id,),) = await crowd.rows(
        "select id from payment where order_id = $1", made["order_id"]
    )
    return made["order_id"], payment_id, session_in(f"/pay/{made['payment_session_id']}")


async def pay_by_card(crowd: Crowd, session: str, card: str) -> None:
    form = await crowd.open_page(session)
    reply = await crowd.confirm(session, form | {"method": "credit_card", "card_number": card})
    assert reply.status == 303, reply.body


def moved(server: Server) -> dict[str, tuple[int, int]]:
    """What the provider took and gave back of each charge, by its own books."""
    books = sqlite3.connect(f"file:{server.data_dir}/sandbox/books.sqlite3?mode=ro", uri=True)
    with closing(books):
        taken = dict(books.execute("SELECT key, sum(units) FROM takings GROUP BY key"))
        given = dict(books.execute("SELECT key, sum(units) FROM givings GROUP BY key"))
    return {key: (units, given.get(key, 0)) for key, units in taken.items()}


async def at_rest(crowd: Crowd, question: str = OPEN, seconds: float = 90) -> None:
    """Until the workers have nothing left to do."""
    deadline = time.monotonic() + seconds
    while (await crowd.rows(question))[0][0]:
        assert time.monotonic() < deadline, await crowd.rows(
            "select * from modification where status in ('requested', 'processing')"
        )
        await asyncio.sleep(0.2)


async def figures(crowd: Crowd, payment_id: str) -> dict[str, Any]:
    names = ("status", "authorized", "captured", "released", "refunded", "reserved", "surplus")
    ((*found,),) = await crowd.rows(FIGURES, payment_id)
    return dict(zip((*names, "returned"), found, strict=True))


async def provider_of(crowd: Crowd, payment_id: str) -> tuple[int, int]:
    """Taken and given back, over all attempts of the payment."""
    attempts = await crowd.rows(
        "select id from attempt where payment_id = $1 and connector = 'sandbox'", payment_id
    )
    books = moved(crowd.server)
    sums = [books.get(key, (0, 0)) for (key,) in attempts]
    return sum(taken for taken, _ in sums), sum(given for _, given in sums)


async def test_fifty_refunds_at_once_never_give_back_more_than_was_taken(
    crowd: Crowd, luck: random.Random
) -> None:
    # Guard: the order's lock, and beneath it payment_bounds. Without both of them, refunds of two
    # processes read the same counters, and more is given back than was taken.
    answers: Counter[int] = Counter()
    paid: list[str] = []
    for number in range(ROUNDS):
        order_id, payment_id, session = await an_order(crowd)
        await pay_by_card(crowd, session, REFUND_CARDS[number % len(REFUND_CARDS)])
        most = luck.choice((PRICE, PRICE // 10, PRICE // 3))
        calls = [
            asking(
                crowd,
                f"/pg/orders/{order_id}/refunds",
                {"refund_id": f"r_{fresh('r')}", "refund_amount": luck.randint(1, most) / 100},
            )
            for _ in range(MANY)
        ]
        answers.update(reply.status for reply in await crowd.at_once(calls))
        paid.append(payment_id)
    await at_rest(crowd)
    for payment_id in paid:
        found = await figures(crowd, payment_id)
        assert found["reserved"] == 0
        assert 0 < found["refunded"] <= found["captured"] == PRICE
        assert await provider_of(crowd, payment_id) == (PRICE, found["refunded"])
    print(f"{ROUNDS} rounds of {MANY} refunds: answers {dict(answers)}")
    assert set(answers) <= {200, 400}, answers
    assert answers[200] > ROUNDS
    assert answers[400] > ROUNDS


async def test_of_capture_and_void_exactly_one_wins(crowd: Crowd, luck: random.Random) -> None:
    # Guard: one open claim, and beneath it the index modification_one_claim.
    winners: Counter[str] = Counter()
    made: list[str] = []
    for number in range(ROUNDS):
        order_id, payment_id, session = await an_order(crowd, capture_method="manual")
        await pay_by_card(crowd, session, CLAIM_CARDS[number % len(CLAIM_CARDS)])
        part = luck.choice((PRICE, PRICE // 2, 1)) / 100
        claims: list[dict[str, Any]] = [{"action": "CAPTURE", "amount": part}, {"action": "VOID"}]
        claims = claims * 4
        luck.shuffle(claims)
        path = f"/pg/orders/{order_id}/authorization"
        replies = await crowd.at_once([asking(crowd, path, claim) for claim in claims])
        assert {reply.status for reply in replies} <= {200, 400, 409, 422}, replies
        made.append(payment_id)
    await at_rest(crowd)
    for payment_id in made:
        found = await figures(crowd, payment_id)
        done = await crowd.rows(
            "select kind, amount_minor from modification where payment_id = $1"
            " and status = 'succeeded'",
            payment_id,
        )
        assert len(done) == 1, done
        ((kind, amount),) = done
        captured = amount if kind == "capture" else 0
        assert found["status"] == ("captured" if captured else "canceled")
        assert (found["captured"], found["released"]) == (captured, PRICE - captured)
        assert await provider_of(crowd, payment_id) == (captured, 0)
        winners[kind] += 1
    print(f"{ROUNDS} rounds: {dict(winners)} won")
    assert sum(winners.values()) == ROUNDS


async def test_an_order_paid_in_two_ways_is_paid_once_and_the_rest_comes_back(
    crowd: Crowd, luck: random.Random
) -> None:
    # Guard: the order's lock, and beneath it payment_one_success. A card that was approved on the
    # bank's page after the payer had gone on with another way takes the money twice.
    ways: Counter[str] = Counter()
    made: list[str] = []
    for number in range(ROUNDS):
        order_id, payment_id, session = await an_order(crowd)
        page = ""
        if number % 2:  # the payer goes to the bank's page, and leaves it open
            await pay_by_card(crowd, session, CHALLENGE_CARD)
            ((page,),) = await crowd.rows(
                "select redirect_url from payment where id = $1", payment_id
            )
        form = await crowd.open_page(session)
        by_wallet = form | {
            "method": "wallet",
            "wallet_user": crowd.faces.demo.wallet_user_id,
            "wallet_code": crowd.faces.demo.wallet_auth_code,
        }
        steps = [
            crowd.confirm(session, by_wallet),
            crowd.ask(crowd.faces.request(order_id, "credit card", PAID_CARD)),
            crowd.ask(crowd.faces.request(order_id, "wallet", crowd.faces.demo.wallet_auth_code)),
        ]
        if page:
            steps.append(approve(crowd, page))
        luck.shuffle(steps)
        replies = await asyncio.gather(*(soon(luck.random() / 20, step) for step in steps))
        assert all(reply.status < 500 for reply in replies), replies
        made.append(payment_id)
    await at_rest(crowd, "select count(*) from attempt where status = 'in_doubt'")
    await asyncio.sleep(2)  # until news of the last approval is in
    await at_rest(crowd, SURPLUS_LEFT)
    await at_rest(crowd)
    for payment_id in made:
        found = await figures(crowd, payment_id)
        succeeded = await crowd.rows(
            "select method, surplus from attempt where payment_id = $1 and status = 'succeeded'",
            payment_id,
        )
        assert found["status"] == "captured"
        assert Counter(surplus for _, surplus in succeeded)[False] == 1, succeeded
        assert found["surplus"] == found["returned"] == PRICE * (len(succeeded) - 1)
        cards = sum(method == "credit_card" for method, _ in succeeded)
        assert await provider_of(crowd, payment_id) == (PRICE * cards, found["returned"])
        (first,) = (method for method, surplus in succeeded if not surplus)
        ways[f"{first}, paid {len(succeeded)} times"] += 1
    print(f"{ROUNDS} rounds: {dict(ways)}")
    assert any(way.endswith("2 times") for way in ways), "no round took the money twice"


async def soon(seconds: float, step: Awaitable[Reply]) -> Reply:
    await asyncio.sleep(seconds)
    return await step


async def approve(crowd: Crowd, address: str) -> Reply:
    """The payer presses the button on the bank's page."""
    path = address.removeprefix(crowd.server.base_url)
    page = await crowd.ask(Call("GET", path))
    token = page.body.partition(b'name="token" value="')[2].partition(b'"')[0].decode()
    body = f"token={token}&choice=approve".encode()
    done = await crowd.ask(Call("POST", path, FORM, body))
    assert done.status == 303, (done.status, page.body)
    return done
