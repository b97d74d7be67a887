"""Settlements: gather what moved at each provider account, and follow its payout to the bank."""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime

import structlog

from kassa.base.domain.errors import (
    AmbiguousCommit,
    AmountTooLarge,
    IllegalTransition,
    InProgress,
    InvalidRequest,
    NotFound,
    ProviderUnavailable,
)
from kassa.base.domain.lifecycle import PayoutStatus, SettlementStatus
from kassa.base.domain.money import LARGEST_SUM, Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act, Deed
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.ledger.domain.ledger import Entry, Posting, PostingKind
from kassa.payments.store import payments
from kassa.settlement.domain.settlements import (
    Line,
    PaymentShare,
    PayoutTry,
    Settlement,
    Sums,
    check_reference,
)
from kassa.settlement.store import payouts
from kassa.settlement.store import settlements as store

_log = structlog.get_logger("kassa.settlements")
_PAGE = 5_000
_MOST_LISTED = 1_000
_START = ("", 0)


async def close_settlements(
    core: Core, company_id: str | None = None, until: datetime | None = None
) -> list[Settlement]:
    """Gather what moved, from before `until`, and close a settlement for each account.

    Each account is a transaction of its own: one that cannot be closed is told of and left, and
    the others go on. An account where nothing moved is left alone, so that running it again, or
    twice at once, is harmless. A payment that commits meanwhile waits for the next one.
    Raises: NotFound; for one company also what its last account that failed raised.
    """
    if company_id is not None:
        await _known(core, company_id)
    async with core.db.connection(long=True) as connection:
        wanted = [company_id] if company_id else await store.companies_waiting(connection)
        accounts = await store.accounts_waiting(connection, wanted, until)
    closed: list[Settlement] = []
    failure: Exception | None = None
    for account in accounts:
        try:
            closed += await _close(core, account, until)
        except (ProviderUnavailable, InProgress, AmbiguousCommit):
            raise  # of the database, and so of every account
        except Exception as error:  # noqa: BLE001 - one account's trouble is not the others'
            _log.exception("settlement stays open", company=account[0], account=account[1])
            failure = error
    if failure is not None and company_id is not None:
        raise failure
    return closed


async def _close(
    core: Core, account: tuple[str, str, str], until: datetime | None
) -> list[Settlement]:
    async with core.db.transaction(long=True) as connection:
        await store.lock(connection, [account[0]])
        now = await payments.clock(connection)
        accounts = await store.accounts_waiting(connection, [account[0]], until)
        accounts = [one for one in accounts if one == account]
        ready = await _open_for(core, connection, accounts, now)
        sums = await store.gather(connection, ready, until)
        closed = [one.close(sums.get(one.id, Sums()), at=now) for one in ready]
        for one in closed:
            _refuse_too_large(one)
        await store.save(connection, closed)
        await store.add(connection, [_next(core, one, now) for one in closed])
        await audit.write(core, connection, [_closed(one) for one in closed])
    return closed


def _closed(one: Settlement) -> Deed:
    said = {"number": one.number, "status": one.status, "net": str(one.net)}
    return audit.deed(Act.SETTLEMENT_CLOSED, one.company_id, one.id, after=said)


def _refuse_too_large(settlement: Settlement) -> None:
    """Raises: AmountTooLarge; then nothing is gathered."""
    largest = max(abs(minor) for minor in (*astuple(settlement.sums), settlement.net.minor))
    if largest > LARGEST_SUM:
        raise AmountTooLarge(
            f"what waits at {settlement.connector} comes to {settlement.net}, and no settlement is"
            f" of more than {Money(LARGEST_SUM, settlement.currency)}: settle it in parts,"
            " with an earlier end",
            reason="amount_out_of_range",
        )


async def _known(core: Core, company_id: str) -> None:
    async with core.db.connection(long=True) as connection:
        printable = company_id.isprintable()
        if not printable or await companies.find_company(connection, company_id) is None:
            raise NotFound(f"no such company: {company_id!r}")


async def _open_for(
    core: Core, connection: Connection, accounts: Sequence[tuple[str, str, str]], now: datetime
) -> list[Settlement]:
    """The open settlement of each account, made where there is none."""
    known = {
        (one.company_id, one.connector, one.currency): one
        for one in await store.open_ones(connection, sorted({company for company, *_ in accounts}))
    }
    missing = [
        Settlement(
            company_id=company,
            id=core.new_id("st"),
            number=0,
            connector=connector,
            currency=currency,
            opened_at=now,
        )
        for company, connector, currency in accounts
        if (company, connector, currency) not in known
    ]
    for made in await store.add(connection, missing):
        known[made.company_id, made.connector, made.currency] = made
    return [known[account] for account in accounts]


def _next(core: Core, closed: Settlement, now: datetime) -> Settlement:
    """The one that is open after it, beginning with what it came to below zero."""
    carried = closed.net.minor if closed.status is SettlementStatus.CARRIED else 0
    return Settlement(
        company_id=closed.company_id,
        id=core.new_id("st"),
        number=0,
        connector=closed.connector,
        currency=closed.currency,
        carried_over_minor=carried,
        opened_at=now,
    )


async def record_payout(
    core: Core,
    company_id: str,
    settlement_id: str,
    payout_reference: str,
    paid_at: datetime | None = None,
) -> Settlement:
    """The payout has arrived at the bank: one posting, once for each reference.

    Raises: NotFound, IllegalTransition, InvalidRequest.
    """
    async with core.db.transaction(long=True) as connection:
        paid = await mark_paid(
            core, connection, company_id, settlement_id, payout_reference, paid_at
        )
        said = {"payout": payout_reference, "net": str(paid.net)}
        await audit.note(core, connection, Act.PAYOUT_RECORDED, company_id, paid.id, after=said)
        return paid


async def mark_paid(
    core: Core,
    connection: Connection,
    company_id: str,
    settlement_id: str,
    payout_reference: str,
    paid_at: datetime | None = None,
) -> Settlement:
    """`record_payout` within a transaction of the caller's, as for a line of a bank statement.

    Raises: NotFound, IllegalTransition, InvalidRequest.
    """
    check_reference(payout_reference)
    old = await _locked(connection, company_id, settlement_id)
    if old.status is SettlementStatus.PAID and old.payout_reference == payout_reference:
        return old
    now = await payments.clock(connection)
    paid = old.pay(payout_reference, at=paid_at or now)
    other = await store.find_by_payout(
        connection, company_id, payout_reference, connector=old.connector, currency=old.currency
    )
    if other is not None and other.id != old.id:
        raise IllegalTransition(
            f"{payout_reference} is the payout of settlement {other.number} ({other.id}) already",
            reason="payout_reference_used",
        )
    tries = await _keep_first(core, connection, old)
    await store.save(connection, [paid])
    posting = await _post(core, connection, paid, PostingKind.PAYOUT, paid.payout_entries(), now)
    if posting:
        made = _try_of(core, paid, len(tries) + 1, paid.paid_at or now)
        await payouts.add(connection, replace(made, posting_id=posting))
    return paid


def _try_of(core: Core, settlement: Settlement, number: int, at: datetime) -> PayoutTry:
    return PayoutTry(
        company_id=settlement.company_id,
        id=core.new_id("pt"),
        settlement_id=settlement.id,
        number=number,
        reference=settlement.payout_reference,
        amount=settlement.net,
        status=PayoutStatus.PAID,
        begun_at=at,
    )


async def fail_payout(core: Core, company_id: str, settlement_id: str, why: str = "") -> Settlement:
    """The payout did not arrive, or the bank sent it back: what was booked for it is reversed.

    Asked again, nothing more happens. A later payout is recorded as the first one was.
    Raises: NotFound, IllegalTransition.
    """
    async with core.db.transaction(long=True) as connection:
        failed = await mark_failed(core, connection, company_id, settlement_id, why)
        said = {"payout": failed.payout_reference, "net": str(failed.net)}
        await audit.note(
            core, connection, Act.PAYOUT_FAILED, company_id, failed.id, after=said, reason=why
        )
        return failed


async def mark_failed(
    core: Core, connection: Connection, company_id: str, settlement_id: str, why: str = ""
) -> Settlement:
    """`fail_payout` within a transaction of the caller's. `why`: who says so, and in which words.

    Raises: NotFound, IllegalTransition.
    """
    old = await _locked(connection, company_id, settlement_id)
    if old.status is SettlementStatus.FAILED:
        return old
    failed = old.fail()
    await store.save(connection, [failed])
    now = await payments.clock(connection)
    back = ""
    if old.status is SettlementStatus.PAID:
        entries = failed.return_entries()
        back = await _post(core, connection, failed, PostingKind.PAYOUT_RETURN, entries, now)
    tries = await payouts.of_settlement(connection, company_id, failed.id)
    if tries and tries[-1].status is PayoutStatus.PAID:
        await payouts.end(connection, tries[-1].end(now, returned_by=back, why=why))
    elif failed.net.minor:  # it never arrived; or it was paid before its tries were kept
        made = _try_of(core, failed, len(tries) + 1, old.paid_at or now)
        await payouts.add(connection, made.end(now, returned_by=back, why=why))
    return failed


async def _keep_first(core: Core, connection: Connection, failed: Settlement) -> list[PayoutTry]:
    """The tries of one whose payout came back before its tries were kept, with the one it had."""
    tries = await payouts.of_settlement(connection, failed.company_id, failed.id)
    if tries or failed.status is not SettlementStatus.FAILED:
        return tries
    booked = await store.postings_of_cause(connection, failed.company_id, failed.id)
    back = [one for one in booked if one.kind == PostingKind.PAYOUT_RETURN]
    at = back[-1].at if back else await payments.clock(connection)
    made = _try_of(core, failed, 1, at).end(at, returned_by=back[-1].id if back else "", why="")
    await payouts.add(connection, made)
    return [made]


async def take_failed_payout(
    core: Core, company_id: str, connector: str, references: Sequence[str], why: str
) -> bool:
    """A provider told that this payout did not arrive or went back. Told again, or late, of a try
    that has ended, it changes nothing. False where no settlement has such a payout."""
    async with core.db.transaction(long=True) as connection:
        await store.lock(connection, [company_id])
        found = await store.find_by_payouts(connection, company_id, references, connector=connector)
        if len(found) != 1:
            return False
        await mark_named_failed(core, connection, found[0], references, why)
    return True


async def mark_named_failed(
    core: Core, connection: Connection, found: Settlement, references: Collection[str], why: str
) -> None:
    """`mark_failed`, of the try that one of these references names. Where that very try has ended
    nothing happens: a later one is another."""
    tries = await payouts.of_settlement(connection, found.company_id, found.id)
    named = [each for each in tries if each.reference in references]
    is_over = bool(named) and all(each.status is not PayoutStatus.PAID for each in named)
    if not is_over and found.status in (SettlementStatus.PAID, SettlementStatus.CLOSED):
        await mark_failed(core, connection, found.company_id, found.id, why)


async def expect_again(
    core: Core, connection: Connection, settlement: Settlement, reference: str
) -> Settlement:
    """The provider says under which reference it pays out once more what had come back."""
    await _keep_first(core, connection, settlement)
    renamed = replace(settlement, payout_reference=check_reference(reference))
    await store.save(connection, [renamed])
    return renamed


async def _locked(connection: Connection, company_id: str, settlement_id: str) -> Settlement:
    if not (company_id + settlement_id).isprintable():
        raise NotFound("no such settlement")
    await store.lock(connection, [company_id])
    found = await store.find(connection, company_id, settlement_id)
    if found is None:
        raise NotFound(f"no such settlement: {settlement_id!r}; kassa settlement list shows them")
    return found


async def _post(
    core: Core,
    connection: Connection,
    settlement: Settlement,
    kind: PostingKind,
    entries: tuple[Entry, ...],
    at: datetime,
) -> str:
    """The posting's id; "" where nothing moves."""
    if not entries:
        return ""
    posting = Posting(
        company_id=settlement.company_id,
        id=core.new_id("po"),
        kind=kind,
        currency=settlement.currency,
        entries=entries,
        payment_id="",
        cause=settlement.id,
        at=at,
    )
    await payments.insert_postings(connection, [posting])
    return posting.id


async def list_settlements(
    core: Core,
    company_id: str | None = None,
    *,
    status: SettlementStatus | None = None,
    limit: int = 100,
) -> list[Settlement]:
    """The open ones, with what waits for them, then the newest first.

    Where movements wait and no settlement is open yet, one is shown that has no id and number 0.
    Raises: InvalidRequest.
    """
    if not 1 <= limit <= _MOST_LISTED:
        raise InvalidRequest(f"limit must be 1 to {_MOST_LISTED}, got {limit}")
    if not (company_id or "").isprintable():
        return []
    async with core.db.connection(long=True) as connection:
        found = await store.listed(connection, company_id, status and status.value, limit)
        if status not in (None, SettlementStatus.OPEN):
            return found
        sums = await store.waiting(connection, company_id)
        now = await payments.clock(connection)
    shown = [_with_waiting(one, sums) for one in found]
    begun = [
        Settlement(
            company_id=company,
            id="",
            number=0,
            connector=connector,
            currency=currency,
            sums=waiting,
            opened_at=now,
        )
        for (company, connector, currency), waiting in sorted(sums.items())
    ]
    return [*begun, *shown][:limit]


def _with_waiting(one: Settlement, sums: dict[tuple[str, str, str], Sums]) -> Settlement:
    if one.status is not SettlementStatus.OPEN:
        return one
    waiting = sums.pop((one.company_id, one.connector, one.currency), Sums())
    return replace(one, sums=waiting)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementStatement:
    """A settlement with what was booked for its payouts: (posting id, kind, time) each; and each
    try of its payout."""

    settlement: Settlement
    payouts: Sequence[tuple[str, str, datetime]]
    tries: Sequence[PayoutTry]


async def get_settlement(core: Core, company_id: str, name: str) -> SettlementStatement:
    """By its id, or by its number; an open one with what waits for it. Its lines are
    `settlement_lines`.

    Raises: NotFound.
    """
    if not (company_id + name).isprintable():
        raise NotFound("no such settlement")
    async with core.db.connection(long=True) as connection:
        found = await store.find(connection, company_id, name)
        if found is None:
            raise NotFound(f"no such settlement: {name!r}; kassa settlement list shows them")
        if found.status is SettlementStatus.OPEN:
            found = _with_waiting(found, await store.waiting(connection, company_id))
        booked = await store.postings_of_cause(connection, company_id, found.id)
        tries = await payouts.of_settlement(connection, company_id, found.id)
    return SettlementStatement(settlement=found, payouts=booked, tries=tries)


async def settlement_lines(core: Core, settlement: Settlement) -> AsyncIterator[Line]:
    """All its lines, oldest first, a page at a time: there may be a million."""
    after = _START
    while True:
        async with core.db.connection(long=True) as connection:
            page = await store.lines(connection, settlement, after, _PAGE)
        for line in page:
            yield line
        if len(page) < _PAGE:
            return
        after = (page[-1].posting_id, page[-1].leg)


async def settlement_of_payments(
    core: Core, company_id: str, payment_ids: Sequence[str]
) -> list[PaymentShare]:
    """Each payment's part of each settlement that it is in, the oldest first.

    A payment that was refunded after its payout is in two; one that still waits is in none.
    """
    asked = [one for one in payment_ids if one.isprintable()]
    async with core.db.connection(long=True) as connection:
        rows = await store.lines_of_payments(connection, company_id, asked)
    lines: dict[tuple[str, str], list[Line]] = {}
    found: dict[str, Settlement] = {}
    for line, settlement in rows:
        if settlement is not None:
            found[settlement.id] = settlement
            lines.setdefault((line.payment_id, settlement.id), []).append(line)
    shares = [
        PaymentShare(payment_id=payment_id, settlement=found[settlement_id], lines=tuple(its))
        for (payment_id, settlement_id), its in lines.items()
    ]
    return sorted(shares, key=lambda share: (share.payment_id, share.settlement.number))
