"""What a script asks the simulator, the page a person reads, and the files of a day."""

import csv
import io
import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.simulator.conftest import KEY, SECRET, Heard, Shop

import kassa_simulator
from kassa_simulator.protocols import protocols
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio


@pytest.fixture
async def http(simulator: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(simulator.url) as session:
        yield session


async def asked(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(f"/_simulator/{path}") as answer:
        assert answer.status == 200
        return await answer.json()


async def test_a_script_reads_what_a_charge_came_to(
    http: aiohttp.ClientSession, shop: Shop, simulator: Simulator
) -> None:
    intent = await shop.pay()
    await shop(lambda v1: v1.refunds.create({"payment_intent": intent.id, "amount": 99}))

    (charge,) = await asked(http, "charges?provider=stripe&merchant=lantern&key=att_1")
    changes = await asked(http, f"changes?provider=stripe&charge={intent.id}")
    money = await asked(http, "money?provider=stripe&merchant=lantern")
    calls = await asked(http, "calls?provider=stripe&operation=charge")

    assert (charge["status"], charge["captured_minor"], charge["refunded_minor"]) == (
        "captured",
        1099,
        99,
    )
    assert [(change["kind"], change["amount_minor"]) for change in changes] == [("refund", 99)]
    assert money["USD"]["refunded_minor"] == 99
    assert [(call["reference"], call["status"]) for call in calls] == [("att_1", 200)]


async def test_secrets_are_taken_and_never_shown(
    http: aiohttp.ClientSession, shop: Shop, simulator: Simulator
) -> None:
    await shop.pay()
    account = {
        "provider": "stripe",
        "name": "second",
        "credentials": {"secret_key": "sk_test_second", "webhook_secret": "whsec_second"},
    }
    async with http.post("/_simulator/merchants", json=account) as answer:
        assert answer.status == 201

    seen = json.dumps([await asked(http, path) for path in ("merchants", "calls", "letters")])
    async with http.get("/") as page:
        seen += await page.text()

    assert "second" in seen
    assert not any(secret in seen for secret in (KEY, SECRET, "sk_test_second", "whsec_second"))
    assert KEY not in repr(simulator.counter.desk.merchants())


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "merchants", {"provider": "nobody"}),
        ("POST", "merchants", {"provider": "stripe", "name": "x", "credentials": {}}),
        ("POST", "merchants", []),
        ("PUT", "faults", {"fault": "slow"}),
        ("POST", "clock", {"advance_seconds": -1}),
        ("POST", "act", {"provider": "stripe", "charge": "pi_x", "action": "pay"}),
        ("POST", "letters/evt_x/again", {}),
        ("GET", "settlement-file?provider=stripe&merchant=lantern&date=today", None),
        ("GET", "settlement-file?provider=stripe&merchant=x&date=2026-01-01", None),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(
    http: aiohttp.ClientSession, method: str, path: str, content: Any
) -> None:
    async with http.request(method, f"/_simulator/{path}", json=content) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_a_person_presses_the_buttons_of_the_page(
    http: aiohttp.ClientSession, shop: Shop, simulator: Simulator, heard: Heard
) -> None:
    intent = await shop.pay(payment_method="pm_card_authenticationRequired")
    async with http.get("/") as page:
        before = await page.text()
    assert 'aria-label="Pay: att_1"' in before

    form = {"provider": "stripe", "charge": intent.id, "action": "pay"}
    async with http.post("/_simulator/page/act", data=form) as page:
        after = await page.text()
    assert "10.99 USD" in after
    assert 'aria-label="Pay: att_1"' not in after
    assert simulator.money("stripe")["USD"]["charged_minor"] == 1099

    await simulator.post_letters()
    so_far = len(heard.letters)
    letter = simulator.letters()[-1]["id"]
    async with http.post("/_simulator/page/again", data={"letter": letter}) as page:
        assert page.status == 200
    await simulator.post_letters()
    assert len(heard.letters) == so_far + 2

    was = simulator.books.clock.now()
    async with http.post("/_simulator/page/clock", data={"ahead": "day"}) as page:
        assert page.status == 200
    assert (simulator.books.clock.now() - was).days == 1


@pytest.mark.parametrize("path", ["page/clock", "clock", "merchants"])
async def test_a_page_of_another_site_presses_nothing(
    http: aiohttp.ClientSession, path: str
) -> None:
    foreign = {"origin": "https://elsewhere.example"}
    async with http.post(f"/_simulator/{path}", headers=foreign, data=b"{}") as answer:
        assert answer.status == 403


async def file(http: aiohttp.ClientSession, faults: str = "") -> list[dict[str, str]]:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    where = f"settlement-file?provider=stripe&merchant=lantern&date={today}&faults={faults}"
    async with http.get(f"/_simulator/{where}") as answer:
        assert answer.status == 200
        return list(csv.DictReader(io.StringIO(await answer.text())))


async def test_the_file_of_a_day_has_faults_on_demand(
    http: aiohttp.ClientSession, shop: Shop
) -> None:
    intents = [await shop.pay(f"att_{number}") for number in range(4)]
    await shop(lambda v1: v1.refunds.create({"payment_intent": intents[0].id, "amount": 99}))

    right = await file(http)
    assert [(row["reporting_category"], row["gross"], row["fee"], row["net"]) for row in right] == [
        *[("charge", "10.99", "0.62", "10.37")] * 4,
        ("refund", "-0.99", "0.00", "-0.99"),
    ]
    assert right[0]["payment_intent_id"] == intents[0].id
    assert right[0]["payment_metadata[kassa_attempt]"] == "att_0"

    sums = {
        name: sum(int(row["gross"].replace(".", "")) for row in await file(http, name))
        for name in ("", "split", "wrong")
    }
    assert sums["split"] == sums[""]
    assert abs(sums["wrong"] - sums[""]) == 1
    lengths = [len(await file(http, name)) for name in ("missing", "split", "extra", "wrong")]
    assert lengths == [4, 6, 6, 5]
    assert await file(http, "missing,wrong") == await file(http, "missing,wrong")


COMMAND = [sys.executable, "-c", "from kassa.cli import start; start()", "simulate"]


def test_the_command_explains_itself_and_refuses_nonsense(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"fault": "rain"}]')

    told = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    refused = subprocess.run(
        [*COMMAND, "--port", "0", "--faults", "faults.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "kassa simulate --port 8090" in told.stdout
    assert refused.returncode == 2
    assert refused.stderr.startswith("kassa: rule 1: fault must be one of ")


def test_the_command_says_where_it_is_and_stops_when_told(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, "--port", "0"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        url = ""
        while not url:
            line = command.stdout.readline()
            assert line or command.poll() is None
            url = line.split()[-1] if "what they hold" in line else ""

        with urllib.request.urlopen(url, timeout=10) as page:
            assert b"Simulated providers" in page.read()

        command.send_signal(signal.SIGTERM)
        assert command.wait(timeout=20) == 0
    assert (tmp_path / ".kassa" / "simulator" / "simulator.sqlite").stat().st_mode & 0o77 == 0


def test_the_readmes_table_says_what_an_account_of_each_provider_needs() -> None:
    readme = Path(kassa_simulator.__path__[0], "README.md").read_text()
    table = re.findall(r"^\| (\w+) \| `(/[^`]+)`[^|]* \| ([^|]+) \|$", readme, re.MULTILINE)
    known = {name: list(one.credentials) for name, one in protocols().items()}

    said = {name: re.sub(r" \([^)]*\)", "", needs).split(", ") for name, _, needs in table}

    assert len(said) >= 5
    assert {name: sorted(needs) for name, needs in said.items()} == {
        name: sorted(known[name]) for name in said
    }
    assert [where for name, where, _ in table if not where.startswith(f"/{name}")] == []
