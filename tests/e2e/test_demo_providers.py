"""The simulator as a child of the demo: named, quiet, started again, and its books kept."""

import json
from collections.abc import Iterator

import pytest
from tests.e2e.providers import by_token, held, wait_for_accounts
from tests.e2e.server import Server, a_server, name_of, until
from tests.e2e.wire import fresh


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        wait_for_accounts(started)
        yield started
        assert started.stop() == 0
        assert started.left_over() == []


def simulators(server: Server) -> list[int]:
    return [pid for pid in server.processes() if name_of(pid) == "kassa simulator"]


def pays(server: Server, token: str = "pm_card_visa") -> bool:
    reply = server.ask(by_token(server.faces(), fresh("order"), token=token))
    return reply.status == 200 and reply.json()["paymentResult"]


def test_the_banner_names_its_page_and_it_says_nothing_itself(server: Server) -> None:
    assert f"simulator       http://127.0.0.1:{server.simulator_port}/ " in server.log
    assert "Simulated providers" not in server.log
    assert "not compared" not in server.log  # what it does not know yet is not asked


def test_the_accounts_are_listed_with_the_address_where_we_are(server: Server) -> None:
    listed = json.loads(server.run("provider", "list", "--json").stdout)

    assert {one["account"] for one in listed} == {
        "alipay", "cashfree", "partner-wallet", "razorpay", "sandbox", "stripe",
    }  # fmt: skip
    for one in listed:
        assert one["notify_url"] == f"{server.base_url}/providers/{one['account']}"
    tested = server.run("provider", "test", "stripe").stdout
    assert tested == "test side of cmp_001\nthe provider accepts the credentials\n"


def test_a_token_of_the_sandbox_goes_to_the_sandbox(server: Server) -> None:
    before = held(server)

    assert pays(server, "pm_sandbox_paid")
    assert held(server) == before
    assert not pays(server, "pm_card_chargeDeclined")
    assert pays(server)
    assert len(held(server)) == len(before) + 1


def test_killed_it_is_started_again_with_its_books(server: Server) -> None:
    assert pays(server)
    (killed,), before = simulators(server), held(server)

    server.kill(killed)
    until(lambda: pays(server), "payments go through again")

    (again,), after = simulators(server), held(server)
    assert again != killed
    assert before.items() < after.items()
    assert "simulator ended" in server.log
