"""`kassa settle`, `kassa settlement` and `kassa fee` as people and scripts meet them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from tests.cli.prompt import Said, Type

from kassa import assembly
from kassa import demo as demo_company
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.payments.store import payments
from kassa.settings import Settings

Book = Callable[..., None]


@pytest.fixture
def book(settings: Settings, database_url: str) -> Book:
    """Books movements of the demo company at the sandbox's account, signed minor units of CNY."""

    def booked(*moved: tuple[PostingKind, int]) -> None:
        async def work(core: Core) -> None:
            made = await demo_company.make(core, settings)
            account = ledger.provider_account("sandbox")
            merchant = ledger.merchant_account(made.business_id)
            postings = [
                Posting(
                    company_id=made.company_id,
                    id=new_id("po"),
                    kind=kind,
                    currency="CNY",
                    entries=ledger.move(account, merchant, Money(minor, "CNY")),
                    payment_id="py_of_test",
                    at=datetime.now(UTC),
                )
                for kind, minor in moved
            ]
            async with core.db.transaction() as connection:
                await payments.insert_postings(connection, postings)

        async def run() -> None:
            async with assembly.open_core(settings, database_url) as core:
                await work(core)

        asyncio.run(run())

    return booked


def refusal(said: Said) -> str:
    """The one sentence with which a command was refused."""
    assert (said.status, said.out) == (2, "")
    [line] = said.err.splitlines()
    assert line.startswith("kassa: ")
    return line


def test_a_settlement_is_closed_shown_paid_and_sent_back(kassa: Type, book: Book) -> None:
    assert "nothing to settle" in kassa("settle").out
    book((PostingKind.CAPTURE, 1_234_500), (PostingKind.FEE, -9_050))

    closed = kassa("settle")
    again = kassa("settle")
    shown = kassa("settlement", "show", "1")
    paid = kassa("settlement", "paid", "1", "--payout", "po-1", "--at", "2026-11-22")
    listed = kassa("settlement", "list")
    failed = kassa("settlement", "failed", "1")
    tried = kassa("settlement", "show", "1")

    assert "kassa settlement paid st_" in closed.out
    assert "nothing to settle" in again.out
    assert "12,254.50" in closed.out
    assert paid.out == "test side of cmp_001\nsettlement 1 paid: 12254.50 CNY by po-1\n"
    assert "po-1" in listed.out
    assert "with the provider again" in failed.out
    assert "payout 1  po-1  12254.50 CNY  2026-11-22" in tried.out
    assert ", returned 2" in tried.out
    lines = shown.out.splitlines()
    ends = [line.rstrip() for line in lines if "py_of_test" in line or "  net CNY" in line]
    # Two movements of one millisecond stand in either order.
    amounts = sorted(line.split()[-1] for line in ends[:2])
    assert [*amounts, ends[2].split()[-1]] == ["-90.50", "12,345.00", "12,254.50"]
    assert len({len(line) for line in ends}) == 1, "amounts are not aligned to the right"


def test_machines_are_told_the_same_in_json(kassa: Type, book: Book) -> None:
    book((PostingKind.CAPTURE, 500), (PostingKind.REFUND, -700))
    [carried] = kassa("settle", "--json").content
    book((PostingKind.CAPTURE, 1_000), (PostingKind.FEE, -30))
    [before] = kassa("settlement", "list", "--status", "open", "--json").content
    kassa("settle", "--json")
    [closed] = kassa("settlement", "list", "--status", "closed", "--json").content

    statement = kassa("settlement", "show", closed["id"], "--json").content

    assert (carried["status"], carried["net_minor"]) == ("carried", -200)
    assert (before["number"], before["net_minor"]) == (2, 770)
    assert (closed["carried_over_minor"], closed["net_minor"]) == (-200, 770)
    assert {line["part"] for line in statement["lines"]} == {"payments", "fees"}
    lines = sum(line["amount_minor"] for line in statement.pop("lines"))
    assert lines + statement["carried_over_minor"] == statement["net_minor"]
    assert statement.pop("payouts") == []
    assert statement.pop("tries") == []
    assert statement == closed
    assert kassa("settle", "--json").content == []
    empty = kassa("settlement", "show", str(closed["number"] + 1), "--json").content
    assert (empty["status"], empty["lines"]) == ("open", [])


def test_a_fee_rule_is_added_listed_and_ended(kassa: Type, book: Book) -> None:
    book()
    words = "fee add --kind payment --connector sandbox --method credit_card --currency CNY"
    added = kassa(*words.split(), "--percent", "2.9", "--fixed", "0.30", "--from", "2026-01-01")
    rule = added.out.splitlines()[1].partition(":")[0]

    [listed] = [one for one in kassa("fee", "list", "--json").content if one["id"] == rule]
    ended = kassa("fee", "end", rule, "--at", "2026-12-31")
    table = kassa("fee", "list").out

    assert added.out == f"test side of cmp_001\n{rule}: 2.9 % + 0.30 CNY\n"
    assert listed == {
        "mode": "test",
        "id": rule,
        "kind": "payment",
        "connector": "sandbox",
        "method": "credit_card",
        "currency": "CNY",
        "rate_ppm": 29_000,
        "fixed_minor": 30,
        "valid_from": "2026-01-01T00:00:00+00:00",
        "valid_until": None,
    }
    assert ended.out == f"test side of cmp_001\n{rule} ends at 2026-12-31 00:00:00Z\n"
    assert "2.9 %   0.30  CNY       2026-01-01 00:00:00Z  2026-12-31 00:00:00Z" in table
    assert "none was booked" in kassa("fee", "variance").out
    assert kassa("fee", "variance", "--json").content == {"rows": [], "worst": []}


REFUSED: list[tuple[str, str]] = [
    ("settle --until tomorrow", "2026-11-22T10:30:00Z would be"),
    ("settle --company cmp_none", "no such company"),
    ("settlement show 77", "kassa settlement list shows them"),
    ("settlement list --status done", "open, closed, paid, failed, carried; not 'done'"),
    ("settlement list --limit 0", "limit must be 1 to 1000"),
    ("settlement paid 2 --payout x", "kassa settle"),
    ("settlement failed 2", "no payout to fail"),
    ("settlement paid 1 --payout ", "1 to 200 printable"),
    ("fee add --kind payment --currency CNY --percent 2.90001", "at most 4 decimals"),
    ("fee add --kind payment --currency CNY --fixed 0.301", "CNY has 2 decimals"),
    ("fee add --kind tip --currency CNY", "payment, refund, dispute"),
    ("fee end fee_none", "kassa fee list shows them"),
    ("fee variance --worst 1000", "worst must be 0 to 100"),
]


def test_what_cannot_be_done_is_refused_in_one_sentence_that_helps(kassa: Type, book: Book) -> None:
    book((PostingKind.CAPTURE, 500))
    kassa("settle")

    for words, said in REFUSED:
        assert said in refusal(kassa(*words.split(" "))), words


COMMANDS = [
    *(f"settlement {verb}" for verb in ("list", "show", "paid", "failed")),
    *(f"fee {verb}" for verb in ("add", "list", "end", "variance")),
    "settle",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(kassa: Type, command: str) -> None:
    lines = kassa(*command.split(), "--help").out.splitlines()

    assert lines[0].strip().startswith(f"Usage: kassa {command} ")
    assert [line for line in lines[1:] if f"  kassa {command}" in line]
