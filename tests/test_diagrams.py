"""The pictures in the papers are drawn from the tables, and the postings go the ways they show."""

import itertools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.payments.cases import HUNDRED, NOW, a_case, an_attempt, new_id

from kassa import diagrams
from kassa.base.domain.lifecycle import (
    AttemptStatus,
    DisputeStage,
    DisputeStatus,
    PaymentEvent,
    PaymentStatus,
    SettlementStatus,
)
from kassa.base.domain.money import Money
from kassa.disputes.domain.disputing import dispute
from kassa.disputes.domain.returning import charge_returned
from kassa.fees.domain.fees import FeeKind, FeeRule, FeeSchedule
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import ADJUSTABLE, FLOWS, Entry, Posting, PostingKind, strays
from kassa.modifications.domain import captures, refunds
from kassa.payments.domain import facts, receipts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.disputes import BY_STAGE, Telling
from kassa.payments.domain.payments import Attempt, Method
from kassa.reconciliation.domain.matching import LineState, MatchResult, ReportableMovement
from kassa.reconciliation.domain.reported_payments import ReportSource, arrival, effect_of, exchange
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.settlement.domain.settlements import Settlement, Sums

ROOT = Path(__file__).parent.parent
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)
_K, _S = PostingKind, PaymentStatus


@pytest.mark.parametrize("name", diagrams.PAPERS)
def test_the_papers_show_what_is_drawn_now(name: str) -> None:
    paper = (ROOT / name).read_text()

    stale = paper.replace("-->\n```mermaid\n", "-->\n```mermaid\nnot drawn\n")

    assert stale.count("not drawn") == paper.count("<!-- diagram: ") > 0
    assert diagrams.drawn(stale) == paper, "draw them: .venv/bin/python -m kassa.diagrams"


def test_every_diagram_has_its_place() -> None:
    paper = "".join((ROOT / name).read_text() for name in diagrams.PAPERS)

    assert set(re.findall(r"<!-- diagram: ([a-z ]+) -->", paper)) == set(diagrams.diagrams())


def test_drawing_changes_nothing_but_what_is_between_the_marks(tmp_path: Path) -> None:
    for name in diagrams.PAPERS:
        text = "before\n<!-- diagram: money flow -->\nold\n<!-- end of diagram -->\nafter\n"
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    diagrams.main(tmp_path)

    new = (tmp_path / "README.md").read_text()
    assert new.startswith("before\n<!-- diagram: money flow -->\n```mermaid\nflowchart LR\n")
    assert new.endswith("<!-- end of diagram -->\nafter\n")
    assert "old" not in new


def test_the_picture_of_the_money_has_every_account_and_every_kind() -> None:
    picture = diagrams.diagrams()["money flow"]
    accounts = {name for flow in FLOWS for name in (flow.debit, flow.credit)}

    assert {flow.kind for flow in FLOWS} == set(PostingKind)
    assert not [name for name in accounts if name not in picture]
    assert not [kind for kind in PostingKind if kind.replace("_", " ") not in picture]


FEES = FeeSchedule(
    tuple(
        FeeRule(
            id=f"fee_{kind}",
            company_id="c1",
            kind=kind,
            connector="",
            method="",
            currency="CNY",
            rate_ppm=29_000,
            fixed_minor=30,
            valid_from=datetime(2020, 1, 1, tzinfo=UTC),
            valid_until=None,
        )
        for kind in FeeKind
    )
)
METHODS = {
    Method.CREDIT_CARD: {"connector": "acme"},
    Method.WALLET: {"connector": "wallet", "instrument": "wu_1"},
    Method.CASH: {"connector": "offline"},
    Method.BANK_TRANSFER: {"connector": "bank"},
}
SAID: dict[str, Any] = {"actor": "x", "by": "charge"}
ASKED = captures.Request(actor="x")


def started(
    method: Method, status: PaymentStatus = _S.PROCESSING
) -> tuple[PaymentAggregate, Attempt]:
    attempt = an_attempt(method=method, **METHODS[method])
    case = a_case(status, attempt)
    case.fees = FEES
    return case, attempt


def captured_and_refunded(method: Method) -> PaymentAggregate:
    case, attempt = started(method)
    case.capture(attempt, reference="r", fee=None, **SAID)
    asked = refunds.ask_refund(case, Money(1_000, "CNY"), ASKED)
    refunds.refunded(case, asked, reference="r", fee=None, **SAID)
    return case


def reserved_claimed_in_part_and_let_go(method: Method) -> PaymentAggregate:
    case, attempt = started(method)
    captures.authorize(case, attempt, reference="r", expires_at=None, **SAID)
    asked = captures.ask_capture(case, Money(6_000, "CNY"), ASKED, is_last=True, in_parts=True)
    captures.captured(case, asked, reference="r", fee=None, **SAID)
    return case


def reserved_and_voided(method: Method) -> PaymentAggregate:
    case, attempt = started(method)
    captures.authorize(case, attempt, reference="r", expires_at=None, **SAID)
    captures.voided(case, captures.ask_void(case, ASKED), reference="r", **SAID)
    return case


def surplus_given_back(method: Method) -> PaymentAggregate:
    case, attempt = started(method, _S.EXPIRED)
    fee = Money(9, "CNY") if method is Method.CREDIT_CARD else None
    case.capture(attempt, reference="r", fee=fee, **SAID)
    asked = refunds.ask_overpayment_return(case, attempt.id, ASKED)
    refunds.refunded(case, asked, reference="r", fee=fee, **SAID)
    return case


def given_back_and_come_back(method: Method) -> PaymentAggregate:
    case = captured_and_refunded(method)
    [refund] = case.modifications.values()
    refunds.came_back(case, refund, code="refund_failed", message="", **SAID)
    return case


def surplus_given_back_and_come_back(method: Method) -> PaymentAggregate:
    case = surplus_given_back(method)
    [refund] = case.modifications.values()
    refunds.came_back(case, refund, code="refund_failed", message="", **SAID)
    return case


def returned_by_its_bank(method: Method, status: PaymentStatus = _S.PROCESSING) -> PaymentAggregate:
    case, attempt = started(method, status)
    case.capture(attempt, reference="r", fee=None, **SAID)
    charge = case.attempts[attempt.id]
    told = {"reference": "", "code": "charge_failed", "message": "No.", "provider_code": "R01"}
    charge_returned(case, charge, **told, **SAID)
    return case


def surplus_returned_by_its_bank(method: Method) -> PaymentAggregate:
    return returned_by_its_bank(method, _S.EXPIRED)


def surplus_disputed_and_won(method: Method) -> PaymentAggregate:
    return disputed_and_won(method, _S.EXPIRED)


def disputed_and_won(method: Method, status: PaymentStatus = _S.PROCESSING) -> PaymentAggregate:
    case, attempt = started(method, status)
    case.capture(attempt, reference="r", fee=None, **SAID)
    for status in (DisputeStatus.NEEDS_RESPONSE, DisputeStatus.WON):
        dispute(
            case,
            case.attempts[attempt.id],
            reference="d",
            telling=Telling(
                at=NOW,
                stage=DisputeStage.CHARGEBACK,
                status=status,
                amount=HUNDRED,
                fee=Money(20, "CNY"),
            ),
            movements=None,
            order=BY_STAGE,
            actor="x",
        )
    return case


def came_in_part(method: Method, end: str) -> PaymentAggregate:
    case, attempt = started(method, _S.REQUIRES_ACTION)
    receipts.receive(case, attempt, Money(4_000, "CNY"), actor="x")
    match end:
        case "the rest and more":
            receipts.receive(case, attempt, Money(7_000, "CNY"), actor="x")
        case "accepted":
            receipts.accept_short(case, actor="x")
        case "reversed":
            receipts.reversed_part(case, attempt, Money(4_000, "CNY"), actor="x")
        case _:
            case.close(facts.PaymentExpired(), actor="x", by="clock")
    return case


def of_transfers() -> list[Posting]:
    """Of what came by transfer in part, and how that ended."""
    ends = ("the rest and more", "accepted", "reversed", "expired")
    return [posting for end in ends for posting in came_in_part(Method.BANK_TRANSFER, end).postings]


def of_cases() -> list[Posting]:
    """What the pure rules post in every story that moves money."""
    every, by_provider = tuple(METHODS), (Method.CREDIT_CARD,)
    reservable = (Method.CREDIT_CARD, Method.WALLET)
    returnable = (Method.CREDIT_CARD, Method.BANK_TRANSFER)
    stories: list[tuple[Callable[[Method], PaymentAggregate], tuple[Method, ...]]] = [
        (captured_and_refunded, every),
        (reserved_claimed_in_part_and_let_go, reservable),
        (reserved_and_voided, reservable),
        (surplus_given_back, every),
        (given_back_and_come_back, by_provider),
        (surplus_given_back_and_come_back, by_provider),
        (disputed_and_won, by_provider),
        (returned_by_its_bank, returnable),
        (surplus_disputed_and_won, by_provider),
        (surplus_returned_by_its_bank, returnable),
    ]
    return [
        posting
        for story, methods in stories
        for method in methods
        for posting in story(method).postings
    ]


def of_settlements() -> list[Posting]:
    """Payouts and what the bank sends back, of more and of less than nothing."""
    found = []
    for minor in (500, -500):
        settlement = Settlement(
            company_id="c1",
            id="st_1",
            number=1,
            connector="acme",
            currency="CNY",
            status=SettlementStatus.PAID,
            sums=Sums(payments=minor),
            opened_at=AT,
        )
        found.append(a_posting(_K.PAYOUT, settlement.payout_entries()))
        found.append(a_posting(_K.PAYOUT_RETURN, settlement.return_entries()))
    return found


def of_reports() -> list[Posting]:
    """Transfers that the bank's statement has, either way, and what a bank or a provider kept."""
    found = []
    for minor, surplus in ((500, False), (-500, False), (500, True)):
        movement = ReportableMovement(
            "po_1", "at_1", "py_1", LineKind.PAYMENT, minor, "CNY", AT, surplus
        )
        found.append(arrival("c1", movement, posting_id=new_id("po"), at=AT))
        settled = Money(minor, "EUR")
        found += exchange("c1", "provider:acme", [movement], settled, new_id=new_id, at=AT)
        for fee, account in itertools.product((7, -7), (ledger.BANK_ACCOUNT, "provider:acme")):
            verdict = MatchResult(state=LineState.MATCHED, movements=[movement], fee_minor=fee)
            case = a_case(_S.CAPTURED, an_attempt(AttemptStatus.SUCCEEDED), surplus=surplus)
            line = ReportLine(
                number=1, kind=LineKind.PAYMENT, amount=Money(500, "CNY"), fee=Money(fee, "CNY")
            )
            report = ReportSource(name="a.csv", file="rf_1", account=account)
            told = effect_of(case.payment, verdict, line, report, fee_told=True)
            assert told.fact is not None
            case.record(told.fact, actor="report:acme")
            found += case.postings
    return found


def a_posting(kind: PostingKind, entries: tuple[Entry, ...]) -> Posting:
    return Posting(
        company_id="c1",
        id=new_id("po"),
        kind=kind,
        currency="CNY",
        entries=entries,
        payment_id="",
        at=AT,
    )


def test_every_posting_goes_a_way_of_the_table_and_every_way_is_gone() -> None:
    postings = [*of_cases(), *of_transfers(), *of_settlements(), *of_reports()]

    assert not [stray for posting in postings for stray in strays(posting)]
    gone = {way for posting in postings for way in ways_of(posting)}
    made_elsewhere = {_K.TOP_UP, _K.ADJUSTMENT}  # by use cases, whose tests look for strays too
    expected = {
        (flow.kind, flow.debit, flow.credit) for flow in FLOWS if flow.kind not in made_elsewhere
    }
    assert gone == expected


def ways_of(posting: Posting) -> set[tuple[PostingKind, str, str]]:
    pairs = zip(posting.entries[::2], posting.entries[1::2], strict=True)
    found = set()
    for pair in pairs:
        credit, debit = sorted(pair, key=lambda entry: entry.minor)
        names = [ledger.account_class(entry.account) for entry in (debit, credit)]
        found.add((posting.kind, names[0], names[1]))
    return found


@pytest.mark.parametrize(
    "kind, entries",
    [
        (_K.CAPTURE, ledger.move("merchant:b1", "cash", HUNDRED)),
        (_K.TOP_UP, ledger.move("bank", "wallet:u", HUNDRED)),
        (_K.ADJUSTMENT, ledger.move("wallet:u", "suspense", HUNDRED)),
        (
            _K.REFUND,
            (
                Entry("merchant:b1", 3, "CNY"),
                Entry("cash", -2, "CNY"),
                Entry("provider:a", -1, "CNY"),
            ),
        ),
        (_K.REFUND, (Entry("merchant:b1", 0, "CNY"), Entry("cash", 0, "CNY"))),
    ],
)
def test_a_posting_that_goes_another_way_is_told(
    kind: PostingKind, entries: tuple[Entry, ...]
) -> None:
    assert strays(a_posting(kind, entries))


def test_top_ups_and_adjustments_go_their_ways() -> None:
    top_up = ledger.move(ledger.FUNDING_ACCOUNT, ledger.wallet_account("u"), HUNDRED)

    assert not strays(a_posting(_K.TOP_UP, top_up))
    for debit in ADJUSTABLE:
        entries = ledger.move(f"{debit}:x", ledger.SUSPENSE_ACCOUNT, HUNDRED)
        assert not strays(a_posting(_K.ADJUSTMENT, entries))


def test_a_self_made_state_is_drawn_with_its_events() -> None:
    picture = diagrams.payment_states()

    assert f"{_S.CAPTURED} --> {_S.SETTLED}: {PaymentEvent.SETTLE}" in picture
    assert (
        f"{AttemptStatus.IN_DOUBT} --> {AttemptStatus.SUCCEEDED}"
        in diagrams.diagrams()["attempt states"]
    )
