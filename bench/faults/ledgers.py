"""What was acknowledged, what is stored, and what the providers hold, laid side by side."""

import asyncio
import sqlite3
import time
from contextlib import closing
from typing import Any

import asyncpg

from bench.faults.traffic import Seen
from bench.gateway import Gateway
from kassa.base.store.connection import Connection

_REST_SECONDS = 90.0
_OPEN = """
    select count(*) from (
      select 1 from attempt where status in ('dispatched', 'in_doubt')
      union all select 1 from modification where status in ('requested', 'processing')
      union all select 1 from provider_news where applied_at is null) open
"""
_ORDERS = "select id from orders where id = any($1)"
_PAID = "select id from payment where id = any($1) and status in ('captured', 'settled')"
_BOOKED = """
    select a.connector, a.id, count(*), sum(abs(e.amount_minor))::bigint
      from posting g
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
      join attempt a on a.company_id = g.company_id and a.id = g.cause
     where e.account = 'provider:' || a.connector and g.kind in ('capture', 'surplus')
     group by 1, 2
"""
_TAKEN = "SELECT key, count(*), sum(units) FROM takings GROUP BY key"
_MOVED = (
    "SELECT m.merchant, c.key, count(*), sum(m.amount_minor) FROM movements m JOIN charges c"
    " ON (c.provider, c.id) = (m.provider, m.charge_id) WHERE m.kind = 'charge' GROUP BY 1, 2"
)
_GUESSED = (
    "SELECT count(*) FROM calls WHERE path LIKE '%guess%' OR reference LIKE '%guess%'"
    " OR path LIKE '%nobody%'"
)
Books = dict[tuple[str, str], tuple[int, int]]


async def lost(gateway: Gateway, seen: list[Seen]) -> list[str]:
    """What was acknowledged and is not stored, or is stored otherwise than the providers say; after
    all that was under way has come to rest."""
    connection = await asyncpg.connect(gateway.database_urls["owner_url"])
    try:
        until = time.monotonic() + _REST_SECONDS
        while (left := await connection.fetchval(_OPEN)) and time.monotonic() < until:
            await asyncio.sleep(0.5)
        found = [f"{left} are still undecided"] if left else []
        orders = [name for one in seen for name in one.orders]
        found += await _missing(connection, _ORDERS, orders, "order")
        paid = [name for one in seen for name in (*one.wallet, *one.cards)]
        found += await _missing(connection, _PAID, paid, "payment")
        ours = {(row[0], row[1]): (row[2], row[3]) for row in await connection.fetch(_BOOKED)}
    finally:
        await connection.close()
    theirs = _held(gateway)
    return found + [
        f"{account} {key}: the provider took {theirs.get((account, key))},"
        f" the ledger has {ours.get((account, key))}"
        for account, key in sorted(theirs.keys() | ours.keys())
        if theirs.get((account, key)) != ours.get((account, key))
    ]


async def _missing(connection: Connection, query: str, names: list[str], what: str) -> list[str]:
    there = {row[0] for row in await connection.fetch(query, names)}
    return [f"{what} {name} was acknowledged" for name in names if name not in there]


def _held(gateway: Gateway) -> Books:
    """What the sandbox and the simulated providers took, how often and how much."""
    found: Books = {}
    for key, times, units in _rows(gateway, "sandbox/books.sqlite3", _TAKEN):
        found["sandbox", key] = (times, units)
    for account, key, times, minor in _rows(gateway, "simulator/simulator.sqlite", _MOVED):
        found[account, key] = (times, minor)
    return found


def guessed(gateway: Gateway) -> int:
    """Calls that providers got about what strangers made up."""
    return int(_rows(gateway, "simulator/simulator.sqlite", _GUESSED)[0][0])


def _rows(gateway: Gateway, file: str, query: str) -> list[Any]:
    path = gateway.data_dir / file
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as books:
        return books.execute(query).fetchall()
