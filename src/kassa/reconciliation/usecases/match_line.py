"""A person says which order's transfer a line of a bank's statement is."""

from kassa.base.domain.errors import IllegalTransition, InvalidRequest, NotFound
from kassa.base.domain.lifecycle import BreakStatus
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.usecases.change_payment import PaymentChange, WalletBalances, change_payment
from kassa.payments.usecases.find_payments import get_payment
from kassa.payments.usecases.record_payment import begin_transfer
from kassa.reconciliation.domain.matching import BANK, LineState
from kassa.reconciliation.domain.reports import ReportLine
from kassa.reconciliation.store import breaks
from kassa.reconciliation.store import reconciliation as store
from kassa.reconciliation.store.breaks import Break
from kassa.reconciliation.usecases import report_evidence as evidence
from kassa.reconciliation.usecases.breaks import get_break
from kassa.reconciliation.usecases.report_batch import BatchTurn
from kassa.reconciliation.usecases.report_pipeline import Run, one_batch


async def match_line(
    core: Core, company_id: str, break_id: str, payment_id: str, *, actor: str
) -> tuple[Break, Payment]:
    """Take the break's line for a transfer of that payment, as if its reference stood there; what
    is open about the line is closed. Twice is harmless.

    Raises: NotFound, InvalidRequest, IllegalTransition, UnsupportedOperation, InProgress.
    """
    item = await get_break(core, company_id, break_id)
    if item.status != BreakStatus.OPEN:
        raise IllegalTransition(
            f"{break_id} was resolved by {item.resolved_by}: {item.resolution}",
            reason="break_resolved",
        )
    if item.connector != BANK or not item.file_id or item.line is None:
        raise InvalidRequest("only a line of a bank's statement is matched with a transfer")
    place = await _place(core, item)
    async with core.db.connection() as connection:
        [row] = await store.lines_at(connection, company_id, item.file_id, [place])
        file = await store.find_by_id(connection, company_id, item.file_id)
    if row.state != LineState.MATCHED:
        if row.currency is None or file is None:
            raise InvalidRequest("the line could not be read, so nothing can be matched with it")
        line = row.as_line()
        attempt = await _transfer_of(core, company_id, payment_id, line, actor)
        run = Run(core, file, actor, tells_fees=False, dry_run=False, by_hand=actor)
        about = evidence.about(line, attempt.id)
        await one_batch(run, [(place, about)], BatchTurn.BREAKS)
    await _close(core, item, place, payment_id, actor)
    view = await get_payment(core, company_id, payment_id)
    return await get_break(core, company_id, break_id), view.payment


async def _place(core: Core, item: Break) -> int:
    async with core.db.connection() as connection:
        return await breaks.place_of(connection, item.company_id, item.id)


async def _transfer_of(
    core: Core, company_id: str, payment_id: str, line: ReportLine, actor: str
) -> Attempt:
    """The payment's transfer; one begins where nobody was told to make any, and it is owed."""
    found: list[Attempt] = []

    def decide(case: PaymentAggregate, _: WalletBalances | None) -> None:
        found.clear()
        currency = case.payment.amount.currency
        if line.amount.currency != currency:
            raise InvalidRequest(
                f"the line is of {line.amount}, and {case.payment.id} is in {currency}"
            )
        one = case.transfer
        if one is None:
            if line.amount.minor < 0:
                raise NotFound(f"nothing came by transfer for {case.payment.id}")
            one = begin_transfer(case, actor=actor, by_staff=True)
        found.append(one)

    change = PaymentChange(company_id=company_id, payment_id=payment_id, decide=decide)
    await change_payment(core, change)
    return found[0]


async def _close(core: Core, item: Break, place: int, payment_id: str, actor: str) -> None:
    async with core.db.transaction() as connection:
        [row] = await store.lines_at(connection, item.company_id, item.file_id, [place])
        if row.state != LineState.MATCHED:
            raise IllegalTransition(
                "the line still does not agree with what is booked: a refund has to be recorded"
                " first, in its amount (kassa refund)",
                reason="no_match",
            )
        await breaks.resolve_line(
            connection, item.company_id, item.file_id, place, f"matched with {payment_id}", actor
        )
        said = {"payment": payment_id}
        await audit.note(core, connection, Act.BREAK_MATCHED, item.company_id, item.id, after=said)
