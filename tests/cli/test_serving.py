"""Where the demo's simulator listens, and what other commands know of a running server."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.e2e.server import free_ports

from kassa.base.domain.errors import InvalidRequest
from kassa.cli import serving
from kassa.cli.serving import Addresses
from kassa.settings import Settings


@contextmanager
def a_taken_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def left_by_its_predecessor() -> int:
    """A port where a server ended its connections by itself: nobody listens, something lingers."""
    with a_taken_port() as port:
        pass
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
    return port


def test_another_port_is_chosen_when_the_usual_one_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with a_taken_port() as taken:
        monkeypatch.setattr(serving, "_SIMULATOR_PORT", taken)
        chosen = serving._with_simulator(Settings(demo=True), killed=False).simulator_port

    assert chosen not in (0, taken)


def test_the_usual_port_is_kept_from_one_start_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = left_by_its_predecessor()
    monkeypatch.setattr(serving, "_SIMULATOR_PORT", usual)

    assert serving._with_simulator(Settings(demo=True), killed=False).simulator_port == usual


def test_it_stays_away_from_our_own_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = left_by_its_predecessor()
    monkeypatch.setattr(serving, "_SIMULATOR_PORT", usual)
    settings = Settings(demo=True, grpc_port=usual)

    assert serving._with_simulator(settings, killed=False).simulator_port not in (0, usual)


def test_a_port_that_is_named_and_taken_is_refused() -> None:
    with a_taken_port() as taken, pytest.raises(InvalidRequest, match="KASSA_SIMULATOR_PORT"):
        serving._with_simulator(Settings(demo=True, simulator_port=taken), killed=False)


def test_operators_have_the_usual_port_or_another(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = left_by_its_predecessor()
    monkeypatch.setattr(serving, "_OPS_PORT", usual)

    assert serving._with_ops(Settings(), killed=False).ops_port == usual
    assert Settings().ops_host == "127.0.0.1"
    assert serving._with_ops(Settings(grpc_port=usual), killed=False).ops_port not in (0, usual)
    assert serving._with_ops(Settings(ops_port=usual + 1), killed=False).ops_port == usual + 1
    with a_taken_port() as taken, pytest.raises(InvalidRequest, match="KASSA_OPS_PORT"):
        serving._with_ops(Settings(ops_port=taken), killed=False)


def test_a_command_speaks_of_the_address_where_the_server_runs() -> None:
    running = Addresses("app", "owner", base_url="http://127.0.0.1:9000", simulator_port=8090)

    beside = serving.as_served(Settings(), running)
    named = serving.as_served(Settings(base_url="https://pay.example.org"), running)

    assert (beside.url, beside.simulator_url) == (running.base_url, "http://127.0.0.1:8090")
    assert named.url == "https://pay.example.org"
    assert serving.as_served(Settings(), Addresses("app", "owner")) == Settings()


def test_with_real_money_it_does_not_start_on_a_database_that_may_lose_commits(
    tmp_path: Path, owner_url: str
) -> None:
    port, grpc_port = free_ports(2)
    settings = {
        "KASSA_LIVE": "1",
        "KASSA_BASE_URL": "https://pay.example.org",
        "KASSA_DATABASE_URL": owner_url,
        "KASSA_DATABASE_STANDBY_NAMES": "one",  # the server of the tests has none
        "KASSA_DATA_DIR": str(tmp_path),
        "KASSA_PORT": str(port),
        "KASSA_GRPC_PORT": str(grpc_port),
    }

    for command in (["serve"], ["work"], ["verify"]):
        ended = subprocess.run(
            [sys.executable, "-m", "kassa.cli", *command],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

        assert ended.returncode == 2, ended.stderr
        assert "live mode takes no money on this database: " in ended.stderr
        assert "ALTER SYSTEM SET" in ended.stderr or "make them alike" in ended.stderr
        assert "Traceback" not in ended.stderr
