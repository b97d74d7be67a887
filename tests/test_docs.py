"""What the papers say about the code is compared with the code."""

import base64
import hashlib
import hmac
import inspect
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from starlette.routing import Match

from kassa import cli, provider_table
from kassa.base.domain.lifecycle import (
    ATTEMPT_TRANSITIONS,
    DISPUTE_TRANSITIONS,
    MODIFICATION_TRANSITIONS,
    ORDER_TRANSITIONS,
    SETTLEMENT_TRANSITIONS,
    TRANSITIONS,
    AttemptStatus,
    DisputeStatus,
    ModificationStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    SettlementStatus,
)
from kassa.cashier import pages
from kassa.connectors.catalog import kinds
from kassa.connectors.kind import Kind
from kassa.connectors.sandbox.cards import SCENARIOS
from kassa.faces import inbound
from kassa.faces.business import handlers as business
from kassa.faces.checkout import handlers as checkout
from kassa.faces.gateway import handlers as gateway
from kassa.faces.orders import handlers as orders
from kassa.faces.wallet import handlers as wallet
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import PostingKind
from kassa.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
STATES = (ROOT / "docs" / "states.md").read_text()
BOOKS = (ROOT / "docs" / "ledger.md").read_text()
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))

ROUTES = [
    *orders.routes,
    *business.routes,
    *checkout.routes,
    *gateway.routes,
    *wallet.routes,
    *inbound.routes,
    *pages.routes,
]
# Made where everything is wired, or served by the sandbox.
OPERATIONS = {"/livez", "/readyz", "/metrics", "/sandbox/report.csv"}


def rows(text: str) -> list[list[str]]:
    """The cells of every table row, without their code marks."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def shown(value: Any) -> str:
    """How the table of settings writes a default."""
    if value is msgspec.NODEFAULT:
        return "needed"
    if value is None or value in ("", ()):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_every_setting_stands_in_the_table_with_its_variable_flag_and_default() -> None:
    flags = set(inspect.signature(cli.serve).parameters) - {"config"}
    expected = [
        [
            field.name,
            f"KASSA_{field.name.upper()}",
            f"--{field.name.replace('_', '-')}" if field.name in flags else "",
            shown(field.default),
        ]
        for field in msgspec.structs.fields(Settings)
        if field.name != "accounts"
    ]

    described = [row[:4] for row in rows(SETTINGS) if len(row) == 5 and row[0] != "setting"]

    assert [row for row in described if not row[0].startswith("-")] == expected


@pytest.mark.parametrize(
    "kind", [kind for kind in kinds().values() if kind.installation], ids=lambda kind: kind.name
)
def test_a_connectors_readme_has_the_settings_of_an_account_of_the_installation(
    kind: Kind,
) -> None:
    assert kind.installation is not None
    expected = [
        [
            one.name,
            f"KASSA_{kind.name}_{one.name}".upper(),
            "needed" if one.default is None else one.default or "none",
            one.help.strip("`"),
        ]
        for one in kind.installation.settings
    ]
    readme = (ROOT / "src" / "kassa" / "connectors" / kind.name / "README.md").read_text()

    described = [row for row in rows(readme) if len(row) == 4 and "KASSA_" in row[1]]

    assert described == expected


def test_the_table_of_payment_states_is_the_one_that_moves_payments() -> None:
    moves = {
        status: " · ".join(
            f"{event} → {TRANSITIONS[status, event]}"
            for event in PaymentEvent
            if (status, event) in TRANSITIONS
        )
        for status in PaymentStatus
    }

    missing = [line for s in moves if (line := f"| {s} | {moves[s] or '–'} |") not in STATES]

    assert not missing, "docs/states.md lacks:\n" + "\n".join(missing)


@pytest.mark.parametrize(
    ("kind", "transitions"),
    [
        (AttemptStatus, ATTEMPT_TRANSITIONS),
        (ModificationStatus, MODIFICATION_TRANSITIONS),
        (DisputeStatus, DISPUTE_TRANSITIONS),
        (SettlementStatus, SETTLEMENT_TRANSITIONS),
        (OrderStatus, ORDER_TRANSITIONS),
    ],
)
def test_the_tables_of_the_other_states_are_the_ones_that_move_them(
    kind: Any, transitions: Any
) -> None:
    moves = {
        status: ", ".join(wanted for wanted in kind if wanted in may_become)
        for status, may_become in transitions.items()
    }

    missing = [line for s in moves if (line := f"| {s} | {moves[s] or '–'} |") not in STATES]

    assert not missing, "docs/states.md lacks:\n" + "\n".join(missing)


def test_the_ledgers_table_has_every_posting_and_every_account() -> None:
    table = BOOKS.partition("## The ledger")[2].partition("##")[0]
    accounts = (
        ledger.provider_account("<connector>"),
        ledger.merchant_account("<business>"),
        ledger.wallet_account("<user>"),
        ledger.reserved_account("<connector>"),
        ledger.held_account("<business>"),
        ledger.CASH_ACCOUNT,
        ledger.TRANSIT_ACCOUNT,
        ledger.BANK_ACCOUNT,
        ledger.FEE_INCOME_ACCOUNT,
        ledger.FEE_EXPENSE_ACCOUNT,
        ledger.SUSPENSE_ACCOUNT,
        ledger.SURPLUS_ACCOUNT,
        ledger.FUNDING_ACCOUNT,
    )

    assert not [name for name in (*PostingKind, *accounts) if f"`{name}`" not in table]


def test_decisions_are_numbered_once_each_and_titled_as_their_files() -> None:
    numbers = [path.name[:4] for path in DECISIONS]

    assert all(number.isdecimal() for number in numbers)
    assert len(numbers) == len(set(numbers))
    assert all(path.read_text().startswith(f"# {path.name[:4]} ") for path in DECISIONS)


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_sections_and_names_a_check_that_exists(path: Path) -> None:
    sections = re.findall(r"^## (.+)$", path.read_text(), re.MULTILINE)
    check = path.read_text().partition("## Check")[2]

    assert sections == ["Context", "Decision", "Consequences", "Alternatives", "Check"]
    named = [name for name in re.findall(r"`([^`\s]+)`", check) if "/" in name or "." in name]
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("path", [*DECISIONS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
def test_links_between_the_papers_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text())

    assert not [link for link in links if ":" not in link and not (path.parent / link).exists()]


def requests_in(text: str) -> set[tuple[str, str]]:
    """(method, path) of every request that a paper names or types into curl."""
    named = set(re.findall(r"\b(GET|POST) (/[\w/:.{}-]+)", text))
    typed = re.findall(r"curl -s \$URL(/[\w/:.-]+)((?:\\\n|[^\n])*)", text)
    return named | {("POST" if " -d " in rest else "GET", path) for path, rest in typed}


def is_served(method: str, path: str) -> bool:
    scope = {"type": "http", "method": method, "path": re.sub(r"[{}]", "", path)}
    return path in OPERATIONS or any(r.matches(scope)[0] is Match.FULL for r in ROUTES)


def test_every_request_the_readme_shows_is_served() -> None:
    asked = requests_in(README)

    assert len(asked) >= 10
    # The wallet's door answers whatever comes under its prefix, so the name must be a real one.
    assert {path for _, path in asked if path.startswith("/v1/payments/")} <= {
        "/v1/payments/pay",
        "/v1/payments/inquiryPayment",
    }
    assert not [request for request in asked if not is_served(*request)]


def test_every_command_the_papers_show_exists() -> None:
    known = {
        command.name or getattr(command.callback, "__name__", "")
        for command in cli.app.registered_commands
    } | {group.name for group in cli.app.registered_groups}
    papers = README + SETTINGS + ARCHITECTURE + STATES + BOOKS

    typed = set(re.findall(r"(?:`|\.venv/bin/|^)kassa ([a-z-]+)", papers, re.MULTILINE))

    assert len(typed) >= 5
    assert not typed - known


def test_the_readme_lists_every_sandbox_card() -> None:
    described = [row for row in rows(README) if row[0].startswith(("42", "40"))]

    assert described == [[one.spaced_number, one.happens] for one in SCENARIOS]


def test_the_table_of_providers_says_what_each_connector_says_of_itself() -> None:
    assert "<!-- table: providers -->\n| connector |" in README
    assert provider_table.written(README) == README, "python -m kassa.provider_table writes it"


def test_the_readmes_verifier_knows_a_genuine_notification_from_a_forged_one() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    space: dict[str, Any] = {}
    exec(next(block for block in blocks if "def genuine" in block), space)
    secret, body = "whsec_" + base64.b64encode(KEY).decode(), b'{"type":"payment.paid"}'
    now = int(time.time())

    assert space["genuine"](secret, signed(body, now), body)
    assert not space["genuine"](secret, signed(body, now), body + b" ")
    assert not space["genuine"](secret, signed(body, now) | {"webhook-id": "ntf_2"}, body)
    assert not space["genuine"](secret, signed(body, now - 3600), body)


KEY = b"k" * 32


def signed(body: bytes, stamp: int) -> dict[str, str]:
    mac = hmac.digest(KEY, f"ntf_1.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": "ntf_1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
