"""Breaks: what reconciliation could not explain, owned by somebody until words close it."""

from dataclasses import dataclass

from kassa.base.domain.errors import IllegalTransition, InvalidRequest, NotFound
from kassa.base.domain.lifecycle import BreakClass, BreakStatus
from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.usecases.bounds import within
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.usecases import audit
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Posting, PostingKind
from kassa.payments.store import payments
from kassa.reconciliation.store import breaks as store
from kassa.reconciliation.store.breaks import Break

_LONGEST_WORDS = 2_000
_LONGEST_NAME = 100
_ACCOUNTS = frozenset(
    {
        ledger.CASH_ACCOUNT,
        ledger.TRANSIT_ACCOUNT,
        ledger.BANK_ACCOUNT,
        ledger.SURPLUS_ACCOUNT,
        ledger.UNAPPLIED_ACCOUNT,
        ledger.FEE_INCOME_ACCOUNT,
        ledger.FEE_EXPENSE_ACCOUNT,
        ledger.SUSPENSE_ACCOUNT,
    }
)
_FAMILIES = ("provider", "merchant")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """Move `amount` from `credit` to `debit`: two accounts of the ledger."""

    debit: str
    credit: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The break as it is now, and what was booked, or in a dry run would be."""

    item: Break
    posting: Posting | None


async def list_breaks(
    core: Core,
    company_id: str,
    *,
    with_resolved: bool = False,
    problem: str | None = None,
    owner: str | None = None,
    limit: int = 500,
) -> list[Break]:
    """The oldest first.

    Raises: InvalidRequest for a class that there is not.
    """
    if problem is not None and problem not in set(BreakClass):
        raise InvalidRequest(
            f"no class of breaks is called {problem!r}: there are {', '.join(BreakClass)}"
        )
    async with core.db.connection() as connection:
        return await store.listed(
            connection,
            company_id,
            with_resolved=with_resolved,
            problem=problem,
            owner=owner,
            limit=limit,
        )


async def get_break(core: Core, company_id: str, break_id: str) -> Break:
    """Raises: NotFound."""
    async with core.db.connection() as connection:
        return await _found(connection, company_id, break_id)


async def _found(connection: Connection, company_id: str, break_id: str) -> Break:
    found = None
    if break_id.isprintable():
        found = await store.by_id(connection, company_id, break_id)
    if found is None:
        raise NotFound(f"no such break: {break_id!r}; kassa breaks shows them")
    return found


async def assign_break(core: Core, company_id: str, break_id: str, owner: str) -> Break:
    """Give it to somebody; to nobody when `owner` is empty.

    Raises: NotFound, IllegalTransition, InvalidRequest.
    """
    if len(owner) > _LONGEST_NAME or not owner.isprintable():
        raise InvalidRequest(f"an owner is a name of at most {_LONGEST_NAME} characters")
    async with core.db.transaction() as connection:
        known = await _open_one(connection, company_id, break_id)
        await store.assign(connection, company_id, break_id, owner.strip())
        was, now = {"owner": known.owner}, {"owner": owner.strip()}
        await audit.note(
            core, connection, Act.BREAK_ASSIGNED, company_id, break_id, before=was, after=now
        )
        return await _found(connection, company_id, break_id)


async def resolve_break(
    core: Core,
    company_id: str,
    break_id: str,
    resolution: str,
    actor: str,
    adjustment: Adjustment | None = None,
    *,
    dry_run: bool = False,
) -> Resolved:
    """Close it with words and, where the books were wrong, with one new posting.

    What stands in the books stays: the adjustment is added, under the break's id as its cause.
    `dry_run`: nothing is changed; the posting is shown.
    Raises: NotFound, IllegalTransition, InvalidRequest.
    """
    words = resolution.replace("\x00", "").strip()
    if not words or len(words) > _LONGEST_WORDS:
        raise InvalidRequest(
            "closing a break takes words: why it is right now, in at most"
            f" {_LONGEST_WORDS} characters",
            field="resolution",
        )
    if adjustment is not None:
        _check(adjustment)
        within(core, adjustment.amount)
    async with core.db.transaction() as connection:
        item = await _open_one(connection, company_id, break_id)
        posting = None
        if adjustment is not None:
            posting = Posting(
                company_id=company_id,
                id=core.new_id("po"),
                kind=PostingKind.ADJUSTMENT,
                currency=adjustment.amount.currency,
                entries=ledger.move(adjustment.debit, adjustment.credit, adjustment.amount),
                payment_id=item.payment_id,
                cause=item.id,
                at=await payments.clock(connection),
            )
        if dry_run:
            return Resolved(item=item, posting=posting)
        if posting is not None:
            await payments.insert_postings(connection, [posting])
        await store.resolve(
            connection, company_id, break_id, words, actor, posting.id if posting else ""
        )
        said = {"posting": posting.id if posting else None, **_booked(adjustment)}
        await audit.note(
            core,
            connection,
            Act.BREAK_RESOLVED,
            company_id,
            break_id,
            before={"class": item.problem, "payment": item.payment_id},
            after=said,
            reason=words,
        )
        return Resolved(item=await _found(connection, company_id, break_id), posting=posting)


def _booked(adjustment: Adjustment | None) -> dict[str, str]:
    if adjustment is None:
        return {}
    moved = adjustment.debit, adjustment.credit, str(adjustment.amount)
    return dict(zip(("debit", "credit", "amount"), moved, strict=True))


async def _open_one(connection: Connection, company_id: str, break_id: str) -> Break:
    await _found(connection, company_id, break_id)
    await store.lock(connection, company_id, break_id)
    found = await _found(connection, company_id, break_id)
    if found.status != BreakStatus.OPEN:
        raise IllegalTransition(
            f"{break_id} was resolved by {found.resolved_by}: {found.resolution}",
            reason="break_resolved",
        )
    return found


def _check(adjustment: Adjustment) -> None:
    for name, account in (("debit", adjustment.debit), ("credit", adjustment.credit)):
        family, _, rest = account.partition(":")
        if account in _ACCOUNTS or (family in _FAMILIES and rest and account.isprintable()):
            continue
        if family == "wallet":
            raise InvalidRequest(
                "a wallet balance is not put right here: kassa wallet top-up books what is missing",
                field=name,
            )
        raise InvalidRequest(
            f"{account!r} is no account that can be put right: there are"
            f" {', '.join(sorted(_ACCOUNTS))}, provider:NAME and merchant:BUSINESS",
            field=name,
        )
    if adjustment.debit == adjustment.credit:
        raise InvalidRequest("money moves between two accounts, not within one", field="credit")
    if adjustment.amount.minor <= 0:
        raise InvalidRequest("an adjustment moves more than nothing", field="amount")
