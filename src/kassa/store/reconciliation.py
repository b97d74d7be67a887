"""Report files, their lines, and what the references in them lead to; all of it in sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter

from kassa.domain.facts_written import written
from kassa.domain.ledger import Posting, PostingKind
from kassa.domain.lifecycle import PENDING, UNDECIDED, PaymentStatus
from kassa.domain.matching import MOVEMENTS, Directory, Known, Movement, Part, ledger_account
from kassa.domain.money import Money
from kassa.domain.reports import LineKind, ReportLine
from kassa.domain.settling import Holding, Step
from kassa.store.canon import event_digest
from kassa.store.connection import Connection, sole_row
from kassa.store.payments import add_announcements, insert_postings
from kassa.store.resealing import resealed
from kassa.store.seals import seals_of
from kassa.store.statuses import any_of

_UNDECIDED = any_of(UNDECIDED)
_PENDING = any_of(PENDING)


@dataclass(slots=True, kw_only=True)
class ReportFile:
    """A file under import. `position`: lines done; `counts` and `totals`: of those."""

    company_id: str
    id: str
    connector: str
    name: str
    state: str = "importing"
    position: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    totals: dict[str, dict[str, int]] = field(default_factory=dict)
    covers_from: datetime | None = None
    covers_until: datetime | None = None


_FILE = (
    "company_id, id, connector, name, state, position, counts, totals, covers_from, covers_until"
)


async def find_file(
    connection: Connection, company_id: str, connector: str, sha256: str
) -> ReportFile | None:
    row = await connection.fetchrow(
        f"select {_FILE} from report_file where company_id = $1 and connector = $2 and sha256 = $3",
        company_id,
        connector,
        sha256,
    )
    return ReportFile(**row) if row else None


async def add_file(connection: Connection, file: ReportFile, sha256: str, actor: str) -> None:
    """Unless its content is there already."""
    async with resealed(
        connection, "report_file", "t.company_id = $1 and t.id = $2", file.company_id, file.id
    ):
        await connection.execute(
            "insert into report_file (company_id, id, connector, sha256, name, state, actor)"
            " values ($1, $2, $3, $4, $5, 'importing', $6)"
            " on conflict (company_id, connector, sha256) do nothing",
            file.company_id,
            file.id,
            file.connector,
            sha256,
            file.name,
            actor,
        )


async def lock_file(connection: Connection, company_id: str, file_id: str) -> ReportFile:
    """The file as it is now; whoever imports it as well waits until this transaction ends."""
    row = await sole_row(
        connection,
        f"select {_FILE} from report_file where company_id = $1 and id = $2 for update",
        company_id,
        file_id,
    )
    return ReportFile(**row)


async def save_file(connection: Connection, file: ReportFile) -> None:
    async with resealed(
        connection, "report_file", "t.company_id = $1 and t.id = $2", file.company_id, file.id
    ):
        await connection.execute(
            "update report_file set state = $3, position = $4, counts = $5, totals = $6,"
            " covers_from = $7, covers_until = $8, finished_at = case when $3 = 'done'"
            " then coalesce(finished_at, statement_timestamp()) end"
            " where company_id = $1 and id = $2",
            file.company_id,
            file.id,
            file.state,
            file.position,
            file.counts,
            file.totals,
            file.covers_from,
            file.covers_until,
        )


_ATTEMPT = (
    "select a.id, 'attempt' as kind, a.id as attempt_id, a.payment_id, a.connector,"
    f" a.provider_reference, a.status, a.status in {_UNDECIDED} as is_open"
    " from attempt a where a.company_id = $1 and"
)
_MODIFICATION = (
    "select m.id, m.kind, m.attempt_id, m.payment_id, m.connector, m.provider_reference,"
    f" m.status, m.status in {_PENDING} as is_open"
    " from modification m where m.company_id = $1 and"
)
_DISPUTE = (
    "select d.id, 'dispute' as kind, d.attempt_id, d.payment_id, d.connector,"
    " d.provider_reference, d.status, false as is_open"
    " from dispute d where d.company_id = $1 and"
)
_BY_ID = f"{_ATTEMPT} a.id = any($2) union all {_MODIFICATION} m.id = any($2)"
_BY_PROVIDER = (
    f"{_ATTEMPT} a.provider_reference = any($2) and a.provider_reference <> ''"
    f" union all {_MODIFICATION} m.provider_reference = any($2) and m.provider_reference <> ''"
    f" union all {_DISPUTE} d.provider_reference = any($2)"
)
_OF_PAYMENTS = f"{_MODIFICATION} m.payment_id = any($2) union all {_DISPUTE} d.payment_id = any($2)"


async def look_up(
    connection: Connection, company_id: str, references: Sequence[tuple[str, str]]
) -> Directory:
    """What these (our, the provider's) references name, of this company alone.

    An order, or a payment, stands for its attempts that reached a provider.
    """
    directory = Directory()
    ours = {our for our, _ in references if our}
    for row in await connection.fetch(_BY_ID, company_id, list(ours)):
        directory.add(Known(*row))
    orders = list(ours - directory.by_id.keys())
    if orders:
        rows = await connection.fetch(
            "select p.order_id, a.id, 'attempt', a.id, a.payment_id, a.connector,"
            f" a.provider_reference, a.status, a.status in {_UNDECIDED}"
            " from payment p join attempt a on a.company_id = p.company_id and a.payment_id = p.id"
            " where p.company_id = $1 and (p.order_id = any($2) or p.id = any($2)) order by a.id",
            company_id,
            orders,
        )
        for order_id, *values in rows:
            known = Known(*values)
            directory.add(known, order_id if order_id in ours else "")
            if known.payment_id in ours:
                directory.by_order.setdefault(known.payment_id, []).append(known)
    theirs = {
        their
        for our, their in references
        if their and our not in directory.by_id and our not in directory.by_order
    }
    if theirs:
        for row in await connection.fetch(_BY_PROVIDER, company_id, list(theirs)):
            if row[0] not in directory.by_id:
                directory.add(Known(*row))
    return directory


async def look_beside(
    connection: Connection, company_id: str, directory: Directory, payment_ids: Sequence[str]
) -> None:
    """Add what else was done to these payments: their modifications and disputes."""
    for row in await connection.fetch(_OF_PAYMENTS, company_id, list(payment_ids)):
        if row[0] not in directory.by_id:
            directory.add(Known(*row))


async def holdings(
    connection: Connection, company_id: str, payment_ids: Sequence[str]
) -> tuple[dict[str, Holding], list[str]]:
    """By id; and those of them that something was done to afterwards."""
    rows = await connection.fetch(
        "select p.company_id, p.id, p.business_id, p.status, p.currency, p.authorized_minor,"
        " p.captured_minor, p.released_minor, p.settled_minor, p.fee_minor, p.fee_known,"
        " p.surplus, p.version, o.notify_kind, o.notify_url, p.modifications + p.disputes as more"
        " from payment p join orders o on o.company_id = p.company_id and o.id = p.order_id"
        " where p.company_id = $1 and p.id = any($2)",
        company_id,
        list(payment_ids),
    )
    found, changed = {}, []
    for *values, more in rows:
        holding = Holding(*values)
        holding.status = PaymentStatus(holding.status)
        found[holding.id] = holding
        if more:
            changed.append(holding.id)
    return found, changed


_FEES = (PostingKind.FEE.value, PostingKind.FEE_ADJUSTMENT.value)


async def movements(
    connection: Connection, company_id: str, connector: str, causes: Iterable[str]
) -> dict[str, list[Movement]]:
    """What is booked at that account for these causes, oldest first, with its fees."""
    rows = await connection.fetch(
        "select p.id, p.cause, p.payment_id, p.kind, e.amount_minor, p.currency, p.at,"
        " p.kind <> all($5) and exists (select from report_match r"
        "   where r.company_id = p.company_id and r.posting_id = p.id)"
        " from posting p join entry e on e.company_id = p.company_id and e.posting_id = p.id"
        " where p.company_id = $1 and p.cause = any($2) and p.cause <> '' and e.account = $3"
        " and p.kind = any($4)",
        company_id,
        list(causes),
        ledger_account(connector),
        [*MOVEMENTS, *_FEES],
        list(_FEES),
    )
    found: dict[str, list[Movement]] = {}
    fees: dict[str, list[tuple[str, int]]] = {}
    for posting_id, cause, payment_id, kind, minor, currency, at, reported in rows:
        if kind in _FEES:
            fees.setdefault(cause, []).append((posting_id, -minor))
            continue
        movement = Movement(
            posting_id, cause, payment_id, MOVEMENTS[kind], minor, currency, at,
            is_surplus=kind in (PostingKind.SURPLUS, PostingKind.SURPLUS_RETURN),
            reported=reported,
        )  # fmt: skip
        found.setdefault(cause, []).append(movement)
    for cause, charged in fees.items():
        booked = found.get(cause)
        if booked:
            # A fee is of the cause as a whole; its first movement carries it.
            booked.sort(key=lambda movement: (movement.at, movement.posting_id))
            booked[0].fee_minor = sum(minor for _, minor in charged)
            booked[0].fee_postings = tuple(posting_id for posting_id, _ in charged)
    return found


async def waiting_parts(
    connection: Connection, company_id: str, file_id: str, causes: Sequence[str]
) -> dict[str, list[Part]]:
    """Lines of the file that wait for others, by their key, for these movements' causes."""
    rows = await connection.fetch(
        "select match_key, place, amount_minor, fee_minor from report_line"
        " where company_id = $1 and file_id = $2 and state = 'waiting' and match_key = any($3)"
        " order by place",
        company_id,
        file_id,
        [f"{kind}/{cause}" for kind in set(MOVEMENTS.values()) for cause in causes],
    )
    found: dict[str, list[Part]] = {}
    for key, place, minor, fee_minor in rows:
        found.setdefault(key, []).append(Part(place, minor, fee_minor))
    return found


@dataclass(slots=True)
class LineRow:
    """A line as it is kept, with what became of it."""

    place: int
    number: int
    kind: str
    amount_minor: int | None
    fee_minor: int | None
    currency: str | None
    our_reference: str
    provider_reference: str
    payout_reference: str
    occurred_at: datetime | None
    raw: dict[str, str]
    state: str
    match_key: str = ""
    payment_id: str = ""
    cause: str = ""

    def as_line(self) -> ReportLine:
        """As it was read; of one that was understood."""
        assert self.currency is not None
        return ReportLine(
            number=self.number,
            kind=LineKind(self.kind),
            amount=Money(self.amount_minor or 0, self.currency),
            fee=Money(self.fee_minor or 0, self.currency),
            our_reference=self.our_reference,
            provider_reference=self.provider_reference,
            payout_reference=self.payout_reference,
            occurred_at=self.occurred_at,
            raw=self.raw,
        )


@dataclass(slots=True)
class BreakRow:
    """A break to be opened. `place` 0 and no file: nothing that a line says."""

    id: str
    problem: str
    connector: str
    details: str
    file_id: str = ""
    place: int = 0
    payment_id: str = ""
    cause: str = ""
    currency: str = ""
    expected_minor: int | None = None
    found_minor: int | None = None


_LINE_COLUMNS = [one.name for one in fields(LineRow)]
_line_values = attrgetter(*_LINE_COLUMNS)


async def insert_lines(
    connection: Connection, company_id: str, file_id: str, rows: Sequence[LineRow]
) -> None:
    await connection.copy_records_to_table(
        "report_line",
        columns=["company_id", "file_id", *_LINE_COLUMNS],
        records=[(company_id, file_id, *_line_values(row)) for row in rows],
    )


async def mark_lines(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int], state: str
) -> None:
    """Lines that waited, or were breaks, and now are something else."""
    await connection.execute(
        "update report_line set state = $4 where company_id = $1 and file_id = $2"
        " and place = any($3)",
        company_id,
        file_id,
        list(places),
        state,
    )


_LINES = (
    "select place, number, kind, amount_minor, fee_minor, currency, our_reference,"
    " provider_reference, payout_reference, occurred_at, raw, state, match_key, payment_id,"
    " cause from report_line where company_id = $1 and file_id = $2"
)


async def waiting_lines(
    connection: Connection, company_id: str, file_id: str, limit: int
) -> list[LineRow]:
    """Lines of the file that wait for others, in its order."""
    rows = await connection.fetch(
        f"{_LINES} and state = 'waiting' order by place limit $3", company_id, file_id, limit
    )
    return [LineRow(*row) for row in rows]


async def lines_at(
    connection: Connection, company_id: str, file_id: str, places: Sequence[int]
) -> list[LineRow]:
    """These lines of the file, in its order."""
    rows = await connection.fetch(
        f"{_LINES} and place = any($3) order by place", company_id, file_id, list(places)
    )
    return [LineRow(*row) for row in rows]


async def insert_matches(
    connection: Connection, company_id: str, file_id: str, matches: Sequence[tuple[str, int]]
) -> None:
    """(posting, place of the line that reports it)s."""
    await connection.copy_records_to_table(
        "report_match",
        columns=["company_id", "file_id", "posting_id", "place"],
        records=[(company_id, file_id, *match) for match in matches],
    )


async def insert_breaks(
    connection: Connection, company_id: str, rows: Sequence[BreakRow]
) -> list[str]:
    """Open them; gives the ids of those that were not known."""
    async with resealed(
        connection, "report_break", _OF_THESE, company_id, [row.id for row in rows]
    ):
        found = await connection.fetch(
            "insert into report_break (company_id, id, class, connector, file_id, place,"
            " payment_id, cause, currency, expected_minor, found_minor, details)"
            " select $1, w.* from"
            " unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],"
            " $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::text[]) as w"
            " on conflict do nothing returning id",
            company_id,
            [row.id for row in rows],
            [row.problem for row in rows],
            [row.connector for row in rows],
            [row.file_id for row in rows],
            [row.place for row in rows],
            [row.payment_id for row in rows],
            [row.cause for row in rows],
            [row.currency for row in rows],
            [row.expected_minor for row in rows],
            [row.found_minor for row in rows],
            [row.details for row in rows],
        )
        return [row[0] for row in found]


_EVENT_COLUMNS = (
    "company_id, payment_id, seq, event, from_status, to_status, actor, evidence, at, seal"
).split(", ")


async def _save_holdings(
    connection: Connection, company_id: str, changed: Sequence[Holding], at: datetime
) -> None:
    await connection.execute(
        "update payment as t set status = w.status, settled_minor = w.settled,"
        " fee_minor = w.fee, fee_known = w.known, version = w.version, updated_at = $8"
        " from unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],"
        " $7::bigint[]) as w(id, status, settled, fee, known, version)"
        " where t.company_id = $1 and t.id = any($2) and t.id = w.id",
        company_id,
        [holding.id for holding in changed],
        [holding.status for holding in changed],
        [holding.settled_minor for holding in changed],
        [holding.fee_minor for holding in changed],
        [holding.fee_known for holding in changed],
        [holding.version for holding in changed],
        at,
    )


_OF_THESE = "t.company_id = $1 and t.id = any($2)"


async def save_steps(
    connection: Connection,
    company_id: str,
    changed: Sequence[Holding],
    steps: Sequence[Step],
    postings: Sequence[Posting],
    *,
    actor: str,
    at: datetime,
) -> None:
    """Write payments, their timelines and their fee corrections."""
    paid = [holding.id for holding in changed]
    async with resealed(connection, "payment", _OF_THESE, company_id, paid):
        await _save_holdings(connection, company_id, changed, at)
    said = [
        (
            company_id,
            step.payment_id,
            step.seq,
            step.event,
            step.from_status,
            step.to_status,
            actor,
            written(step.fact),
            at,
        )
        for step in steps
    ]
    seals = seals_of(connection)
    await connection.copy_records_to_table(
        "payment_event",
        columns=_EVENT_COLUMNS,
        records=[(*one, seals.of("payment_event", event_digest(*one))) for one in said],
    )
    await insert_postings(connection, postings)


async def insert_announcements(
    connection: Connection,
    company_id: str,
    news: Sequence[tuple[str, Holding, int]],
    *,
    event_type: str,
    at: datetime,
) -> None:
    """(id, payment, its version then)s of which the merchant wants to hear."""
    rows = [
        {
            "company_id": company_id,
            "id": news_id,
            "payment_id": holding.id,
            "version": version,
            "kind": holding.notify_kind,
            "url": holding.notify_url,
            "event_type": event_type,
            "created_at": at,
        }
        for news_id, holding, version in news
    ]
    await add_announcements(connection, rows)
