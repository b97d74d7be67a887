"""Charged, and the answer lost: every payment comes to be paid, and nobody is charged twice; the
same of refunds.

KASSA_TEST_LONG=1 does it with a thousand of each, and once more with notifications.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.e2e.crowd import Crowd, a_crowd
from tests.e2e.providers import (
    Money,
    Providers,
    at_rest,
    by_token,
    compare,
    held,
    load,
    prove,
    refund,
    refund_result,
    wait_for_accounts,
)
from tests.e2e.server import Server, a_server
from tests.e2e.wire import Call, fresh

pytestmark = pytest.mark.anyio

LONG = os.environ.get("KASSA_TEST_LONG") == "1"
PAYMENTS = 1000 if LONG else 60
REFUNDS = 1000 if LONG else 20
PATIENCE_SECONDS = 900.0 if LONG else 60.0
LOST = {"provider": "stripe", "fault": "reset_after"}
SILENT = {"provider": "stripe", "operation": "letter", "fault": "never"}
TAKEN = Money("CNY", "charge", 1, 29_990)
GIVEN = Money("CNY", "refund", 1, 29_990)
DONE = ("paymentResult", "refundResult")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        wait_for_accounts(started)
        yield started


@pytest.fixture
async def crowd(server: Server) -> AsyncIterator[Crowd]:
    async with a_crowd(server) as gathered:
        yield gathered


@pytest.fixture
def providers(crowd: Crowd) -> Providers:
    return Providers(crowd.server, crowd.session)


async def insist(crowd: Crowd, questions: dict[str, Call]) -> int:
    """Ask about each until it is done; how many answers said that nobody knows."""
    unsure = 0
    async with asyncio.timeout(PATIENCE_SECONDS):
        while questions:
            told = await crowd.in_turn(list(questions.values()))
            said = dict(zip(questions, (reply.json() for reply in told), strict=True))
            left = {key: one for key, one in said.items() if not any(map(one.get, DONE))}
            words = {one["error"].partition(":")[0] for one in left.values()}
            assert words <= {"UNKNOWN", "PENDING"}, words
            unsure += len(left)
            questions = {key: questions[key] for key in left}
            await asyncio.sleep(0.5 if left else 0)
    return unsure


async def pay(crowd: Crowd, count: int) -> list[dict[str, object]]:
    calls = [by_token(crowd.faces, fresh("order")) for _ in range(count)]
    return [reply.json() for reply in await crowd.in_turn(calls)]


def calls_made(providers: Providers) -> Counter[str]:
    return Counter(dict(providers.rows("SELECT operation, count(*) FROM calls GROUP BY 1")))


@pytest.mark.parametrize("letters", ["never", "sent"] if LONG else ["never"])
async def test_charges_whose_answers_are_all_lost_are_paid_once_each(
    crowd: Crowd, providers: Providers, letters: str
) -> None:
    charge = LOST | {"operation": "charge"}
    await providers.faults(charge, *([SILENT] if letters == "never" else []))
    before, known = calls_made(providers), held(crowd.server).keys()
    began = time.monotonic()
    told = await pay(crowd, PAYMENTS)
    asked = time.monotonic() - began
    if letters == "never":
        assert {str(one["error"]).partition(":")[0] for one in told} == {"UNKNOWN"}

    names = [str(one["paymentRequestId"]) for one in told]
    unsure = await insist(crowd, {name: crowd.faces.result(name) for name in names})
    took = time.monotonic() - began

    new = {key: money for key, money in held(crowd.server).items() if key not in known}
    assert len(new) == PAYMENTS
    assert all(money == {TAKEN} for money in new.values())
    assert await compare(crowd) == len(known) + PAYMENTS
    made = calls_made(providers) - before
    assert made["charge"] == PAYMENTS
    print(
        f"\n{PAYMENTS} charges, every answer lost, letters {letters}: asked for within"
        f" {asked:.1f} s, all paid after {took:.1f} s; {made['query']} calls to find out,"
        f" {unsure} answers to merchants said that it was not known yet; {load()}\n"
        f"{prove(crowd.server)}"
    )


async def test_refunds_whose_answers_are_all_lost_are_given_once_each(
    crowd: Crowd, providers: Providers
) -> None:
    await providers.faults()
    told = await pay(crowd, REFUNDS)
    assert all(one["paymentResult"] for one in told), told[:3]
    wanted = {fresh("refund"): str(one["paymentRequestId"]) for one in told}
    await providers.faults(LOST | {"operation": "refund"}, SILENT)
    before = calls_made(providers)
    began = time.monotonic()
    replies = await crowd.in_turn([refund(crowd.faces, of, key) for key, of in wanted.items()])
    assert not any(reply.json()["refundResult"] for reply in replies)

    await insist(crowd, {key: refund_result(crowd.faces, of, key) for key, of in wanted.items()})
    took = time.monotonic() - began

    refunded = [money for money in held(crowd.server).values() if GIVEN in money]
    assert refunded == [{TAKEN, GIVEN}] * REFUNDS
    await at_rest(crowd)
    await compare(crowd)
    made = calls_made(providers) - before
    print(
        f"\n{REFUNDS} refunds, every answer lost: all given back after {took:.1f} s, by"
        f" {made['refund']} calls and {made['query']} to find out; {load()}\n{prove(crowd.server)}"
    )
