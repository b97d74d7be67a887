"""Lines of a bank's statement that tell of transfers: what they brought, or took back, is booked
with the line, in one commit, so that a line that is taken is a line that matches."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kassa.base.domain.lifecycle import UNDECIDED, AttemptStatus, BreakClass
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.disputes.domain.returning import charge_returned
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import PostingKind
from kassa.modifications.domain import captures, refunds
from kassa.payments.domain import receipts
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.modifications import went_back
from kassa.payments.domain.payments import Attempt
from kassa.payments.domain.work_items import WorkItem
from kassa.payments.usecases.change_payment import read_cases
from kassa.reconciliation.domain.matching import (
    BANK,
    MOVEMENTS,
    LineState,
    MatchResult,
    ReportableMovement,
)
from kassa.reconciliation.domain.references import KnownReference, ReferenceIndex
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.store import repeated_lines
from kassa.reconciliation.store.reconciliation import BreakRow, ReportFile
from kassa.reconciliation.usecases import report_evidence as evidence

Movements = list[ReportableMovement]


@dataclass(slots=True)
class TakenLine:
    """`line`: as it is to be matched. `verdict`: what is decided about it already. `work`: what of
    that is a person's; `ended`: what is not any more, of the payment's."""

    line: ReportLine
    verdict: MatchResult | None = None
    work: list[WorkItem] = field(default_factory=list)
    ended: set[BreakClass] = field(default_factory=set)

    def ends(self, item: BreakRow) -> bool:
        """Whether that work, of a line before it, is done with this one."""
        if self.verdict is None:
            return False
        return item.problem in self.ended and item.payment_id == self.verdict.payment_id


@dataclass(slots=True)
class TransferLines:
    """The transfers that a batch of a statement is about. `cases`: by payment, all of each.

    `known`: what of them are rows already. `by_hand`: a person has said what the line is about.
    """

    core: Core
    file: ReportFile
    directory: ReferenceIndex
    booked: dict[str, Movements]
    by_hand: str = ""
    cases: dict[str, PaymentAggregate] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)

    async def look(self, connection: Connection) -> "TransferLines":
        """Read the payments that transfers of the directory are of; their locks are ours."""
        ids = {one.payment_id for one in self.directory.by_id.values() if one.connector == BANK}
        self.cases = await read_cases(self.core, connection, self.file.company_id, sorted(ids))
        for case in self.cases.values():
            self.known |= {*case.attempts, *case.modifications, *case.disputes}
        return self

    def awaited(self, one: KnownReference) -> Money | None:
        """What that attempt is still to bring; None where it is no transfer that is waited for."""
        case = self.cases.get(one.payment_id)
        attempt = case.attempts.get(one.id) if case else None
        return receipts.awaited(case, attempt) if case and attempt else None

    def named_in(self, line: ReportLine) -> ReportLine | MatchResult:
        """The line as one of the transfer that it names, if it does."""
        return evidence.as_transfer(self.directory, self.booked, self.awaited, line)

    async def take(self, connection: Connection, line: ReportLine) -> TakenLine:
        """What becomes of a line that names transfers of one payment; of others nothing yet."""
        if line.kind not in (LineKind.PAYMENT, LineKind.REFUND):
            return TakenLine(line)
        named = evidence.at_the_bank(self.directory, line.our_reference)
        ids = {one.payment_id for one in named}
        case = self.cases.get(next(iter(ids), "")) if len(ids) == 1 else None
        attempts = [
            case.attempts[one.id]
            for one in named
            if case and one.kind == "attempt" and one.id in case.attempts
        ]
        if case is None or not attempts:
            return TakenLine(line)
        if line.amount.currency != case.payment.amount.currency:
            return TakenLine(line, _foreign(case, line))
        work, ended = case.work, case.work_done
        case.work, case.work_done = [], set()
        if line.kind is LineKind.PAYMENT:
            taken = await self._came(connection, case, attempts, line)
        else:
            taken = TakenLine(line, self._went(case, attempts, line))
        taken.work, taken.ended = case.work, set(case.work_done)
        case.work, case.work_done = work, ended | case.work_done
        return taken

    async def _came(
        self,
        connection: Connection,
        case: PaymentAggregate,
        attempts: Sequence[Attempt],
        line: ReportLine,
    ) -> TakenLine:
        left = [
            one
            for attempt in attempts
            for one in self.booked.get(attempt.id, ())
            if one.kind is LineKind.PAYMENT and not one.reported
        ]
        attempt, more = _meant(attempts), line.amount
        if left:
            # What staff have recorded: the statement confirms it, and may say that more came.
            more = line.amount - Money(sum(one.minor for one in left), line.amount.currency)
            attempt = case.attempts[left[0].cause]
            fits = any(one.minor == line.amount.minor for one in left)
            if fits or more.minor <= 0 or attempt.status is not AttemptStatus.SUCCEEDED:
                return TakenLine(line)
        elif not self.by_hand and (again := await self._again(connection, case, attempt, line)):
            return TakenLine(line, again)
        before = len(case.postings)
        receipts.receive(case, attempt, more, actor=self.by_hand or f"report:{BANK}")
        movements = [*left, *self._movements(case, before)]
        return TakenLine(evidence.about(line, attempt.id), _matched(line, movements))

    async def _again(
        self, connection: Connection, case: PaymentAggregate, attempt: Attempt, line: ReportLine
    ) -> MatchResult | None:
        """Where a line of another file had the same day and amount, it may be the same movement
        under another name: the day's report has it, and then the statement."""
        came = case.payment.unapplied_minor or attempt.status is AttemptStatus.SUCCEEDED
        if not came or line.occurred_at is None:
            return None
        alike = await repeated_lines.alike(
            connection, self.file.company_id, self.file.id, attempt.id, line
        )
        if alike is None:
            return None
        return MatchResult(
            state=LineState.BREAK,
            problem=BreakClass.DUPLICATE,
            words=f"{line.amount} may be line {alike.number} of {alike.file_name} again: the same"
            " day, amount and reference under another name of the bank's. If it is another"
            f" transfer, kassa breaks match takes it for {case.payment.order_id}",
            payment_id=case.payment.id,
        )

    def _went(
        self, case: PaymentAggregate, attempts: Sequence[Attempt], line: ReportLine
    ) -> MatchResult | None:
        """Money left: a refund that we know, a part that the bank sent back, an overpayment that
        people did; or somebody has to say what it was."""
        causes = [
            cause
            for attempt in attempts
            for cause in (
                attempt.id,
                *(m.id for m in self.directory.of_attempt.get(attempt.id, ())),
            )
        ]
        left = [
            one
            for cause in causes
            for one in self.booked.get(cause, ())
            if one.kind is LineKind.REFUND and not one.reported
        ]
        went, actor = -line.amount, self.by_hand or f"report:{BANK}"
        if any(one.minor == line.amount.minor for one in left):
            return None
        before = len(case.postings)
        for attempt in attempts:
            if receipts.returnable(case, attempt) == went:
                wanted = captures.Request(actor=actor)
                back = refunds.ask_overpayment_return(case, attempt.id, wanted)
                refunds.refunded(
                    case, back, reference=back.id, fee=None, actor=actor, by="statement"
                )
                return _matched(line, self._movements(case, before))
        if receipts.reversed_part(case, _meant(attempts), went, actor=actor):
            return _matched(line, self._movements(case, before))
        if _is_reversal(line) and (whole := _brought(case, attempts, went)):
            charge_returned(
                case,
                whole,
                reference="",
                code="transfer_reversed",
                message="The bank has reversed the transfer.",
                provider_code="",
                actor=actor,
                by="statement",
            )
            return _matched(line, self._movements(case, before))
        return None if left else _left_unknown(case, line)

    def _movements(self, case: PaymentAggregate, before: int) -> Movements:
        """What has just been booked, as the statement shows it."""
        found = [
            ReportableMovement(
                posting.id,
                posting.cause,
                posting.payment_id,
                MOVEMENTS[posting.kind],
                entry.minor,
                entry.currency,
                posting.at,
                is_surplus=posting.kind in (PostingKind.SURPLUS, PostingKind.SURPLUS_RETURN),
            )
            for posting in case.postings[before:]
            if posting.kind in MOVEMENTS
            for entry in posting.entries
            if entry.account == ledger.TRANSIT_ACCOUNT
        ]
        for one in found:
            self.booked.setdefault(one.cause, []).append(one)
        return found


def _meant(attempts: Sequence[Attempt]) -> Attempt:
    """The one that is waited for; else the one that was left; else the one that has its money."""
    order = (UNDECIDED, (AttemptStatus.ABANDONED,), tuple(AttemptStatus))
    newest = sorted(attempts, key=lambda one: -one.number)
    return next(one for statuses in order for one in newest if one.status in statuses)


def _matched(line: ReportLine, movements: Movements) -> MatchResult:
    for one in movements:
        one.reported = True
    return MatchResult(
        state=LineState.MATCHED,
        movements=movements,
        fee_minor=line.fee.minor,
        payment_id=movements[0].payment_id,
        cause=movements[0].cause,
    )


def _foreign(case: PaymentAggregate, line: ReportLine) -> MatchResult:
    payment, came = case.payment, line.amount.minor > 0
    said = f"{line.amount} came" if came else f"{-line.amount} left"
    words = f"{said} with the reference of {payment.id}, which is in {payment.amount.currency}: it"
    words += " is not booked."
    if came:
        words += " Send it back from the bank, or take it for the order (kassa record"
        words += f" {payment.order_id} --method bank_transfer); kassa breaks resolve --debit bank"
        words += " --credit suspense books what came"
    return MatchResult(
        state=LineState.BREAK, problem=BreakClass.CURRENCY, words=words, payment_id=payment.id
    )


def _is_reversal(line: ReportLine) -> bool:
    """Whether the bank itself undid what it had booked."""
    return line.raw.get("RvslInd", "") in ("true", "1")


def _brought(case: PaymentAggregate, attempts: Sequence[Attempt], went: Money) -> Attempt | None:
    """The transfer that brought just that, of which nothing has gone back."""
    if case.payment.gone_minor or case.payment.disputes:
        return None
    return next(
        (
            one
            for one in attempts
            if one.status is AttemptStatus.SUCCEEDED
            and case.came(one) == went.minor
            and not went_back(one, case.modifications).minor
        ),
        None,
    )


def _left_unknown(case: PaymentAggregate, line: ReportLine) -> MatchResult:
    payment = case.payment
    words = f"{-line.amount} left the account with the reference of {payment.id}"
    if _is_reversal(line):
        words = f"the bank reversed {-line.amount} with the reference of {payment.id}"
    if not payment.captured.minor and not payment.unapplied_minor:
        words += ", for which nothing has come: find out at the bank what it was"
    else:
        words += ", and nothing says why: where it went back to the payer, kassa refund"
        words += f" {payment.id} --amount {-line.amount.major} books it, and kassa breaks match"
        words += " puts this line to it"
    return MatchResult(
        state=LineState.BREAK,
        problem=BreakClass.REFUND_MISSING,
        words=words,
        payment_id=payment.id,
        cause=payment.id,
    )
