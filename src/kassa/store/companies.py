"""Tenants and credentials: small tables, read through the use cases' short cache."""

from collections.abc import Mapping
from dataclasses import dataclass

from kassa.domain.lifecycle import CompanyStatus
from kassa.domain.principals import Company, Mode
from kassa.store.connection import Connection, Row
from kassa.store.resealing import resealed


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """`lookup`: its public half. `public_keys`: version or kid to PEM."""

    lookup: str
    company_id: str
    business_id: str
    kind: str
    name: str
    secret_hash: bytes | None
    public_keys: dict[str, str]
    status: str
    company_status: str
    company: Company


_NUMBERS = 0x6E756D62  # one company at a time gets its number
_COMPANY = "c.id, c.public_id, c.number, c.name, c.currency, c.business_id, c.mode, c.sandbox"


def _company(row: Row) -> Company:
    return Company(
        id=row["id"],
        public_id=row["public_id"],
        number=row["number"],
        name=row["name"],
        currency=row["currency"],
        business_id=row["business_id"],
        mode=Mode(row["mode"]),
        sandbox=row["sandbox"],
    )


def of_served_side(company_id: str, live: str) -> str:
    """The condition that a row is of a side that this installation serves. `company_id`: the
    column; `live`: the parameter that says whether it may take real money."""
    return (
        f"({live} or not exists (select from company served"
        f" where served.id = {company_id} and served.mode = 'live'))"
    )


async def find_credential(connection: Connection, lookup: str) -> Credential | None:
    row = await connection.fetchrow(
        "select k.lookup, k.company_id, k.business_id as key_business, k.kind, k.name as key_name,"
        f" k.secret_hash, k.public_keys, k.status, c.status as company_status, {_COMPANY}"
        " from credential k join company c on c.id = k.company_id where k.lookup = $1",
        lookup,
    )
    if row is None:
        return None
    return Credential(
        lookup=row["lookup"],
        company_id=row["company_id"],
        business_id=row["key_business"],
        kind=row["kind"],
        name=row["key_name"],
        secret_hash=row["secret_hash"],
        public_keys=row["public_keys"],
        status=row["status"],
        company_status=row["company_status"],
        company=_company(row),
    )


async def find_company(connection: Connection, company_id: str) -> Company | None:
    row = await connection.fetchrow(f"select {_COMPANY} from company c where c.id = $1", company_id)
    return _company(row) if row else None


async def find_company_by_number(connection: Connection, number: int) -> Company | None:
    row = await connection.fetchrow(f"select {_COMPANY} from company c where c.number = $1", number)
    return _company(row) if row else None


async def is_closed(connection: Connection, company_id: str) -> bool:
    status = await connection.fetchval("select status from company where id = $1", company_id)
    return bool(status == CompanyStatus.CLOSED)


async def sides_of(connection: Connection, public_id: str) -> list[Company]:
    """The sides of the company that callers know by that name; the older first."""
    rows = await connection.fetch(
        f"select {_COMPANY} from company c where c.public_id = $1 order by c.number", public_id
    )
    return [_company(row) for row in rows]


async def listed(connection: Connection) -> list[tuple[Company, str]]:
    """Every side of every company, with its status; the sides of one company together."""
    rows = await connection.fetch(
        f"select {_COMPANY}, c.status from company c"
        " order by min(c.number) over (partition by c.public_id), c.number"
    )
    return [(_company(row), row["status"]) for row in rows]


async def add_company(connection: Connection, company: Company) -> bool:
    """Store it unless its id is known; says whether it was new."""
    async with resealed(connection, "company", "t.id = $1", company.id):
        done = await connection.fetchval(
            "insert into company (id, public_id, number, name, currency, business_id, mode,"
            " sandbox) values ($1, $2, $3, $4, $5, $6, $7, $8)"
            " on conflict (id) do nothing returning true",
            company.id,
            company.public_id,
            company.number,
            company.name,
            company.currency,
            company.business_id,
            company.mode,
            company.sandbox,
        )
        return bool(done)


async def set_sandbox(connection: Connection, company_id: str, *, given: bool) -> bool:
    """Only a test side can be given it; False when there is no such test side."""
    async with resealed(connection, "company", "t.id = $1", company_id):
        done = await connection.fetchval(
            "update company set sandbox = $2 where id = $1 and mode = 'test' returning true",
            company_id,
            given,
        )
        return bool(done)


async def next_company_number(connection: Connection) -> int:
    """The next free number; callers hold the lock this takes until they commit."""
    await connection.execute("select pg_advisory_xact_lock($1)", _NUMBERS)
    number: int = await connection.fetchval("select coalesce(max(number), 0) + 1 from company")
    return number


async def set_company_status(connection: Connection, company_id: str, status: str) -> bool:
    async with resealed(connection, "company", "t.id = $1", company_id):
        done = await connection.fetchval(
            "update company set status = $2 where id = $1 returning true", company_id, status
        )
        return bool(done)


async def put_credential(
    connection: Connection,
    *,
    lookup: str,
    company: Company,
    kind: str,
    name: str,
    secret_hash: bytes | None = None,
    public_keys: Mapping[str, str] | None = None,
) -> None:
    """Store a credential, or replace the one of that name."""
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        await connection.execute(
            "insert into credential as t"
            " (lookup, company_id, business_id, kind, name, secret_hash, public_keys)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (lookup) do update"
            " set secret_hash = excluded.secret_hash, public_keys = excluded.public_keys",
            lookup,
            company.id,
            company.business_id,
            kind,
            name,
            secret_hash,
            dict(public_keys or {}),
        )


async def set_credential_status(connection: Connection, lookup: str, status: str) -> bool:
    async with resealed(connection, "credential", "t.lookup = $1", lookup):
        done = await connection.fetchval(
            "update credential set status = $2 where lookup = $1 returning true", lookup, status
        )
        return bool(done)
