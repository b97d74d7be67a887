"""Every route and call × every credential × objects of one's own, of another's, of nobody's."""

import dataclasses
import math
import os
import statistics
import time
from collections.abc import AsyncIterator

import pytest
from tests.asgi import Client
from tests.company import DemoCompany
from tests.faces.limited import OPEN, calling
from tests.identity.matrix import (
    KINDS,
    OWNERS,
    PROOFS,
    Hands,
    Said,
    World,
    proofs_of,
    side_of,
)
from tests.identity.probes import NO_OBJECT_OF_ONES_OWN, PAGES, PROBES, Probe
from tests.shop import Shop

from kassa import criticality
from kassa.base.usecases.admission import Admission
from kassa.base.usecases.core import Core
from kassa.faces.wallet import signature
from kassa.identity.domain.permissions import PRESETS, Bearer, Permission, granted, words_of
from kassa.identity.usecases.companies import get_company
from kassa.settings import Settings

pytestmark = pytest.mark.anyio
LONG = os.environ.get("KASSA_TEST_LONG") == "1"


@pytest.fixture
async def world(
    core: Core, client: Client, demo: DemoCompany, owner_url: str, settings: Settings
) -> AsyncIterator[World]:
    core.admission = Admission(dataclasses.replace(OPEN, wrong_credentials=1_000_000))
    company = await get_company(core, demo.company_id)
    shop = Shop(core, company, owner_url)
    other = Shop(core, await shop.other_company(), owner_url)
    hands = Hands(signature.private_key(demo.wallet_private_key_pem))
    proofs = await proofs_of(core, hands, company, other.company)
    right = {kind: proofs[kind, "right"] for kind in KINDS}
    foreign = {kind: proofs[kind, "another company's"] for kind in KINDS}
    ours = await side_of(shop, client, right)
    theirs = await side_of(other, client, foreign)
    async with calling(core, settings) as channel:
        yield World(
            core=core, client=client, channel=channel, ours=ours, theirs=theirs, proofs=proofs
        )


def test_every_route_that_a_credential_opens_is_in_the_matrix() -> None:
    opened = {name for name, traits in criticality.OF.items() if traits.needed}

    assert opened == set(PROBES)


def test_a_route_that_does_not_say_who_may_ask_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="says who may ask"):
        criticality.Traits(criticality.Criticality.MONEY, ())
    with pytest.raises(KeyError):
        criticality.of_route("POST", "/v1/refunds:all")


async def test_nobody_who_is_not_known_is_told_anything(world: World) -> None:
    for name, probe in _probes():
        answers: set[Said] = set()
        for proof in PROOFS:
            said = [await world.ask(name, probe, proof, owner) for owner in OWNERS]
            assert len(set(said)) == 1, (name, probe, proof, said)
            if name not in PAGES:
                assert said[0].refused == "unauthenticated", (name, probe, proof, said[0])
            answers.add(said[0])
        if probe.kind == "orders_client":
            assert len(answers) <= 2, (name, answers)  # nothing was shown; what was shown is wrong


async def test_each_preset_lets_in_what_it_names_and_nothing_else(world: World) -> None:
    for name, probe in _probes():
        needed = criticality.OF[name].needed
        for preset in (*PRESETS, *(["admin"] if probe.kind == "api_key" else [])):
            may = granted(probe.kind, words_of(probe.kind, [preset]))
            said = [await world.ask(name, probe, preset, owner) for owner in OWNERS]
            if may.isdisjoint(_exactly(probe, needed)):
                assert len(set(said)) == 1, (name, probe, preset, said)
                assert name in PAGES or said[0].refused == "forbidden", (name, preset, said[0])
                assert name in PAGES or _is_of_rights(said[0]), (name, preset, said[0])
            else:
                _let_in(name, probe, said, mine=probe.kind != "wallet_client")


async def test_who_may_capture_may_not_void_for_that(world: World) -> None:
    name = "POST /pg/orders/{order_id}/authorization"
    for probe in PROBES[name]:
        said = [await world.ask(name, probe, "capturer", owner) for owner in OWNERS]
        if probe.body["action"] == "VOID":
            assert len(set(said)) == 1, (probe, said)
            assert _is_of_rights(said[0]), said[0]
        else:
            _let_in(name, probe, said)


async def test_what_is_anothers_is_told_as_what_is_nobodys(world: World) -> None:
    for name, probe in _probes():
        right = "admin" if "/admin/" in name else "right"
        said = [await world.ask(name, probe, right, owner) for owner in OWNERS]
        _let_in(name, probe, said)
        if not probe.about or probe.about in NO_OBJECT_OF_ONES_OWN:
            continue
        stranger = [await world.ask(name, probe, "another company's", one) for one in OWNERS]
        if "OURS" not in str(probe.body):
            assert stranger[0] == stranger[2], (name, probe, stranger)
            assert stranger[1] != stranger[2], (name, probe, stranger)
        if probe.kind == "jwt_key":
            bob = [await world.ask(name, probe, "another customer's", one) for one in OWNERS]
            assert len(set(bob)) == 1, (name, probe, bob)


async def test_no_credential_opens_what_is_not_opened_by_one(world: World) -> None:
    for name, traits in criticality.OF.items():
        if not isinstance(traits.allowed, Bearer) or name.startswith(("GET /livez", "GET /readyz")):
            continue
        method, path = name.replace("*", "PUT").split()
        path = path.replace("{token}", "sess_x").replace(":path", "")
        probe = Probe(kind="api_key", path="".join(path.replace("{", "").replace("}", "")))
        bare = await world.ask(f"{method} {path}", probe, "none", "own")
        shown = await world.ask(f"{method} {path}", probe, "right", "own")
        if traits.allowed is Bearer.WALLET_USER:  # it is looked at, and is no secret of a user's
            assert (bare.refused, shown.refused) == ("unauthenticated", "unauthenticated")
        else:
            assert shown == bare, name


def _probes() -> list[tuple[str, Probe]]:
    return [(name, probe) for name, probes in PROBES.items() for probe in probes]


def _exactly(probe: Probe, needed: tuple[Permission, ...]) -> tuple[Permission, ...]:
    """Of a route for two things, what this request is for."""
    action = str((probe.body or {}).get("action", "")).lower()
    return tuple(one for one in needed if not action or one.action == action)


def _is_of_rights(said: Said) -> bool:
    return b"has not the permission" in said.body


def _let_in(name: str, probe: Probe, said: list[Said], *, mine: bool = True) -> None:
    """`mine`: the object was made by this credential; what a wallet client made is its alone."""
    own, others, nobodys = said
    assert own.refused == "", (name, probe, own)
    assert not _is_of_rights(others), (name, probe, others)
    assert not probe.about or others == nobodys, (name, probe, others, nobodys)
    if mine and probe.about and probe.about not in NO_OBJECT_OF_ONES_OWN:
        assert own != nobodys, (name, probe, own)


@pytest.mark.skipif(not LONG, reason="takes a minute; KASSA_TEST_LONG=1")
@pytest.mark.parametrize(
    "name", ["GET /v1/payment/{id:path}", "GET /pg/orders/{order_id}", "POST /v1/orders:verify"]
)
async def test_what_is_anothers_takes_as_long_as_what_is_nobodys(world: World, name: str) -> None:
    """Welch's t of 2,000 pairs, each in its own order, without the slowest tenth; a difference that
    can be seen has |t| of 4.5."""
    probe = PROBES[name][0]
    took: dict[str, list[float]] = {"another's": [], "nobody's": []}  # seconds, not money
    for turn in range(2_000):
        for owner in sorted(took, reverse=turn % 2 == 0):
            began = time.perf_counter()
            await world.ask(name, probe, "right", owner)
            took[owner].append(time.perf_counter() - began)

    one, two = (sorted(times)[: len(times) * 9 // 10] for times in took.values())
    spread = math.sqrt(statistics.variance(one) / len(one) + statistics.variance(two) / len(two))
    assert abs(statistics.fmean(one) - statistics.fmean(two)) / spread < 4.5
