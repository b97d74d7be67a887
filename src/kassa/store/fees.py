"""Fee rules as they are kept, what was booked as a fee, and where that differs from the rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kassa.domain.fees import FeeKind, FeeRule
from kassa.domain.ledger import PostingKind
from kassa.domain.money import Money
from kassa.store.connection import Connection, Row
from kassa.store.resealing import resealed
from kassa.store.rows import whole

_COLUMNS = (
    "id, company_id, kind, connector, method, currency, rate_ppm, fixed_minor, valid_from,"
    " valid_until"
)
_FEE_KINDS = f"('{PostingKind.FEE}', '{PostingKind.FEE_ADJUSTMENT}')"


def _read(row: Row) -> FeeRule:
    return FeeRule(**{**dict(row), "kind": FeeKind(row["kind"])})


async def add_rule(connection: Connection, rule: FeeRule) -> None:
    async with resealed(
        connection, "fee_rule", "t.company_id = $1 and t.id = $2", rule.company_id, rule.id
    ):
        await connection.execute(
            f"insert into fee_rule as t ({_COLUMNS})"
            " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
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
    rows = await connection.fetch(
        f"select {_COLUMNS} from fee_rule where company_id = $1"
        " order by kind, currency, connector, method, valid_from, id",
        company_id,
    )
    return [_read(row) for row in rows]


async def lock_rule(connection: Connection, company_id: str, rule_id: str) -> FeeRule | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from fee_rule where company_id = $1 and id = $2 for update",
        company_id,
        rule_id,
    )
    return _read(row) if row else None


async def end_rule(connection: Connection, company_id: str, rule_id: str, at: datetime) -> None:
    async with resealed(
        connection, "fee_rule", "t.company_id = $1 and t.id = $2", company_id, rule_id
    ):
        await connection.execute(
            "update fee_rule set valid_until = $3 where company_id = $1 and id = $2",
            company_id,
            rule_id,
            at,
        )


async def booked(
    connection: Connection, keys: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], int]:
    """By (company, payment id, cause): the fee in the ledger, adjustments included, in minor
    units; as it counts against whoever bears it. Under the orders' locks."""
    rows = await connection.fetch(
        "select g.company_id, g.payment_id, g.cause, sum(e.amount_minor)"
        " from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id"
        " where g.company_id = any($1) and g.payment_id = any($2) and g.payment_id <> ''"
        f" and g.cause = any($3) and g.kind in {_FEE_KINDS}"
        # The one leg of each that is not the payee's: it names who bears the fee.
        " and (e.account like 'merchant:%' or e.account = 'fee_expense') group by 1, 2, 3",
        sorted({company for company, _, _ in keys}),
        [payment for _, payment, _ in keys],
        [cause for _, _, cause in keys],
    )
    return {(row[0], row[1], row[2]): whole(row[3]) for row in rows}


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


async def variances(connection: Connection, company_id: str | None) -> list[Variance]:
    rows = await connection.fetch(
        "select p.company_id, p.connector, coalesce(p.method, ''), p.currency,"
        " sum(p.expected_fee_minor), sum(p.fee_minor), count(*),"
        " count(*) filter (where p.fee_known) from payment p"
        " where ($1::text is null or p.company_id = $1)"
        " and (p.fee_minor <> 0 or p.expected_fee_minor <> 0)"
        " group by 1, 2, 3, 4 order by 1, 2, 3, 4",
        company_id,
    )
    return [
        Variance(
            company_id=row[0],
            connector=row[1],
            method=row[2],
            expected=Money(whole(row[4]), row[3]),
            actual=Money(whole(row[5]), row[3]),
            payments=row[6],
            known=row[7],
        )
        for row in rows
    ]


async def deviations(connection: Connection, company_id: str | None, limit: int) -> list[Deviation]:
    """The payments that are furthest off in each currency, worst first."""
    rows = await connection.fetch(
        "select * from (select p.company_id, p.id, p.connector, coalesce(p.method, '') as method,"
        "  p.currency, p.expected_fee_minor, p.fee_minor, row_number() over (partition by"
        "   p.currency order by abs(p.fee_minor - p.expected_fee_minor) desc, p.id) as place"
        "  from payment p where ($1::text is null or p.company_id = $1)"
        "  and p.fee_minor <> p.expected_fee_minor) x where place <= $2 order by currency, place",
        company_id,
        limit,
    )
    return [
        Deviation(
            company_id=row[0],
            payment_id=row[1],
            connector=row[2],
            method=row[3],
            expected=Money(row[5], row[4]),
            actual=Money(row[6], row[4]),
        )
        for row in rows
    ]
