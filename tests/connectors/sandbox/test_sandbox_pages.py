"""The pages a payer and a curious person see."""

import hashlib
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from tests.connectors.sandbox.clock import Clock, Request

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    ModificationRequest,
)
from kassa.connectors.sandbox.books import SandboxBooks
from kassa.connectors.sandbox.connector import SandboxConnector
from kassa.connectors.sandbox.pages import routes
from kassa.connectors.sandbox.report import COLUMNS
from kassa.connectors.sandbox.words import WORDS, language_of

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str


_BOOKS = ("/sandbox/books", "/sandbox/report.csv")
Form = Mapping[str, str | list[str]] | bytes | None
Visit = Callable[..., Awaitable[Answer]]


@pytest.fixture
def visit(books: SandboxBooks, clock: Clock) -> Visit:
    """Speaks ASGI to the pages, as a server does for a browser."""

    async def reader(request: Asked) -> str | None:
        """The merchant whose keys begin with at_, unless the query says another, or nobody."""
        return request.query_params.get("as", "at_") or None

    app = Starlette(routes=routes(books, clock=clock, reader=reader))

    async def call(path: str, *, form: Form = None, query: str = "", language: str = "") -> Answer:
        body = form if isinstance(form, bytes) else urlencode(form or {}, doseq=True).encode()
        sent: list[dict[str, Any]] = []
        coming = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not coming:
                await anyio.sleep_forever()  # the browser stays until it has its answer
            return coming.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET" if form is None else "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(errors="replace"),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(b"host", b"pay.test"), (b"accept-language", language.encode())],
            "server": ("pay.test", 80),
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        text = b"".join(part.get("body", b"") for part in sent[1:]).decode()
        return Answer(sent[0]["status"], headers, text)

    return call


@pytest.fixture
async def challenge(connector: SandboxConnector, request_for: Request) -> str:
    """The path of a page that waits for its payer."""
    outcome = await connector.charge(request_for("4000 0000 0000 3220", subject="Tea <b>& milk"))
    assert isinstance(outcome, ActionNeeded)
    return outcome.url.removeprefix("http://pay.test")


def the_token(answer: Answer) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', answer.text)
    assert found
    return found[1]


async def test_the_challenge_shows_what_is_asked_and_escapes_it(
    visit: Visit, challenge: str
) -> None:
    page = await visit(challenge)

    assert page.status == 200
    assert "299.99 CNY" in page.text
    assert "Tea &lt;b&gt;&amp; milk" in page.text
    assert "•••• 3220" in page.text
    assert ">Approve</button>" in page.text
    assert ">Refuse</button>" in page.text


async def test_approving_takes_the_money_once_and_leads_back(
    visit: Visit, challenge: str, connector: SandboxConnector, books: SandboxBooks, clock: Clock
) -> None:
    form = {"token": the_token(await visit(challenge)), "choice": "approve"}

    answer = await visit(challenge, form=form)
    again = await visit(challenge, form=form | {"choice": "refuse"})

    for one in (answer, again):
        assert (one.status, one.headers["location"]) == (303, "http://shop.test/back?order=or_1")
    assert isinstance(await connector.query("at_1"), Captured)
    assert len(books.charges_of("at_1")) == 1
    (news,) = books.take_due(now=clock.now, limit=10)
    assert b'"state":"captured"' in news.body
    after = await visit(challenge)
    assert "Payment approved" in after.text
    assert "<button" not in after.text
    assert 'href="http://shop.test/back?order=or_1"' in after.text


async def test_refusing_declines_and_tells(
    visit: Visit, challenge: str, connector: SandboxConnector, books: SandboxBooks, clock: Clock
) -> None:
    form = {"token": the_token(await visit(challenge)), "choice": "refuse"}

    assert (await visit(challenge, form=form)).status == 303

    outcome = await connector.query("at_1")
    assert isinstance(outcome, Declined)
    assert outcome.code == "payer_refused"
    (news,) = books.take_due(now=clock.now, limit=10)
    assert b'"reason":"authentication_refused"' in news.body


async def test_approving_after_expiry_takes_nothing(
    visit: Visit, challenge: str, connector: SandboxConnector, books: SandboxBooks, clock: Clock
) -> None:
    form = {"token": the_token(await visit(challenge)), "choice": "approve"}
    clock.now += timedelta(minutes=15)

    assert (await visit(challenge, form=form)).status == 303

    assert isinstance(await connector.query("at_1"), Declined)
    assert books.charges_of("at_1") == ()
    assert "Payment not approved" in (await visit(challenge)).text


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"choice": "approve"}, 403),
        ({"choice": "approve", "token": ""}, 403),
        ({"choice": "approve", "token": "0" * 32}, 403),
        ({"choice": "approve", "token": "é"}, 403),
        (b"", 403),
        (b"\xff\xfe", 403),
        (b"token=%ff&choice=approve", 403),
        (b"choice=approve&" + b"x" * 5000, 403),
        (b"&".join(b"a%d=1" % number for number in range(100)), 403),
        ({"choice": "approve", "token": ["0", "1"]}, 403),
        ({"token": "TOKEN"}, 400),
        ({"token": "TOKEN", "choice": "steal"}, 400),
        (b"token=TOKEN&choice=approve&choice=refuse", 400),
    ],
)
async def test_a_form_that_is_not_the_pages_own_decides_nothing(
    visit: Visit, challenge: str, connector: SandboxConnector, form: Form, status: int
) -> None:
    token = the_token(await visit(challenge))
    if isinstance(form, bytes):
        form = form.replace(b"TOKEN", token.encode())
    elif form:
        form = {name: token if value == "TOKEN" else value for name, value in form.items()}

    answer = await visit(challenge, form=form)

    assert answer.status == status
    assert f'href="{challenge}"' in answer.text
    assert isinstance(await connector.query("at_1"), ActionNeeded)


@pytest.mark.parametrize("reference", ["x", "sbx_" + "0" * 32, "sbx_'--", "sbx_\udcff", "a b"])
async def test_an_unknown_reference_is_not_found(visit: Visit, reference: str) -> None:
    seen = await visit(f"/sandbox/challenge/{reference}")
    answered = await visit(f"/sandbox/challenge/{reference}", form={"choice": "approve"})

    for page in (seen, answered):
        assert page.status == 404
        assert "No such payment" in page.text


async def test_a_charge_without_a_challenge_has_no_page(
    visit: Visit, connector: SandboxConnector, request_for: Request
) -> None:
    outcome = await connector.charge(request_for("pm_sandbox_paid"))

    assert isinstance(outcome, Captured)
    assert (await visit(f"/sandbox/challenge/{outcome.reference}")).status == 404


async def test_without_a_return_address_the_payer_may_close_the_page(
    visit: Visit, connector: SandboxConnector, request_for: Request
) -> None:
    outcome = await connector.charge(request_for("pm_sandbox_action_needed", return_url=""))
    assert isinstance(outcome, ActionNeeded)
    path = outcome.url.removeprefix("http://pay.test")

    answer = await visit(path, form={"token": the_token(await visit(path)), "choice": "approve"})

    assert answer.status == 200
    assert "You may close this page" in answer.text


async def test_the_policy_allows_its_own_style_and_the_way_back_and_nothing_else(
    visit: Visit, challenge: str
) -> None:
    page = await visit(challenge)

    style = re.search(r"<style>(.*?)</style>", page.text, re.DOTALL)
    assert style
    digest = b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert page.headers["content-security-policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self' http://shop.test;"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert "set-cookie" not in page.headers
    assert page.headers["cache-control"] == "no-store"


async def test_the_page_speaks_chinese_when_asked(visit: Visit, challenge: str) -> None:
    chosen = await visit(challenge, query="lang=zh")
    preferred = await visit(challenge, language="zh-CN,zh;q=0.9,en;q=0.8")

    for page in (chosen, preferred):
        assert '<html lang="zh">' in page.text
        assert "同意付款" in page.text
        assert page.headers["content-language"] == "zh"


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        ("en", "zh", "en"),
        ("xx", "zh", "zh"),
        ("", "fr;q=1, en;q=0.5, zh;q=0.75", "zh"),
        ("", "en;q=0.9, zh;q=0.85", "en"),
        ("", "zh;q=0, en;q=0.1", "en"),
        ("", "zh;q=0.000", "en"),
        ("", "zh;q=9, ;;;,\x00", "en"),
        ("", "", "en"),
        ("", "ZH-Hant-TW", "zh"),
    ],
)
def test_the_language_is_the_one_chosen_or_else_preferred(
    chosen: str, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


def test_both_languages_say_everything() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])


async def test_the_books_page_lists_charges_and_totals(
    visit: Visit, connector: SandboxConnector, request_for: Request
) -> None:
    assert "No charges yet" in (await visit("/sandbox/books")).text
    paid = await connector.charge(request_for("4242 4242 4242 4242", key="at_1"))
    await connector.charge(request_for("4000 0000 0000 9995", key="at_2<script>"))
    waiting = await connector.charge(request_for("4000 0000 0000 3220", key="at_3"))

    page = await visit("/sandbox/books")

    assert page.status == 200
    assert "299.99 CNY" in page.text
    assert "9.00 CNY" in page.text
    assert "insufficient_funds" in page.text
    assert "at_2&lt;script&gt;" in page.text
    assert isinstance(paid, Captured)
    assert isinstance(waiting, ActionNeeded)
    assert waiting.reference not in page.text  # it would let any reader answer for the payer
    assert "set-cookie" not in page.headers


async def test_the_books_page_shows_what_became_of_a_charge(
    visit: Visit, connector: SandboxConnector, clock: Clock, request_for: Request
) -> None:
    await connector.charge(request_for("pm_sandbox_disputed", key="at_1"))
    await connector.charge(request_for("pm_sandbox_paid", key="at_2", capture=False))
    refund = ModificationRequest(
        key="mo_1", charge_key="at_1", charge_reference="", amount=Money(12345, "CNY"),
        charge_amount=Money(29999, "CNY"), reason="", notify_url="", now=clock.now,
    )  # fmt: skip
    await connector.refund(refund)
    clock.pass_by(2)

    english, chinese = await visit("/sandbox/books"), await visit("/sandbox/books", query="lang=zh")

    rows = {
        row[0]: row[1]
        for row in re.findall(
            r'<th scope="row">(at_\d|CNY)</th>(.*?)</tr>', english.text, re.DOTALL
        )
    }
    assert re.findall(r"[\d.]+ CNY", rows["at_1"]) == [
        "299.99 CNY", "299.99 CNY", "123.45 CNY", "299.99 CNY", "9.00 CNY",
    ]  # fmt: skip
    assert re.findall(r"[\d.]+ CNY", rows["at_2"]) == ["299.99 CNY"]
    assert "<td>reserved</td>" in rows["at_2"]
    assert re.findall(r"[\d.]+", rows["CNY"]) == ["299.99", "123.45", "299.99"]
    for word in ("Captured", "Refunded", "Disputed"):
        assert f'<th scope="col" class="amount">{word}</th>' in english.text
    for word in ("已预授权", "已退款", "争议金额"):
        assert word in chinese.text
    assert 'href="/sandbox/report.csv?day=2026-01-01"' in english.text


async def test_a_challenge_of_a_reservation_ends_as_approved_or_canceled(
    visit: Visit, connector: SandboxConnector, books: SandboxBooks, clock: Clock,
    request_for: Request,
) -> None:  # fmt: skip
    outcome = await connector.charge(request_for("pm_sandbox_action_needed", capture=False))
    assert isinstance(outcome, ActionNeeded)
    path = outcome.url.removeprefix("http://pay.test")
    await visit(path, form={"token": the_token(await visit(path)), "choice": "approve"})

    assert isinstance(await connector.query("at_1"), Authorized)
    assert books.charges_of("at_1") == ()
    assert "Payment approved" in (await visit(path)).text
    clock.pass_by(7 * 86400)
    assert "Payment canceled" in (await visit(path)).text


async def test_the_report_of_a_day_is_sent_as_csv(
    visit: Visit, connector: SandboxConnector, clock: Clock, request_for: Request
) -> None:
    await connector.charge(request_for("pm_sandbox_paid_later"))
    clock.pass_by(5)

    page = await visit("/sandbox/report.csv", query="day=2026-01-01")
    empty = await visit("/sandbox/report.csv", query="day=2025-12-31")

    assert page.status == 200
    assert page.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert page.headers["content-disposition"] == 'attachment; filename="sandbox-2026-01-01.csv"'
    header, line, end = page.text.split("\r\n")
    assert header == ",".join(COLUMNS)
    assert line.startswith("1,payment,at_1,sbx_")
    assert line.endswith(",299.99,9.00,290.99,CNY,2026-01-01T00:00:02Z,payout_20260101_CNY")
    assert end == ""
    assert empty.text == header + "\r\n"


@pytest.mark.parametrize("page", ["/sandbox/books", "/sandbox/report.csv"])
async def test_the_books_are_closed_to_whoever_is_no_merchant(visit: Visit, page: str) -> None:
    answer = await visit(page, query="as=&day=2026-01-01")

    assert answer.status == 401
    assert answer.headers["www-authenticate"].startswith("Basic ")
    assert "API key" in answer.text


async def test_a_merchant_sees_their_own_charges_and_nobody_elses(
    visit: Visit, connector: SandboxConnector, books: SandboxBooks, clock: Clock,
    request_for: Request,
) -> None:  # fmt: skip
    for key in ("at1_a", "at1_b", "at12_a"):
        await connector.charge(request_for("pm_sandbox_disputed", key=key))
    refund = ModificationRequest(
        key="rf1_x", charge_key="at12_a", charge_reference="", amount=Money(100, "CNY"),
        charge_amount=Money(29999, "CNY"), reason="", notify_url="", now=clock.now,
    )  # fmt: skip
    await connector.refund(refund)
    clock.pass_by(2)

    mine = [await visit(page, query="as=at1_&day=2026-01-01") for page in _BOOKS]
    theirs = [await visit(page, query="as=at12_&day=2026-01-01") for page in _BOOKS]

    for page in mine:
        assert "at1_a" in page.text
        assert "at12_a" not in page.text
        assert "rf1_x" not in page.text
    assert "599.98" in mine[0].text
    for page in theirs:
        assert "at12_a" in page.text
        assert "at1_" not in page.text
    assert "299.99" in theirs[0].text
    assert "899.97" not in mine[0].text + theirs[0].text


@pytest.mark.parametrize(
    "day", ["", "day=", "day=today", "day=2026-02-30", "day=20260101", "day=9999-12-31",
            "day=2026-W01-1", "day=0000-01-01", "day=%00", "day=２０２６-01-01"],
)  # fmt: skip
async def test_what_is_no_day_has_no_report(visit: Visit, day: str) -> None:
    page = await visit("/sandbox/report.csv", query=day)

    assert page.status == 400
    assert "No such day" in page.text
