"""The command line as people and scripts meet it: what it prints, refuses, and exits with."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.server import KASSA, Result, Server, a_server, free_ports, kassa
from tests.e2e.wire import Faces, fresh

from kassa.cli import main

COMMANDS = (
    ("serve",),
    ("work",),
    ("migrate",),
    ("verify",),
    ("demo",),
    ("try",),
    ("record",),
    ("company",),
    ("connectors", "list"),
    ("connectors", "new"),
    ("credential",),
    ("webhook-secret",),
    ("wallet",),
    ("wallet", "add"),
    ("wallet", "top-up"),
    ("wallet", "status"),
    ("wallet", "show"),
    ("refund",),
    ("capture",),
    ("void",),
    ("dispute", "list"),
    ("explain",),
    ("export", "trial-balance"),
    ("export", "journal"),
    ("export", "settlement"),
    ("fee", "add"),
    ("fee", "list"),
    ("fee", "end"),
    ("fee", "variance"),
    ("settle",),
    ("settlement", "list"),
    ("settlement", "show"),
    ("settlement", "paid"),
    ("settlement", "failed"),
    ("payee", "add"),
    ("payee", "list"),
    ("payee", "disable"),
    ("provider", "add"),
    ("provider", "list"),
    ("provider", "test"),
    ("provider", "report"),
    ("provider", "disable"),
    ("provider", "enable"),
    ("provider", "rotate-keys"),
    ("reconcile",),
    ("route",),
    ("breaks", "assign"),
    ("breaks", "resolve"),
)

# Arguments of `kassa serve`, settings from the environment, and what the sentence must say.
# fmt: off
REFUSED: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    ((), {"KASSA_PROT": "8080"}, "KASSA_PROT is not a setting; most like it are KASSA_PORT"),
    ((), {"KASSA_PORT": "abc"}, "KASSA_PORT='abc' is not a whole number"),
    ((), {"KASSA_PORT": "8080.5"}, "KASSA_PORT='8080.5' is not a whole number"),
    ((), {"KASSA_DEMO": "maybe"}, "KASSA_DEMO='maybe' is not true or false"),
    ((), {"KASSA_LOG_LEVEL": "loud"}, "log_level must be debug, info, warning or error"),
    ((), {"KASSA_BASE_URL": "pay.example.org"}, "base_url must be like https://"),
    ((), {"KASSA_DATABASE_CONNECTIONS": "0"}, "database_connections must be 1 to 200"),
    (("--port", "0"), {}, "port must be 1 to 65535, got 0"),
    (("--port", "99999"), {}, "port must be 1 to 65535, got 99999"),
    (("--port", "9000", "--grpc-port", "9000"), {}, "port and grpc_port are both 9000"),
    (("--workers", "65"), {}, "workers must be 0 to 64"),
    (("--database-url", "mysql://db"), {}, "database_url must "),
    (("--database-url", "postgresql://127.0.0.1:1/x"), {}, "cannot reach"),
    (("--demo",), {"KASSA_LIVE": "1"}, "live and demo exclude each other"),
    (("--host", "203.0.113.9"), {}, "cannot listen on 203.0.113.9:"),
    (("--config", "none.toml"), {}, "cannot read the settings file none.toml"),
]
MISTYPED: list[tuple[str, ...]] = [
    ("serve", "--prot", "8080"),
    ("serve", "--port", "abc"),
    ("server",),
    ("record",),
    ("wallet", "pay"),
]
# fmt: on


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with a_server() as started:
        yield started


@pytest.fixture(scope="module")
def faces(server: Server) -> Faces:
    return server.faces()


@dataclass
class Prompt:
    """Types `kassa …` without the half second that a process of its own takes to start."""

    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def type(self, *arguments: str, **settings: str) -> Result:
        for name in [name for name in os.environ if name.startswith("KASSA_")]:
            self.monkeypatch.delenv(name)
        for name, value in settings.items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.setattr(sys, "argv", [KASSA, *arguments])
        # Run with `python -m pytest` we would be taken for a part of that.
        self.monkeypatch.setattr(sys.modules["__main__"], "__package__", None)
        with pytest.raises(SystemExit) as ended:
            main()
        said = self.capsys.readouterr()
        return Result(arguments, int(ended.value.code or 0), said.out, said.err)


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Prompt:
    return Prompt(monkeypatch, capsys)


def refusal(ended: Result) -> str:
    """The one sentence with which a command was refused."""
    assert ended.returncode == 2, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("kassa: ")
    return str(lines[0])


@pytest.mark.parametrize("arguments, env, said", REFUSED)
def test_a_setting_that_cannot_be_is_refused_in_one_sentence(
    prompt: Prompt, tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    port, grpc_port = free_ports(2)
    settings = {
        "KASSA_DATA_DIR": str(tmp_path / "data"),
        "KASSA_PORT": str(port),
        "KASSA_GRPC_PORT": str(grpc_port),
    }

    assert said in refusal(prompt.type("serve", *arguments, **(settings | env)))
    assert not (tmp_path / "data" / "pg").exists()


@pytest.mark.parametrize(
    "text, said",
    [
        ("prot = 8080", "prot"),
        ('port = "8080"', "port"),
        ("port = ", "not valid TOML"),
    ],
)
def test_a_settings_file_that_cannot_be_is_refused_in_one_sentence(
    prompt: Prompt, tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "kassa.toml"
    path.write_text(text)

    assert said in refusal(prompt.type("serve", "--config", str(path)))


@pytest.mark.parametrize("arguments", MISTYPED)
def test_what_is_mistyped_is_refused_with_a_pointer_to_help(
    prompt: Prompt, arguments: tuple[str, ...]
) -> None:
    ended = prompt.type(*arguments)

    assert ended.returncode == 2
    assert "Error: " in ended.stderr
    assert "--help" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        (free,) = map(str, free_ports(1))
        options = [("--port", taken, "--grpc-port", free), ("--port", free, "--grpc-port", taken)]
        directory = ("--data-dir", str(tmp_path / "data"))
        with ThreadPoolExecutor() as both:
            ended = list(both.map(lambda option: kassa("serve", *option, *directory), options))

    for one in ended:
        assert f"cannot listen on 127.0.0.1:{taken}" in refusal(one)
        assert "--port" in one.stderr
    assert not (tmp_path / "data" / "pg").exists()


def test_every_command_explains_itself(prompt: Prompt) -> None:
    listed = prompt.type("--help").stdout
    for command in COMMANDS:
        explained = prompt.type(*command, "--help")

        assert command[0] in listed
        assert explained.returncode == 0
        assert explained.stdout.startswith(f"Usage: kassa {' '.join(command)} ")


@pytest.mark.parametrize("command", [("serve",), ("credential", "add")])
def test_each_example_stands_on_a_line_of_its_own(prompt: Prompt, command: tuple[str, ...]) -> None:
    lines = prompt.type(*command, "--help").stdout.splitlines()

    examples = [line for line in lines if f" kassa {' '.join(command)} " in line]
    assert len(examples) >= 3 + len([line for line in lines if line.startswith("Usage: ")])
    assert all(line.count("kassa ") == 1 for line in examples)


@pytest.mark.parametrize("command", [("demo", "--json"), ("try", "orders"), ("webhook-secret",)])
def test_where_there_is_no_demo_the_way_to_one_is_told(
    prompt: Prompt, tmp_path: Path, command: tuple[str, ...]
) -> None:
    ended = prompt.type(*command, "--data-dir", str(tmp_path / "data"))

    assert "start one with kassa serve --demo" in refusal(ended)
    assert ended.stdout == ""
    assert not (tmp_path / "data").exists()


def test_the_demos_credentials_have_exactly_the_promised_keys(server: Server) -> None:
    printed = server.run("demo", "--json")
    shown: Any = json.loads(printed.stdout)

    assert keys_of(shown) == {
        "base_url": None,
        "grpc_target": None,
        "company_id": None,
        "business_id": None,
        "api_key": None,
        "orders": {"client_id", "client_secret"},
        "customer": {"username", "token"},
        "other_customer": {"username", "token"},
        "wallet": {"client_id", "key_version", "private_key_path", "server_public_key_path"},
        "wallet_user": {"user_id", "auth_code", "secret"},
    }
    assert (shown["base_url"], shown["grpc_target"]) == (server.base_url, server.grpc_target)
    for path in (shown["wallet"]["private_key_path"], shown["wallet"]["server_public_key_path"]):
        assert os.path.isabs(path)
        assert Path(path).read_text().startswith("-----BEGIN ")


def keys_of(shown: dict[str, Any]) -> dict[str, set[str] | None]:
    return {name: set(value) if isinstance(value, dict) else None for name, value in shown.items()}


def test_every_command_of_the_banner_works(server: Server) -> None:
    faces = ("business", "orders", "checkout", "wallet", "gateway")
    with ThreadPoolExecutor(2) as both:
        tried = list(both.map(lambda face: server.run("try", face), faces))

    for face, one in zip(faces, tried, strict=True):
        assert f"kassa try {face} --data-dir {server.data_dir}" in server.log
        assert one.returncode == 0, one.stderr
        statuses = [line.split()[1] for line in one.stdout.splitlines() if line.startswith("← ")]
        assert set(statuses) == {"200"}, one.stdout
    unknown = refusal(server.run("try", "shop"))
    assert "business, orders, checkout, wallet, gateway" in unknown


def test_a_payment_at_the_counter_is_recorded(server: Server, faces: Faces) -> None:
    order_id = server.ask(faces.create_order()).json()["order_id"]

    recorded = server.run("record", order_id, "--method", "check")

    assert recorded.returncode == 0, recorded.stderr
    (payment,) = server.ask(faces.list_payments(order_id)).json()["payments"]
    assert (payment["status"], payment["method"]) == ("PAID", "check")


def test_a_bank_transfer_is_recorded_and_confirmed_by_a_statement(
    server: Server, faces: Faces, tmp_path: Path
) -> None:
    order_id = server.ask(faces.create_order()).json()["order_id"]
    said = ("--method", "bank_transfer", "--reference", "INV 17", "--by", "anna")
    recorded = server.run("record", order_id, *said)
    assert recorded.returncode == 0, recorded.stderr
    payment_id, _, amount, currency, *_ = recorded.stdout.splitlines()[1].split()
    explained = server.run("explain", payment_id).stdout
    assert "operator anna" in explained
    assert "INV 17" in explained
    statement = tmp_path / "statement.csv"
    statement.write_text(f"what,amount,text\nin,{amount},for {order_id}\n")

    reconciled = server.run(
        "reconcile", str(statement), "--format", "csv", "--account", "bank",
        *("--column", "kind=what", "--column", "amount=amount", "--currency", currency),
        *("--column", "payout_reference=text", "--word", "in=payout"),
    )  # fmt: skip

    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
    assert "settled" in server.run("explain", payment_id).stdout
    refused = refusal(server.run("record", order_id, "--method", "credit_card"))
    assert "bank_transfer, cash, check" in refused


def test_a_wallet_user_is_added_filled_and_frozen(server: Server, faces: Faces) -> None:
    user, code = fresh("user"), fresh("code")
    told = [result_of(server, faces, code)]
    for command in (
        ("add", user, "--auth-code", code),
        ("top-up", user, "599.80", "CNY"),
        ("status", user, "frozen"),
    ):
        assert server.run("wallet", *command).returncode == 0
        told.append(result_of(server, faces, code))

    assert told == [
        "USER_NOT_EXIST",
        "USER_BALANCE_NOT_ENOUGH",
        "SUCCESS",
        "USER_STATUS_ABNORMAL",
    ]


def result_of(server: Server, faces: Faces, code: str) -> str:
    """What the wallet says to a payment of 299.90 with the user's code."""
    call = faces.pay(fresh("request"), paymentAuthCode=code)
    return str(server.ask(call).json()["result"]["resultCode"])


def test_a_stopped_server_keeps_its_books_and_its_credentials(server: Server, faces: Faces) -> None:
    assert server.ask(faces.request(fresh("order"), "cash")).status == 200
    running, before = server.run("verify"), credentials(server)
    assert server.stop() == 0

    stopped = server.run("verify")
    assert server.left_over() == []
    assert not (server.data_dir / "pg" / "postmaster.pid").exists()
    assert f"nothing answers at {server.base_url}" in refusal(server.run("try", "orders"))
    server.start()

    assert credentials(server) == before
    for proof in (running, stopped):
        assert proof.returncode == 0, proof.stdout
        assert "the books are sound" in proof.stdout
        assert "BROKEN" not in proof.stdout
    assert unchained(running.stdout) == unchained(stopped.stdout)


def unchained(proof: str) -> list[str]:
    """Without how far the chain had come, which is a matter of a second."""
    return [line for line in proof.splitlines() if not line.startswith(("  chain ", "  head "))]


def credentials(server: Server) -> Any:
    """What `kassa demo` prints, but for the tokens, which are fresh each time."""
    shown = json.loads(server.run("demo", "--json").stdout)
    for customer in ("customer", "other_customer"):
        del shown[customer]["token"]
    return shown
