"""Export the books for an accountant: trial balance, journal, settlement statement, in pages."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.domain.principals import Mode
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import company_by_id
from kassa.ledger.store import ledgers
from kassa.ledger.store.ledgers import SettlementHead, Span
from kassa.payments.store import history
from kassa.settlement.domain.settlements import SettlementPart, part_of

_PAGE = 2_000
_LONGEST_NAME = 300


class Content(StrEnum):
    """What a column holds."""

    TEXT = "text"
    WORD = "word"  # text with few different values
    NUMBER = "number"
    MINOR = "minor"  # whole minor units of the row's currency
    SUM = "sum"  # likewise, and perhaps beyond 64 bits
    MAJOR = "major"  # the same amount with the currency's digits
    TIME = "time"  # an instant, in UTC


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    content: Content


Cell = str | int | Money | datetime | None
Row = Sequence[Cell]


def _columns(words: str) -> tuple[Column, ...]:
    """Read "name:content name:content …"; an amount is a MAJOR and a MINOR
    column, a total a MAJOR and a SUM column."""
    found: list[Column] = []
    for word in words.split():
        name, _, content = word.partition(":")
        if content == "amount":
            found += [Column(name, Content.MAJOR), Column(f"{name}_minor", Content.MINOR)]
        elif content == "total":
            found += [Column(name, Content.MAJOR), Column(f"{name}_minor", Content.SUM)]
        else:
            found.append(Column(name, Content(content)))
    return tuple(found)


@dataclass(slots=True)
class Export:
    """A table on its way: `pages` yields its rows; `findings` is full once they are through.

    `count`: how many of `unit` there will be, to show progress; 0 where nobody has counted.
    `sound`: whether the figures agree among themselves; `findings` says so in words.
    """

    title: str
    mode: Mode
    columns: tuple[Column, ...]
    unit: str
    count: int
    pages: AsyncIterator["LedgerPage"]
    findings: list[str] = field(default_factory=list)
    sound: bool = True


@dataclass(frozen=True, slots=True)
class LedgerPage:
    """Rows, and how many of the export's units they come from."""

    rows: list[Row]
    steps: int


TRIAL_BALANCE = _columns(
    "account:text currency:word opening:total debits:total credits:total closing:total mode:word"
)
JOURNAL = _columns(
    "number:number posting_id:text at:time kind:word payment_id:text order_id:text cause:text"
    " leg:number account:word debit:amount credit:amount currency:word"
    " mode:word"
)
SETTLEMENT = _columns(
    "settlement_id:word connector:word payout_reference:word section:word item:word"
    " posting_id:text at:time payment_id:text order_id:text amount:amount currency:word"
    " mode:word"
)


def _both(minor: int | None, currency: str) -> tuple[Cell, Cell]:
    return (None, None) if minor is None else (Money(minor, currency), minor)


def _checked(span: Span) -> Span:
    if span.start is not None and span.end is not None and span.start >= span.end:
        raise InvalidRequest(
            f"from {span.start.isoformat()} until {span.end.isoformat()} is no time at all"
        )
    return span


@asynccontextmanager
async def _snapshot(
    core: Core, company_id: str, title: str
) -> AsyncIterator[tuple[Connection, Mode]]:
    """A connection that sees one moment of the company's books, and which side they are of; that a
    person takes them away is written down first.

    Raises: NotFound.
    """
    if audit.is_persons() and await company_by_id(core, company_id) is not None:
        said = {"export": title}
        await audit.note_alone(core, Act.BOOKS_EXPORTED, company_id, after=said)
    async with core.db.transaction(long=True) as connection:
        await history.stand_still(connection)
        known = None
        if "\x00" not in company_id:
            known = await companies.find_company(connection, company_id)
        if known is None:
            raise NotFound(f"no such company: {company_id!r}")
        yield connection, known.mode


@asynccontextmanager
async def export_trial_balance(
    core: Core, company_id: str, span: Span | None = None
) -> AsyncIterator[Export]:
    """Per account and currency: what it had, what came and went in the span, what it has.

    Raises: NotFound, InvalidRequest.
    """
    span = _checked(span or Span())
    async with _snapshot(core, company_id, "trial balance") as (connection, mode):

        async def pages() -> AsyncIterator[LedgerPage]:
            totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
            async for balances in ledgers.balances(connection, company_id, span, _PAGE):
                rows: list[Row] = []
                for one in balances:
                    closing = one.opening + one.debits - one.credits
                    figures = (one.opening, one.debits, one.credits, closing)
                    for at, minor in enumerate(figures):
                        totals[one.currency][at] += minor
                    cells = [cell for minor in figures for cell in _both(minor, one.currency)]
                    rows.append((one.account, one.currency, *cells, mode))
                yield LedgerPage(rows, len(rows))
            for currency, sums in sorted(totals.items()):
                _weigh(export, currency, sums)

        export = Export("trial balance", mode, TRIAL_BALANCE, "accounts", 0, pages())
        yield export


def _weigh(export: Export, currency: str, sums: Sequence[int]) -> None:
    """All accounts of a currency together have nothing, before and after."""
    opening, came, went, closing = sums
    balanced = opening == 0 and closing == 0 and came == went
    export.sound = export.sound and balanced
    words = (
        f"debits and credits {Money(came, currency)} each, all accounts together zero"
        if balanced
        else f"NOT balanced: opening {Money(opening, currency)}, debits {Money(came, currency)},"
        f" credits {Money(went, currency)}, closing {Money(closing, currency)}"
    )
    export.findings.append(f"{currency}: {words}")


@asynccontextmanager
async def export_journal(
    core: Core, company_id: str, span: Span | None = None
) -> AsyncIterator[Export]:
    """A row per entry, in the order of booking. `number` counts the postings of the export.

    Raises: NotFound, InvalidRequest.
    """
    span = _checked(span or Span())
    async with _snapshot(core, company_id, "journal") as (connection, mode):

        async def pages() -> AsyncIterator[LedgerPage]:
            number, sums = 0, dict[str, list[int]]()
            async for postings in ledgers.journal(connection, company_id, span, _PAGE):
                rows: list[Row] = []
                for one in postings:
                    number += 1
                    head = (number, one.id, one.at, one.kind, one.payment_id, one.order_id)
                    sides = sums.setdefault(one.currency, [0, 0])
                    for leg, (account, minor) in enumerate(one.legs, 1):
                        sides[0] += max(minor, 0)
                        sides[1] += max(-minor, 0)
                        debit = _both(minor if minor > 0 else None, one.currency)
                        credit = _both(-minor if minor < 0 else None, one.currency)
                        tail = (leg, account, *debit, *credit, one.currency, mode)
                        rows.append((*head, one.cause, *tail))
                yield LedgerPage(rows, len(postings))
            for currency, (came, went) in sorted(sums.items()):
                _weigh(export, currency, (0, came, went, came - went))

        count = await ledgers.count_postings(connection, company_id, span)
        export = Export("journal", mode, JOURNAL, "postings", count, pages())
        yield export


@asynccontextmanager
async def export_settlement(core: Core, company_id: str, name: str) -> AsyncIterator[Export]:
    """A settlement's figures and then its lines. `name`: its id, number or payout reference.

    Raises: NotFound.
    """
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise NotFound(f"no such settlement: {name[:60]!r}")
    async with _snapshot(core, company_id, f"settlement {name}") as (connection, mode):
        head = await ledgers.settlement_named(connection, company_id, name)
        if head is None:
            raise NotFound(
                f"no such settlement: {name!r}; give its id, its number or the reference of its"
                " payout"
            )
        count = await ledgers.count_lines(connection, company_id, head.id)
        of = (head.id, head.connector, head.payout_reference)

        async def pages() -> AsyncIterator[LedgerPage]:
            yield LedgerPage(_figures(head, mode), 0)
            sums = dict.fromkeys(SettlementPart, 0)
            async for lines in ledgers.statement_lines(connection, company_id, head.id, _PAGE):
                rows: list[Row] = []
                for one in lines:
                    sums[part_of(one.kind)] += one.amount_minor
                    where = (one.posting_id, one.at, one.payment_id, one.order_id)
                    amount = _both(one.amount_minor, head.currency)
                    rows.append((*of, "line", one.kind, *where, *amount, head.currency, mode))
                yield LedgerPage(rows, len(rows))
            _agree(export, head, sums)

        export = Export(f"settlement {head.number}", mode, SETTLEMENT, "lines", count, pages())
        yield export


def _figures(head: SettlementHead, mode: Mode) -> list[Row]:
    """The header as rows; what it says of a time stands at that row's time."""
    of = (head.id, head.connector, head.payout_reference)
    figures = [
        *((part, _of_part(head, part), None) for part in SettlementPart),
        ("carried_over", head.carried_over_minor, head.opened_at),
        ("net", head.net_minor, head.paid_at or head.closed_at),
    ]
    return [
        (*of, "summary", item, "", at, "", "", *_both(minor, head.currency), head.currency, mode)
        for item, minor, at in figures
    ]


def _of_part(head: SettlementHead, part: SettlementPart) -> int:
    found = {
        SettlementPart.PAYMENTS: head.payments_minor,
        SettlementPart.REFUNDS: head.refunds_minor,
        SettlementPart.DISPUTES: head.disputes_minor,
        SettlementPart.FEES: head.fees_minor,
        SettlementPart.OTHER: head.other_minor,
    }
    return found[part]


def _agree(export: Export, head: SettlementHead, sums: dict[SettlementPart, int]) -> None:
    """The lines of a settlement add up to its figures, from the moment it is closed."""
    if head.status is SettlementStatus.OPEN:
        export.findings.append("it is still open: more lines may come, and its figures follow")
        return
    for part, minor in sums.items():
        if minor != _of_part(head, part):
            export.sound = False
            said = Money(_of_part(head, part), head.currency)
            export.findings.append(
                f"{part}: the lines add up to {Money(minor, head.currency)}, it says {said}"
            )
    if export.sound:
        net = Money(head.net_minor, head.currency)
        export.findings.append(f"{head.status}: the lines add up to its figures, net {net}")


def read_moment(text: str) -> datetime:
    """A date or a time in ISO 8601; a date is its first moment, and without an offset it is UTC.

    Raises: InvalidRequest.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidRequest(
            f"{text[:60]!r} is no time: 2026-11-22 or 2026-11-22T10:30:00Z would be"
        ) from None
