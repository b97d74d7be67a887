"""What the ledger says of charges at one provider account, to be laid beside its own figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows, Value
from kassa.reconciliation.domain.matching import ledger_account


@dataclass(frozen=True, slots=True)
class ChargeOwner:
    """An attempt, by its id and what the provider calls it."""

    attempt_id: str
    payment_id: str
    reference: str


@dataclass(frozen=True, slots=True)
class MadeCharge:
    """An attempt that took money."""

    attempt_id: str
    payment_id: str
    reference: str
    amount_minor: int
    currency: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class LedgerFigures:
    """Of one attempt at the account, in one currency."""

    attempt_id: str
    payment_id: str
    currency: str
    captured_minor: int
    refunded_minor: int
    disputed_minor: int
    is_busy: bool


class Sql(
    Queries,
    readers=[reader(LedgerFigures, sums=["captured_minor", "refunded_minor", "disputed_minor"])],
):
    owners: Rows[ChargeOwner]
    made: Rows[MadeCharge]
    figures: Rows[LedgerFigures]
    known_disputes: Value[str]


async def owners(
    connection: Connection,
    company_id: str,
    account: str,
    keys: Sequence[str],
    references: Sequence[str],
) -> list[ChargeOwner]:
    return await Sql.owners.all(connection, company_id, account, list(keys), list(references))


async def made(
    connection: Connection,
    company_id: str,
    account: str,
    between: tuple[str, str],
    after: str,
    limit: int,
) -> list[MadeCharge]:
    """`between`: ids of payments; `after`: the attempt that was read last."""
    return await Sql.made.all(connection, company_id, account, *between, after, limit)


async def figures(
    connection: Connection,
    company_id: str,
    account: str,
    attempt_ids: Sequence[str],
    quiet_since: datetime,
) -> list[LedgerFigures]:
    return await Sql.figures.all(
        connection, company_id, account, ledger_account(account), list(attempt_ids), quiet_since
    )


async def known_disputes(
    connection: Connection, company_id: str, account: str, references: Sequence[str]
) -> list[str]:
    """Those of which something is known."""
    return await Sql.known_disputes.all(connection, company_id, account, list(references))
