"""Some thousand lines of a report at once: what they lead to, what becomes of them, and writing it.
Judging only reads and decides, so that a dry run is the same without the last step."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.store import companies
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting
from kassa.payments.domain.changes import PaymentChanges
from kassa.payments.domain.payments import Payment
from kassa.payments.store import payments
from kassa.payments.usecases.change_payment import save_cases
from kassa.payments.usecases.tell import write_news
from kassa.reconciliation.domain.matching import (
    BANK,
    LineState,
    Matcher,
    MatchResult,
    PartialLine,
    ReportableMovement,
)
from kassa.reconciliation.domain.references import ReferenceIndex
from kassa.reconciliation.domain.reported_payments import (
    ReportSource,
    arrival,
    effect_of,
    exchange,
    once,
)
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa.reconciliation.domain.transfers import names_in
from kassa.reconciliation.store import breaks, held_lines, repeated_lines
from kassa.reconciliation.store import reconciliation as store
from kassa.reconciliation.store.reconciliation import BreakRow, LineRow, ReportFile
from kassa.reconciliation.store.repeated_lines import EarlierLine
from kassa.reconciliation.usecases import report_evidence as evidence
from kassa.reconciliation.usecases import report_payouts, report_strangers
from kassa.reconciliation.usecases.repeated_lines import RepeatedLines, repeat
from kassa.reconciliation.usecases.report_rows import break_of, clean, row_aside, row_of
from kassa.reconciliation.usecases.report_transfers import TransferLines
from kassa.settlement.store.settlements import put_into_payout

Numbered = tuple[int, ReportLine | Unreadable]
_TURN = 50  # lines; then whoever writes the batch before may send the server its next statement
Ended = Callable[[], Awaitable[None]]


class BatchTurn(Enum):
    """Lines come for the first time; were breaks (only what matches counts); waited for a lock."""

    FIRST = "first"
    BREAKS = "breaks"
    HELD = "held"


_MATCHED_KINDS = frozenset(
    {
        LineKind.PAYMENT,
        LineKind.REFUND,
        LineKind.REFUND_REVERSAL,
        LineKind.DISPUTE,
        LineKind.DISPUTE_REVERSAL,
    }
)


@dataclass(slots=True)
class Batch:
    """What is gathered on the way. `file`: its counts and totals grow with the lines.

    `reported`, `waiting`: of a dry run, what earlier batches would have written. `held`: payments
    that somebody else is changing, and those with lines before that wait for that.
    """

    core: Core
    file: ReportFile
    actor: str
    tells_fees: bool
    dry_run: bool
    reported: set[int] = field(default_factory=set)
    waiting: dict[str, list[PartialLine]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    now: datetime = field(init=False)
    report: ReportSource = field(init=False)
    cases: dict[str, PaymentChanges] = field(default_factory=dict)
    rows: list[LineRow] = field(default_factory=list)
    opened: list[BreakRow] = field(default_factory=list)
    completed: list[int] = field(default_factory=list)
    matches: list[tuple[str, int]] = field(default_factory=list)
    causes: set[str] = field(default_factory=set)
    postings: list[Posting] = field(default_factory=list)
    payouts: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    directory: ReferenceIndex = field(default_factory=ReferenceIndex)
    booked: dict[str, list[ReportableMovement]] = field(default_factory=dict)
    by_hand: str = ""
    transfers: TransferLines | None = None
    repeats: RepeatedLines = field(init=False)

    def __post_init__(self) -> None:
        self.repeats = RepeatedLines(self.file)
        at_the_bank = self.file.connector == BANK
        account = ledger.provider_account(self.file.connector)
        self.report = ReportSource(
            name=self.file.name,
            file=self.file.id,
            account=ledger.BANK_ACCOUNT if at_the_bank else account,
        )

    async def look(
        self, connection: Connection, numbered: Sequence[Numbered], before: Ended | None = None
    ) -> None:
        """Find what the lines name, lock what nobody else has, and read what is booked for it.

        `before`: waits for the batch before, which may be what has it.
        """
        company_id, account = self.file.company_id, self.file.connector
        lines = [item for _, item in numbered if isinstance(item, ReportLine)]
        self.directory = directory = await evidence.look(connection, company_id, account, lines)
        ids = sorted({known.payment_id for known in directory.by_id.values()})
        if self.dry_run:
            self.now = await payments.clock(connection)
        else:
            self.now, held = await held_lines.lock_free(connection, company_id, ids)
            if held and before is not None:
                await before()
                self.now, held = await held_lines.lock_free(connection, company_id, ids)
            self.held |= held
        # Under the locks: what another file has had by now, it had to have them for.
        await self.repeats.look(connection, lines)
        self.cases = await cases_of(self.core, connection, company_id, ids, self.now)
        if beside := [one for one, case in self.cases.items() if _has_more(case.payment)]:
            await store.look_beside(connection, company_id, directory, beside)
        causes = list(directory.by_id)
        self.booked = await store.movements(connection, company_id, account, causes)
        if account == BANK:
            lines_of = TransferLines(self.core, self.file, directory, self.booked, self.by_hand)
            self.transfers = await lines_of.look(connection)
            self.cases.update(self.transfers.cases)

    async def judge(
        self, connection: Connection, numbered: Sequence[Numbered], turn: BatchTurn
    ) -> None:
        """Decide on these lines, after a look, in their order."""
        desk = await self._lay_out(connection)
        is_held = turn is BatchTurn.HELD
        said = await self.repeats.take_held(connection, numbered) if is_held else {}
        for done, (place, found) in enumerate(numbered):
            if not done % _TURN:
                await asyncio.sleep(0)
            if place in said and isinstance(found, ReportLine):
                self._bump(LineState.WAITING, -1)
                self._repeated(place, found, said[place])
            elif isinstance(found, Unreadable):
                self._put_aside(place, found)
            else:
                await self._judge(connection, desk, place, found, turn)
        if turn is BatchTurn.FIRST:
            for _ in await self.repeats.link(connection, self.rows, self.opened):
                self._bump(LineState.BREAK, -1)
                self._bump(LineState.IGNORED)

    async def _judge(
        self,
        connection: Connection,
        desk: Matcher,
        place: int,
        found: ReportLine,
        turn: BatchTurn,
    ) -> None:
        is_first = turn is BatchTurn.FIRST
        before = self.repeats.take(found) if is_first else None
        if before is not None and self._is_said(place, found, before):
            return
        item, decided = self._as_transfer(found)
        if self.held and self._is_held(found, item):
            if is_first:
                self._set_aside(place, item, found)
            return
        if decided is None and self.transfers is not None:
            item, decided = await self._take_transfer(connection, self.transfers, place, item)
        verdict = decided or await self._verdict(connection, desk, place, item)
        if is_first and self._may_be_completed(item, verdict):
            self._set_aside(place, item, found)
            return
        if self.transfers is not None and verdict.problem is BreakClass.MISSING_OURS:
            verdict = await report_strangers.explained(connection, self.transfers, item, verdict)
        if turn is BatchTurn.BREAKS:
            if verdict.state is LineState.MATCHED:
                self.completed.append(place)
                self._bump(LineState.MATCHED)
                self._bump(LineState.BREAK, -1)
                self.file.totals[item.amount.currency]["matched"] += item.amount.minor
                self._take(place, item, verdict)
            return
        if before is not None and verdict.state is LineState.BREAK:
            self._ignore(place, found, before)
            return
        if before is not None:
            self.repeats.cured.append(before)
        if is_first:
            self._total(item)
        else:
            self._bump(LineState.WAITING, -1)
        self._count(item, verdict)
        self._take(place, item, verdict, self.repeats.identity_of(found))

    def _as_transfer(self, line: ReportLine) -> tuple[ReportLine, MatchResult | None]:
        """Of a bank's line: the transfer that it tells of, and what is decided about it already."""
        if self.transfers is None:
            return line, None
        item = self.transfers.named_in(line)
        return (line, item) if isinstance(item, MatchResult) else (item, None)

    async def _take_transfer(
        self, connection: Connection, transfers: TransferLines, place: int, line: ReportLine
    ) -> tuple[ReportLine, MatchResult | None]:
        """Book what a transfer brought; what of that is a person's work is the line's break."""
        taken = await transfers.take(connection, line)
        if taken.ended:
            self.opened[:] = [one for one in self.opened if not taken.ends(one)]
        for one in taken.work:
            self._open(place, one.problem, one.words, taken.line, taken.verdict)
        return taken.line, taken.verdict

    def _is_said(self, place: int, line: ReportLine, before: EarlierLine) -> bool:
        """Whether nothing more can come of a line that an earlier file has had."""
        doubt = self.repeats.doubt(line, before)
        if doubt is not None:
            self._total(line)
            self._count(line, doubt)
            self._take(place, line, doubt, self.repeats.identity_of(line))
        elif before.is_final:
            self._ignore(place, line, before)
        return doubt is not None or before.is_final

    def _ignore(self, place: int, line: ReportLine, before: EarlierLine) -> None:
        """An earlier file has told of it, and what is open about it is a break of that file."""
        self._total(line)
        self._repeated(place, line, before)

    def _repeated(self, place: int, line: ReportLine, before: EarlierLine) -> None:
        self._bump(LineState.IGNORED)
        state = MatchResult(state=LineState.IGNORED, cause=before.cause)
        self.rows.append(row_of(place, line, state, self.repeats.identity_of(line)))
        repeat(self.rows[-1], before)

    def _is_held(self, *as_read: ReportLine) -> bool:
        """Whether the line, as it is or as a transfer of ours, is about what somebody else is
        changing. `as_read`: both."""
        return any(
            known.payment_id in self.held
            for line in as_read
            for known in (
                *self.directory.named_by(line),
                *(one for name, _ in names_in(line) for one in self.directory.called(name)),
            )
        )

    def _may_be_completed(self, line: ReportLine, verdict: MatchResult) -> bool:
        """Of a payout: whether what it is made of may come after it in the provider's file."""
        is_payout = line.kind is LineKind.PAYOUT and self.file.connector != BANK
        return is_payout and verdict.state is LineState.BREAK and not self.dry_run

    def _set_aside(self, place: int, line: ReportLine, found: ReportLine) -> None:
        """It waits for a lock, or for what comes after it, and holds up nobody; its turn comes at
        the end."""
        identity = self.repeats.identity_of(found)
        self.rows.append(row_of(place, line, MatchResult(state=LineState.WAITING), identity))
        self._total(line)
        self._bump(LineState.WAITING)

    async def _lay_out(self, connection: Connection) -> Matcher:
        """With what the lines before have left to be completed."""
        file, waiting = self.file, {}
        if self.dry_run:
            waiting = self.waiting
            for movements in self.booked.values():
                for movement in movements:
                    movement.reported |= hash(movement.posting_id) in self.reported
        elif file.counts.get("waiting"):
            causes = list(self.directory.by_id)
            waiting = await store.waiting_parts(connection, file.company_id, file.id, causes)
        side = await companies.find_company(connection, file.company_id)
        live = side is not None and side.is_live
        return Matcher(file.connector, live, self.directory, self.booked, waiting)

    async def _verdict(
        self, connection: Connection, desk: Matcher, place: int, line: ReportLine
    ) -> MatchResult:
        if line.kind in _MATCHED_KINDS:
            return desk.judge(line, place)
        if line.kind is LineKind.FEE:
            fee = desk.judge_fee(line)
            case = self.cases.get(fee.payment_id)
            return once(case.payment, fee) if case else fee
        if line.kind is LineKind.PAYOUT:
            return await self._payout(connection, place, line)
        words = f"an adjustment of {line.amount} that is not booked"
        return desk.judge_other(line, BreakClass.MISSING_OURS, words)

    async def _payout(self, connection: Connection, place: int, line: ReportLine) -> MatchResult:
        if self.file.connector != BANK:
            return await report_payouts.announced(
                self.core, connection, self.file, line, dry_run=self.dry_run
            )
        in_batch = frozenset(posting_id for posting_id, _ in self.matches)
        statement = report_payouts.StatementPayouts(
            self.core, connection, self.file, self.reported, in_batch, self.dry_run
        )
        verdict, posting_id = await statement.moved(line)
        if posting_id:
            self.matches.append((posting_id, place))
        return verdict

    def _put_aside(self, place: int, item: Unreadable) -> None:
        reason = clean(item.reason)
        self.rows.append(row_aside(place, item))
        self._bump("pending" if item.is_pending else LineState.QUARANTINE)
        if not item.is_pending:
            self._open(place, BreakClass.UNREADABLE, reason)

    def _take(self, place: int, line: ReportLine, verdict: MatchResult, identity: str = "") -> None:
        """Write down what becomes of the line, and let a match have its effects."""
        self.rows.append(row_of(place, line, verdict, identity))
        if verdict.problem is not None:
            self._open(place, verdict.problem, verdict.words, line, verdict)
        if verdict.state is LineState.MATCHED:
            self._match(place, line, verdict)

    def _match(self, place: int, line: ReportLine, verdict: MatchResult) -> None:
        at_the_bank = self.file.connector == BANK
        if verdict.late and not at_the_bank:  # a transfer is on its way for days
            self._open(place, BreakClass.LATE, verdict.late, line, verdict)
        self.completed += [part.place for part in verdict.parts]
        fee_told = bool(verdict.fee_minor) or (self.tells_fees and not at_the_bank)
        if at_the_bank and not verdict.only_fee:
            self.postings += [
                arrival(self.file.company_id, one, posting_id=self.core.new_id("po"), at=self.now)
                for one in verdict.movements
            ]
        payout = line.amount.currency, evidence.cut(line.payout_reference)
        put = self.payouts.setdefault(payout, [])
        for movement in verdict.movements:
            self.causes.add(movement.cause)
            if not verdict.only_fee:
                self.matches.append((movement.posting_id, place))
                if self.dry_run:
                    self.reported.add(hash(movement.posting_id))
                put.append(movement.posting_id)
            put += movement.fee_postings
        for mine in verdict.by_payment():
            case = self.cases[mine.movements[0].payment_id]
            before = len(case.postings)
            contradicts = self._apply(case, mine, line, fee_told=fee_told)
            put += [posting.id for posting in case.postings[before:]]
            if contradicts:
                self._open(place, BreakClass.FEE, contradicts, line, verdict)
            fee_told = False  # the line's fee is booked once
        if verdict.exchanged:
            made = exchange(
                self.file.company_id,
                self.report.account,
                verdict.movements,
                line.amount - line.fee,
                new_id=self.core.new_id,
                at=self.now,
            )
            self.postings += made
            put += [posting.id for posting in made]

    def _apply(
        self, case: PaymentChanges, verdict: MatchResult, line: ReportLine, *, fee_told: bool
    ) -> str:
        """Gives how the line contradicts what was told before."""
        effect = effect_of(case.payment, verdict, line, self.report, fee_told=fee_told)
        if effect.fact is None:
            return effect.contradicts
        # Later lines of the same fee see what is booked by then.
        verdict.movements[0].fee_minor += effect.fact.fee_change_minor
        case.record(effect.fact, actor=f"report:{self.file.connector}")
        if effect.fact.settles:
            self._bump("settled")
            case.announce("payment.settled")
        return effect.contradicts

    def _open(
        self,
        place: int,
        problem: BreakClass,
        words: str,
        line: ReportLine | None = None,
        verdict: MatchResult | None = None,
    ) -> None:
        opened = break_of(self.file, place, problem, words, line, verdict)
        self.opened.append(replace(opened, id=self.core.new_id("br")))

    def _bump(self, what: str, by: int = 1) -> None:
        self.file.counts[str(what)] = self.file.counts.get(what, 0) + by

    def _count(self, line: ReportLine, verdict: MatchResult) -> None:
        """What became of it, for the control totals."""
        self._bump(verdict.state)
        if verdict.state is LineState.MATCHED:
            sums = self.file.totals[line.amount.currency]
            sums["matched"] += line.amount.minor
            if verdict.parts:
                sums["matched"] += sum(part.minor for part in verdict.parts)
                self._bump(LineState.MATCHED, len(verdict.parts))
                self._bump(LineState.WAITING, -len(verdict.parts))

    def _total(self, line: ReportLine) -> None:
        """Control totals, and what the file covers."""
        file, at = self.file, line.occurred_at
        sums = file.totals.get(line.amount.currency)
        if sums is None:
            sums = file.totals[line.amount.currency] = {"gross": 0, "fees": 0, "matched": 0}
        sums["gross"] += line.amount.minor
        sums["fees"] += line.fee.minor
        if at is not None and (line.kind in _MATCHED_KINDS or file.connector == BANK):
            file.covers_from = min(file.covers_from or at, at)
            file.covers_until = max(file.covers_until or at, at)


def _has_more(payment: Payment) -> bool:
    """Whether something was done to it after it was paid."""
    return payment.modifications + payment.disputes > 0


async def cases_of(
    core: Core, connection: Connection, company_id: str, ids: Sequence[str], now: datetime
) -> dict[str, PaymentChanges]:
    """These payments, to record on them what a report says."""
    found = await payments.alone(connection, company_id, ids)
    return {payment.id: PaymentChanges(payment, now, core.new_id) for payment in found}


async def book(connection: Connection, batch: Batch) -> None:
    """What concerns only the payments that the batch has locked, whatever becomes of the file."""
    await payments.insert_postings(connection, batch.postings)
    whole = batch.transfers
    alone = [one for key, one in batch.cases.items() if not (whole and key in whole.cases)]
    await write_news(batch.core, connection, alone)
    await payments.save_alone(connection, alone)
    if whole and whole.cases:
        await write_news(batch.core, connection, whole.cases.values())
        await save_cases(connection, list(whole.cases.values()), whole.known)


async def write(connection: Connection, batch: Batch, turn: BatchTurn) -> None:
    """Everything else that the batch has gathered, in the same transaction and under the file's
    lock."""
    file, company_id = batch.file, batch.file.company_id
    if turn is BatchTurn.FIRST:
        await store.insert_lines(connection, company_id, file.id, batch.rows)
    elif turn is BatchTurn.HELD and batch.rows:
        await held_lines.decide(connection, company_id, file.id, batch.rows)
    if batch.completed:
        await store.mark_lines(connection, company_id, file.id, batch.completed, LineState.MATCHED)
    if batch.opened:
        await store.insert_breaks(connection, company_id, batch.opened)
    if batch.matches:
        await store.insert_matches(connection, company_id, file.id, batch.matches)
    for (currency, reference), postings in sorted(batch.payouts.items()):
        if reference and postings:
            await put_into_payout(
                connection,
                company_id,
                file.connector,
                currency,
                reference,
                postings,
                new_id=batch.core.new_id,
            )
    if batch.repeats.cured:
        await repeated_lines.resolve(
            connection,
            company_id,
            batch.repeats.cured,
            f"the same line matched in {file.name}",
            f"report:{file.connector}",
        )
    if batch.causes and await breaks.has_open(connection, company_id):
        await breaks.resolve_matched(
            connection,
            company_id,
            [one for one, case in batch.cases.items() if case.events],
            list(batch.causes),
            f"reported in {file.name}",
            file_id=file.id,
            places=batch.completed,
            actor=f"report:{file.connector}",
        )
