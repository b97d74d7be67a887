"""Fee rules as they are kept, what was booked as a fee, and where that differs from the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows
from kassa.fees.domain.fees import FeeRule
from kassa.proof.store.resealing import resealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """What the rules expected of a method at a provider, and what is booked.

    `payments`: how many bear a fee or should; `known`: of how many the provider's figure is
    known. Where it is not, what is booked is what was expected.
    """

    company_id: str
    connector: str
    method: str
    expected: Money
    actual: Money
    payments: int
    known: int

    @property
    def difference(self) -> Money:
        """Positive: the provider took more than expected."""
        return self.actual - self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One payment whose fee is not the expected one."""

    company_id: str
    payment_id: str
    connector: str
    method: str
    expected: Money
    actual: Money

    @property
    def difference(self) -> Money:
        return self.actual - self.expected


class _Booked(NamedTuple):
    company_id: str
    payment_id: str
    cause: str
    minor: int


class Sql(
    Queries,
    readers=[
        reader(Variance, sums=["expected_minor", "actual_minor"]),
        reader(_Booked, sums=["minor"]),
    ],
):
    add_rule: Command
    rules: Rows[FeeRule]
    lock_rule: Rows[FeeRule]
    end_rule: Command
    booked: Rows[_Booked]
    variances: Rows[Variance]
    deviations: Rows[Deviation]


async def add_rule(connection: Connection, rule: FeeRule) -> None:
    async with resealed(
        connection, "fee_rule", "t.company_id = $1 and t.id = $2", rule.company_id, rule.id
    ):
        await Sql.add_rule.run(
            connection,
            rule.id,
            rule.company_id,
            rule.kind,
            rule.connector,
            rule.method,
            rule.currency,
            rule.rate_ppm,
            rule.fixed_minor,
            rule.valid_from,
            rule.valid_until,
        )


async def rules(connection: Connection, company_id: str) -> list[FeeRule]:
    """In the order in which a person looks for one."""
    return await Sql.rules.all(connection, company_id)


async def lock_rule(connection: Connection, company_id: str, rule_id: str) -> FeeRule | None:
    return await Sql.lock_rule.first(connection, company_id, rule_id)


async def end_rule(connection: Connection, company_id: str, rule_id: str, at: datetime) -> None:
    async with resealed(
        connection, "fee_rule", "t.company_id = $1 and t.id = $2", company_id, rule_id
    ):
        await Sql.end_rule.run(connection, company_id, rule_id, at)


async def booked(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """By (company, payment id, cause): the fee in the ledger, adjustments included, in minor
    units; as it counts against whoever bears it. Under the orders' locks."""
    rows = await Sql.booked.all(
        connection,
        sorted({company for company, _, _ in keys}),
        [payment for _, payment, _ in keys],
        [cause for _, _, cause in keys],
    )
    return {row[:3]: row.minor for row in rows}


async def variances(connection: Connection, company_id: str | None) -> list[Variance]:
    return await Sql.variances.all(connection, company_id)


async def deviations(connection: Connection, company_id: str | None, limit: int) -> list[Deviation]:
    """The payments that are furthest off in each currency, worst first."""
    return await Sql.deviations.all(connection, company_id, limit)
