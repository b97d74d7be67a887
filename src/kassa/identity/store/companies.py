"""Tenants: a small table, read through the use cases' short cache."""

from collections.abc import Sequence
from typing import NamedTuple

from kassa.base.domain.lifecycle import CompanyStatus
from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Command, Queries, Rows, Value
from kassa.identity.domain.principals import Company
from kassa.proof.store.resealing import resealed

_NUMBERS = 0x6E756D62  # one company at a time gets its number


class ListedCompany(NamedTuple):
    company: Company
    status: str


class Sql(Queries, readers=[reader(ListedCompany, prefixes={"company": ""})]):
    find_company: Rows[Company]
    find_company_by_number: Rows[Company]
    status_of: Value[str]
    sides_of: Rows[Company]
    listed: Rows[ListedCompany]
    add_company: Value[bool]
    set_sandbox: Value[bool]
    hold_numbers: Command
    next_number: Value[int]
    set_company_status: Value[bool]


async def find_company(connection: Connection, company_id: str) -> Company | None:
    return await Sql.find_company.first(connection, company_id)


async def find_company_by_number(connection: Connection, number: int) -> Company | None:
    return await Sql.find_company_by_number.first(connection, number)


async def is_closed(connection: Connection, company_id: str) -> bool:
    return await Sql.status_of.first(connection, company_id) == CompanyStatus.CLOSED


async def sides_of(connection: Connection, public_id: str) -> list[Company]:
    """The sides of the company that callers know by that name; the older first."""
    return await Sql.sides_of.all(connection, public_id)


async def listed(connection: Connection) -> Sequence[ListedCompany]:
    """Every side of every company, with its status; the sides of one company together."""
    return await Sql.listed.all(connection)


async def add_company(connection: Connection, company: Company) -> bool:
    """Store it unless its id is known; says whether it was new."""
    async with resealed(connection, "company", "t.id = $1", company.id):
        done = await Sql.add_company.first(
            connection,
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
        return bool(await Sql.set_sandbox.first(connection, company_id, given))


async def next_company_number(connection: Connection) -> int:
    """The next free number; callers hold the lock this takes until they commit."""
    await Sql.hold_numbers.run(connection, _NUMBERS)
    return await Sql.next_number.one(connection)


async def set_company_status(connection: Connection, company_id: str, status: str) -> bool:
    async with resealed(connection, "company", "t.id = $1", company_id):
        return bool(await Sql.set_company_status.first(connection, company_id, status))
