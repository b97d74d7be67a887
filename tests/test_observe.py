"""What an operator sees: every line with its request, nothing secret in any, and true figures."""

import asyncio
import io
import json
import sys
import time
from collections.abc import Iterator
from select import PIPE_BUF
from typing import Any

import asyncpg
import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send
from tests.asgi import Client

from kassa import app, observe
from kassa.base.domain.errors import AmbiguousCommit, ProviderUnavailable
from kassa.base.usecases.core import Core
from kassa.settings import Settings

pytestmark = pytest.mark.anyio

PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nbase64+/==\n-----END RSA PRIVATE KEY-----"
)
SECRETS = {
    "an API key": "sk_0a1b2c_Zm9vYmFy-_x",
    "a webhook secret": "whsec_c2VjcmV0c2VjcmV0",
    "a cashier's address": "sess_1z01k9xyzabc",
    "a wallet's agreement": "wat_dG9rZW4tb2Y_-z",
    "a wallet user's secret": "wus17_dXNlcnMtc2VjcmV0",
    "a bearer": "Bearer abc.def-ghi",
    "a basic": "Basic dXNlcjpwYXNz",
    "a token": "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    "a card": "4242424242424242",
    "a card with spaces": "4242 4242 4242 4242",
    "a card with dashes": "3782-822463-10005",
    "a key": PEM,
    "the rest of a key": PEM.partition("\n-----END")[0],
    "a password in an address": "postgresql://kassa:a-pass-word@db.example/kassa",
}
# What of each must not be told, not even five characters of it.
TOLD_BY = {
    "an API key": "Zm9vYmFy-_x",
    "a webhook secret": "c2VjcmV0c2VjcmV0",
    "a cashier's address": "1z01k9xyzabc",
    "a wallet's agreement": "dG9rZW4tb2Y_-z",
    "a wallet user's secret": "dXNlcnMtc2VjcmV0",
    "a bearer": "abc.def-ghi",
    "a basic": "dXNlcjpwYXNz",
    "a token": "eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
    "a card": "4242424242424242",
    "a card with spaces": "4242 4242 4242 4242",
    "a card with dashes": "3782-822463-10005",
    "a key": "MIIEpAIBAAKCAQEA7\nbase64+/==",
    "the rest of a key": "MIIEpAIBAAKCAQEA7\nbase64+/==",
    "a password in an address": ":a-pass-word",
}


@pytest.fixture
def lines() -> Iterator[Any]:
    """Reads what was logged, as the processes log it."""
    written = io.BytesIO()
    observe.configure_logs("test", "info")
    # A logger that is kept would outlive this test.
    factory = structlog.BytesLoggerFactory(written)
    structlog.configure(logger_factory=factory, cache_logger_on_first_use=False)

    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in written.getvalue().splitlines()]

    yield read
    structlog.reset_defaults()


def test_trouble_that_passes_leaves_no_traceback(
    lines: Any,
) -> None:
    log = structlog.get_logger()
    for error in (
        ProviderUnavailable("no database", reason="database_unavailable"),
        AmbiguousCommit("the connection broke during COMMIT"),
        RuntimeError("our bug"),
    ):
        try:
            raise error
        except Exception:
            log.exception("chore failed")

    passing, bug = lines()  # the first has had its line where the database is
    assert passing["why"] == "ambiguous_commit"
    assert "exception" not in passing
    assert "our bug" in bug["exception"]


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was handed to the system, in the pieces in which it was."""
    pieces: list[bytes] = []

    def write(_: int, data: bytes) -> int:
        pieces.append(data[:5000])
        return len(data[:5000])

    monkeypatch.setattr(observe.os, "write", write)
    return pieces


async def test_what_one_turn_of_the_loop_has_to_say_is_written_at_its_end(
    written: list[bytes],
) -> None:
    log = observe._Lines(sys.stderr.buffer)

    log.info(b"one")
    log.info(b"two")
    before = list(written)
    await asyncio.sleep(0)
    log.info(b"three")
    await asyncio.sleep(0)

    assert before == []
    assert written == [b"one\ntwo\n", b"three\n"]


async def test_a_warning_is_written_at_once_after_what_was_said_before_it(
    written: list[bytes],
) -> None:
    log = observe._Lines(sys.stderr.buffer)

    log.info(b"before")
    log.error(b"an error")
    log.warning(b"a warning")

    assert written == [b"before\nan error\n", b"a warning\n"]


async def test_blocks_hold_whole_lines_and_no_more_than_the_system_writes_in_one_piece(
    written: list[bytes],
) -> None:
    log = observe._Lines(sys.stderr.buffer)
    lines = [b"%d " % number + b"x" * 300 for number in range(40)] + [b"y" * 4999, b"z" * 9000]

    for line in lines:
        log.info(line)
    await asyncio.sleep(0)

    assert b"".join(written) == b"".join(line + b"\n" for line in lines)
    assert all(len(piece) <= PIPE_BUF for piece in written[:-3])
    assert all(piece.endswith(b"\n") for piece in written[:-2])
    assert written[-3] == b"y" * 4999 + b"\n"


def test_outside_of_a_loop_and_in_another_after_it_each_line_is_written(
    written: list[bytes],
) -> None:
    log = observe._Lines(sys.stderr.buffer)

    async def say(word: bytes) -> None:
        log.info(word)

    log.info(b"none")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(say(b"first"))
    loop.close()
    asyncio.run(say(b"second"))
    log.info(b"none again")

    assert b"".join(written) == b"none\nfirst\nsecond\nnone again\n"


@pytest.fixture
def client(core: Core, settings: Settings) -> Client:
    """Everything that is served, without the demo company, which nothing here needs."""
    return Client(app.http_app(core, settings))


@pytest.fixture
def operators(core: Core) -> Client:
    """What is served to operators."""
    return Client(app.ops_app(core))


@pytest.mark.parametrize("name", SECRETS)
def test_what_looks_like_a_secret_is_blotted_out_wherever_it_stands(name: str) -> None:
    secret = SECRETS[name]
    event = {
        "event": f"before {secret} after",
        "deep": {"list": [secret, (secret,)], secret: 1},
        "bytes": secret.encode(),
        "error": ValueError(secret),
    }

    shown = json.dumps(observe.hide_secrets(None, "info", event), default=repr)

    hidden = secret.partition("://")[2].partition("@")[0] or secret
    for part in (hidden, *[line for line in hidden.splitlines() if not line.startswith("--")]):
        assert part not in shown
    assert "before " in shown
    assert " after" in shown or name == "the rest of a key"


@pytest.mark.parametrize("name", SECRETS)
def test_no_half_of_a_secret_shows_where_a_long_value_is_cut(name: str) -> None:
    secret = SECRETS[name]
    for start in range(2048 - len(secret) - 2, 2048 + 2):
        text = ("x" * start)[: start - 1] + " " + secret + " y" * 2500

        [shown] = observe.hide_secrets(None, "info", {"said": text}).values()

        assert len(shown) < 2200
        assert shown.endswith(f"… [cut: {len(text)} characters]")
        told = TOLD_BY[name]
        assert not [told[at : at + 5] for at in range(len(told) - 4) if told[at : at + 5] in shown]


def test_many_secrets_in_a_row_are_all_hidden() -> None:
    for name, secret in SECRETS.items():
        for between in (" ", "\n", ", ", ";", '"'):
            shown = str(observe.hide_secrets(None, "info", {"said": between.join([secret] * 9)}))

            told = TOLD_BY[name]
            assert not [at for at in range(len(told) - 4) if told[at : at + 5] in shown], shown


@pytest.mark.parametrize(
    "hostile",
    ["eyJ", "://", "://:", "://a:", ":", "-----BEGIN", "1-", "sk_", "Bearer ", "-----END", "a@"],
)
def test_no_text_makes_a_line_expensive(hostile: str) -> None:
    text = "/pay/" + hostile * (64 * 1024 // len(hostile))
    event = {"path": text, "deep": [text] * 1000, "exception": text}

    began = time.thread_time()
    observe.hide_secrets(None, "info", event)
    observe._SECRET_SHAPES.sub("x", text)

    assert time.thread_time() - began < 0.5


def test_what_is_no_secret_stays_readable() -> None:
    event = {
        "payment": "py_01k9xyzabc0000000000000000",
        "status": 200,
        "milliseconds": 1.5,
        "at": "2026-11-22T10:00:00.123456Z",
        "trade": "2026112222001473037000000001",
        "done": True,
        "nothing": None,
    }

    assert observe.hide_secrets(None, "info", event) == event


def test_a_line_is_one_json_object_with_its_process_and_time(lines: Any) -> None:
    log = structlog.get_logger("kassa.test")

    log.info("first", said="你好\n\x1b[31m", card="4242424242424242")
    log.debug("not asked for")
    try:
        raise ValueError("with sk_0a1b2c_secretsecret inside")
    except ValueError:
        log.exception("second")

    first, second = lines()
    assert (first["event"], first["process"], first["level"]) == ("first", "test", "info")
    assert (first["said"], first["card"]) == ("你好\n\x1b[31m", "[hidden]")
    assert first["timestamp"].endswith("Z")
    assert "ValueError" in second["exception"]
    assert "secretsecret" not in second["exception"]


async def test_the_request_id_goes_through_and_comes_back(client: Client, lines: Any) -> None:
    answer = await client.request("GET", "/v1/payment/py_x", headers={"x-request-id": "mine-1"})

    assert answer.headers["x-request-id"] == "mine-1"
    [line] = [line for line in lines() if line["event"] == "request"]
    assert (line["request_id"], line["status"]) == ("mine-1", 401)
    assert (line["method"], line["path"]) == ("GET", "/v1/payment/py_x")


async def test_every_step_of_a_request_is_logged_under_its_id(client: Client, lines: Any) -> None:
    answer = await client.request(
        "POST", "/providers/sandbox", content=b"{}", headers={"x-request-id": "mine-2"}
    )

    assert answer.status == 401
    mine = {line["event"]: line["request_id"] for line in lines()}
    assert mine == {"notification refused": "mine-2", "request": "mine-2"}


async def test_a_request_id_that_could_do_harm_is_replaced(client: Client) -> None:
    for asked in ("", "a b", "x" * 65, "a\tb", "é", '"}{'):
        answer = await client.request("GET", "/livez", headers={"x-request-id": asked})
        assert answer.headers["x-request-id"].startswith("rq_")


async def test_the_address_of_a_cashier_page_is_not_logged(client: Client, lines: Any) -> None:
    await client.request("GET", "/pay/sess_1z00000000000000000000000000")

    [line] = [line for line in lines() if line["event"] == "request"]
    assert line["path"] == "/pay/[hidden]"


async def test_a_request_that_breaks_is_counted_as_such(lines: Any) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a bug")

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(_: Message) -> None:
        raise AssertionError("nothing is said")

    scope = {"type": "http", "method": "GET", "path": "/gateway/x", "headers": []}
    with pytest.raises(RuntimeError):
        await observe.Watch(breaks)(scope, receive, send)

    assert lines()[-1]["status"] == 500


def test_every_path_has_its_face() -> None:
    faces = {
        "/v1/orders:create": "orders",
        "/pg/orders/1": "orders",
        "/v1/payments/pay": "wallet",
        "/v1/payments:list": "business",
        "/v1/payment/py_1": "business",
        "/api/v1/payments": "checkout",
        "/gateway/payment-requests": "gateway",
        "/pay/sess_1": "cashier",
        "/providers/alipay": "inbound",
        "/sandbox/": "sandbox",
        "/metrics": "ops",
        "/": "ops",
    }

    assert {path: observe.face_of(path) for path in faces} == faces


async def test_a_process_that_lives_says_so(client: Client) -> None:
    answer = await client.request("GET", "/livez")

    assert (answer.status, answer.text) == (200, "ok\n")


async def test_readiness_names_each_check(operators: Client) -> None:
    answer = await operators.request("GET", "/readyz")

    assert answer.status == 200
    assert answer.json() == {
        "ready": True,
        "checks": dict.fromkeys(
            "database schema primary writable fsync full_page_writes synchronous_commit"
            " data_checksums synchronous_standby_names".split(),
            "ok",
        ),
    }


async def test_payers_are_told_whether_we_are_ready_and_nothing_else(
    client: Client, core: Core
) -> None:
    ready = await client.request("GET", "/readyz")
    metrics = await client.request("GET", "/metrics")
    await core.db.close()
    broken = await client.request("GET", "/readyz")

    assert (ready.status, ready.json()) == (200, {"ready": True})
    assert (broken.status, broken.json()) == (503, {"ready": False})
    assert metrics.status == 404


async def test_without_its_database_it_is_alive_and_not_ready(
    client: Client, operators: Client, core: Core
) -> None:
    await core.db.close()

    assert (await client.request("GET", "/livez")).status == 200
    answer = await operators.request("GET", "/readyz")
    metrics = await operators.request("GET", "/metrics")

    assert answer.status == 503
    assert answer.json()["ready"] is False
    assert "cannot be reached" in answer.json()["checks"]["database"]
    assert (metrics.status, "kassa_database_up 0\n" in metrics.text) == (200, True)


async def test_an_older_schema_is_not_ready(operators: Client, owner_url: str) -> None:
    connection = await asyncpg.connect(owner_url)
    await connection.execute("update schema_migration set number = -number")
    await connection.close()

    answer = await operators.request("GET", "/readyz")

    assert answer.status == 503
    assert "kassa migrate" in answer.json()["checks"]["schema"]


async def test_with_real_money_a_database_that_may_lose_commits_is_not_ready(
    operators: Client, core: Core
) -> None:
    core.policy = type(core.policy)(base_url="https://pay.example.org", live=True)

    checks = (await operators.request("GET", "/readyz")).json()["checks"]

    async with core.db.connection() as connection:
        lax = await connection.fetchval("select current_setting('fsync')") == "off"
    assert (checks["fsync"] != "ok") is lax


async def test_metrics_count_requests_by_face_and_what_waits(
    client: Client, operators: Client
) -> None:
    def figure(text: str, name: str) -> float:
        return sum(
            float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(name)
        )

    name = 'kassa_requests_total{face="business",status="401"}'
    before = (await operators.request("GET", "/metrics")).text
    await client.request("GET", "/v1/payment/py_x")
    answer = await operators.request("GET", "/metrics")

    assert figure(answer.text, name) == figure(before, name) + 1
    assert figure(answer.text, 'kassa_request_seconds_count{face="business"}') >= 1
    for gauge in ("kassa_announcements_waiting", "kassa_attempts_undecided"):
        assert f"{gauge} 0\n" in answer.text
    assert "kassa_database_up 1\n" in answer.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_what_nobody_serves_is_said_in_json(client: Client) -> None:
    missing = await client.request("GET", "/nothing")
    wrong = await client.request("DELETE", "/livez")

    assert (missing.status, missing.json()["error"]) == (404, "not_found")
    assert (wrong.status, wrong.json()["error"]) == (405, "method_not_allowed")
