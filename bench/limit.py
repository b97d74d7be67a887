"""The limit: pgbench writing the rows of one order creation in one transaction after another.

What it writes are the rows that the gateway wrote for a real order, with new ids, into a company
of its own, through the same role, in the same tables: every column, index and constraint counts.
"""

import asyncio
import re
import resource
import subprocess
import tempfile
import time
from array import array
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from bench.gateway import Gateway
from bench.load import Timed, summarize
from kassa.base.usecases.ids import new_id
from kassa_embedded import place

CLIENTS = 16
_THREADS = 2
_COMPANY = "cmp_limit"
_TABLES = {"orders": "face = 'orders'", "payment": "true", "payment_event": "seq = 1"}
_LATER = "now() + interval '30 days'"


def prepare(gateway: Gateway) -> None:
    """Make the company that the rows belong to."""
    asyncio.run(_make_company(gateway.database_urls["owner_url"]))


def measure(gateway: Gateway, seconds: float, *, in_one_statement: bool) -> Timed:
    """Transactions per second of 16 clients with prepared statements.

    `in_one_statement`: one round trip writes and commits; else BEGIN, three INSERTs and COMMIT.
    """
    rows = asyncio.run(_rows_of_an_order(gateway.database_urls["owner_url"]))
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as place:
        script = Path(place) / "create.sql"
        script.write_text(_script(rows, in_one_statement))
        return _run(gateway, script, seconds)


async def _make_company(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "insert into company (id, public_id, number, name, currency, business_id, mode)"
        " values ($1, $1, 999999, 'The limit', 'CNY', 'biz_limit', 'test') on conflict do nothing",
        _COMPANY,
    )
    await connection.close()


async def _rows_of_an_order(url: str) -> dict[str, dict[str, str | None]]:
    connection = await asyncpg.connect(url)
    rows = {}
    for table, condition in _TABLES.items():
        found = await connection.fetch(
            f"select j.key, j.value from (select * from {table} where {condition} limit 1) as t,"
            " jsonb_each_text(to_jsonb(t)) as j"
        )
        rows[table] = {row["key"]: row["value"] for row in found}
    await connection.close()
    return rows


def _script(rows: dict[str, dict[str, str | None]], in_one_statement: bool) -> str:
    order, payment, event = _inserts(rows)
    head = (
        f"\\set n :n + 1\n\\set key :n * {CLIENTS} + :client_id\n"
        "\\set chance random(0, 9223372036854775806)\n"
    )
    if in_one_statement:
        return f"{head}with o as ({order}), p as ({payment}) {event};\n"
    return f"{head}begin;\n{order};\n{payment};\n{event};\ncommit;\n"


def _inserts(rows: dict[str, dict[str, str | None]]) -> list[str]:
    """One INSERT a table; ids grow with time as the gateway's own do."""
    now = new_id("")[1:11]  # its ten characters of milliseconds
    tail = "lpad(:key::text, 16, '0')"
    order_id, payment_id = f"'order_{now}' || {tail}", f"'py_{now}' || {tail}"
    instants = {"created_at": "now()", "updated_at": "now()", "expires_at": _LATER}
    shared = {"company_id": f"'{_COMPANY}'", "business_id": "'biz_limit'", **instants}
    fresh = {
        "orders": {
            **shared,
            "id": order_id,
            "session_token": f"'sess_f423fz{now}' || md5(:chance::text)",
            "fingerprint": "md5(:chance::text) || md5(:key::text)",
        },
        "payment": {**shared, "id": payment_id, "order_id": order_id},
        "payment_event": {
            "company_id": f"'{_COMPANY}'",
            "payment_id": payment_id,
            "evidence": f'(\'{{"face": "orders", "order": "\' || {order_id} || \'"}}\')::jsonb',
            "at": "now()",
        },
    }
    made = []
    for table, row in rows.items():
        values = {name: _quoted(value) for name, value in row.items()} | fresh[table]
        made.append(
            f"insert into {table} ({', '.join(values)}) values ({', '.join(values.values())})"
        )
    return made


def _quoted(value: str | None) -> str:
    if value is None:
        return "null"
    # A colon before a name would be one of pgbench's variables.
    plain = value.replace("\\", "\\\\").replace("'", "''").replace(":", "\\x3a")
    return f"E'{plain}'"


def _run(gateway: Gateway, script: Path, seconds: float) -> Timed:
    address = urlsplit(gateway.database_urls["app_url"])
    where = parse_qs(address.query)
    prefix = script.with_name("pgbench")
    began, used_before = time.monotonic(), _children_cpu_us()
    done = subprocess.run(
        [
            str(place.find_binaries(None) / "pgbench"),
            *("--no-vacuum", "--protocol=prepared", f"--file={script}", "--define=n=0"),
            *(f"--client={CLIENTS}", f"--jobs={_THREADS}", f"--time={max(1, round(seconds))}"),
            *("--log", f"--log-prefix={prefix}"),
            *(f"--host={where['host'][0]}", f"--port={where['port'][0]}"),
            f"--username={address.username}",
            address.path[1:],
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=script.parent,
    )
    rate = re.search(r"^tps = ([0-9.]+) ", done.stdout, re.MULTILINE)
    failed = re.search(r"^number of failed transactions: (\d+)", done.stdout, re.MULTILINE)
    if done.returncode != 0 or rate is None or failed is None:
        raise RuntimeError(f"pgbench: {done.stderr.strip()[-500:]}")
    latencies_us = array("Q")
    for log in script.parent.glob("pgbench.*"):
        # client, transaction, microseconds, script, epoch, microseconds of the epoch
        latencies_us.extend(int(line.split(" ", 3)[2]) for line in log.open())
    errors = {"failed": int(failed[1])} if int(failed[1]) else {}
    timed = summarize(latencies_us, time.monotonic() - began, errors, len(latencies_us))
    timed.per_s = round(float(rate[1]), 1)
    timed.load_cpu_us = _children_cpu_us() - used_before
    return timed


def _children_cpu_us() -> int:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return int((used.ru_utime + used.ru_stime) * 1_000_000)
