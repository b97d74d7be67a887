"""Whatever a list is narrowed by, and however deep it is: by an index, and not much more than its
page, in the plan that is made for anybody as in the one for its very values."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from tests.shop import Shop

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases.ids import lowest_id
from kassa.payments.domain.payments import PaymentFilter
from kassa.payments.usecases.find_payments import (
    changes_since,
    get_summary,
    list_changes,
    list_payments,
)

pytestmark = pytest.mark.anyio

MANY = 200_000
PAGE = 20
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
# Of each of nine statuses as many as the page has, and the page with its orders.
MOST_READ = (len(PaymentStatus) + 2) * (PAGE + 1)
MOST_LINKS = 2 * 500
_LARGE = {"payment", "orders", "chain_link", "chain_block"}

# One in five thousand has the rare status, one in a thousand is of the rare business, and a few of
# those have both. Nothing is looked at but the columns that lists are narrowed by.
_FILL = """
create temporary table made (n bigint, tail text, at timestamptz);
insert into made select n, tail, timestamptz '2026-01-01Z' + n * interval '1 second'
  from tails;
insert into orders ({orders})
  select {of_orders} from made m, (select * from orders limit 1) t;
insert into payment ({payment})
  select {of_payment} from made m, (select * from payment limit 1) t;
insert into chain_link (company_id, seq, kind, key, number, digest)
  select company_id, 1000 + row_number() over (order by id), 'event', id, 1, '' from payment;
insert into chain_block (company_id, seq, first_link, last_link, at, root, hash)
  select min(company_id), 1000 + seq / 1000, min(seq), max(seq),
    timestamptz '2026-01-01Z' + min(seq) * interval '1 second', '', ''
  from chain_link where seq > 1000 group by seq / 1000;
analyze;
"""
_TAIL = "m.tail || lpad(m.n::text, 16, '0')"
_OF_ORDERS = {
    "id": f"'order_' || {_TAIL}",
    "session_token": f"'sess_1z' || {_TAIL}",
    "request_id": "null",
}
_OF_PAYMENT = {
    "id": f"'py_' || {_TAIL}",
    "order_id": f"'order_' || {_TAIL}",
    "business_id": "case when m.n % 1000 = 7 then 'biz_rare' when m.n % 3 = 0 then 'biz_other'"
    " else 'biz_one' end",
    "status": "case when m.n % 5000 in (7, 11) then 'expired' when m.n % 2 = 0 then 'created'"
    " else 'canceled' end",
    "created_at": "m.at",
    "number": "null",
}


async def _columns(owner: Any, home: str, own: dict[str, str]) -> tuple[str, str]:
    """A table's columns, and their values: its own, or as the one row there is has them."""
    rows = await owner.fetch(
        "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0"
        " and not attisdropped and attgenerated = ''",
        home,
    )
    names = [row["attname"] for row in rows]
    return ", ".join(names), ", ".join(own.get(name, f"t.{name}") for name in names)


async def _fill(owner: Any) -> None:
    tails = [
        (n, lowest_id("", int((FIRST + timedelta(seconds=n)).timestamp() * 1000))[1:])
        for n in range(MANY)
    ]
    await owner.execute("create temporary table tails (n bigint, tail text)")
    await owner.copy_records_to_table("tails", records=tails)
    orders, of_orders = await _columns(owner, "orders", _OF_ORDERS)
    payment, of_payment = await _columns(owner, "payment", _OF_PAYMENT)
    await owner.execute("set session_replication_role = replica")
    await owner.execute(
        _FILL.format(orders=orders, of_orders=of_orders, payment=payment, of_payment=of_payment)
    )


@dataclass
class Plans:
    """Explains what a connection asks, as the owner of the tables."""

    owner: Any
    asked: list[Any]

    async def read(self) -> list[tuple[str, set[str], float]]:
        """Of each statement about payments that was asked since, and each way to plan it: which
        large tables it reads from end to end, and how many rows it reads."""
        found = []
        for one in self.asked:
            if not one.query.startswith("-- summaries."):
                continue
            await self.owner.execute(f"prepare it as {one.query}")
            values = ", ".join(await self._literals(one.args))
            for way in ("force_generic_plan", "force_custom_plan"):
                await self.owner.execute(f"set plan_cache_mode = {way}")
                [row] = await self.owner.fetch(
                    f"explain (analyze, format json) execute it({values})"
                )
                nodes = list(_nodes(json.loads(row[0])[0]["Plan"]))
                scans = {one["Relation Name"] for one in nodes if one["Node Type"] == "Seq Scan"}
                whole = scans & _LARGE
                name = one.query.splitlines()[0]
                found.append((f"{name} {way}", whole, sum(map(_rows_read, nodes))))
            await self.owner.execute("deallocate it")
        self.asked.clear()
        return found

    async def _literals(self, values: Sequence[Any]) -> list[str]:
        return [await self._literal(value) for value in values]

    async def _literal(self, value: Any) -> str:
        if isinstance(value, list):
            return f"array[{', '.join(await self._literals(value))}]::text[]"
        if value is None or isinstance(value, int):
            return "null" if value is None else str(value)
        text: str = await self.owner.fetchval("select quote_literal($1::text)", str(value))
        return text


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def _rows_read(node: dict[str, Any]) -> float:  # counts, not money
    if "Relation Name" not in node:
        return 0
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return node["Actual Loops"] * (node["Actual Rows"] + removed)


async def _plans(shop: Shop) -> Plans:
    """Of what the shop's connections ask; one is enough, since nothing here is asked at once."""
    asked: list[Any] = []
    async with shop.core.db.connection() as connection:
        connection.add_query_logger(asked.append)
    return Plans(await asyncpg.connect(shop.owner_url), asked)


def _wanted(deep: datetime) -> list[PaymentFilter]:
    """Each filter alone, and all of them together in all ways."""
    statuses: list[Sequence[PaymentStatus]] = [
        (),
        [PaymentStatus.EXPIRED],
        [PaymentStatus.FAILED],
        [PaymentStatus.CREATED, PaymentStatus.EXPIRED],
    ]
    businesses: list[Sequence[str]] = [(), ["biz_one"], ["biz_rare"], ["biz_rare", "biz_none"]]
    times = [
        (None, None),
        (deep, None),
        (None, deep),
        (deep - timedelta(hours=1), deep),
        (FIRST - timedelta(days=9), FIRST - timedelta(days=1)),
    ]
    return [
        PaymentFilter(statuses=status, business_ids=business, created_from=start, created_until=end)
        for status, business, (start, end) in itertools.product(statuses, businesses, times)
    ]


async def test_no_filter_and_no_depth_makes_a_list_read_more_than_it_shows(shop: Shop) -> None:
    await shop.payment()
    plans = await _plans(shop)
    await _fill(plans.owner)
    core, company = shop.core, shop.company.id
    deep = FIRST + timedelta(seconds=MANY // 2)
    places = [None, lowest_id("py", int(deep.timestamp() * 1000)), lowest_id("py", 1)]
    orders = [
        row["order_id"]
        for row in await plans.owner.fetch(
            "select order_id from payment where created_at = $1", deep
        )
    ]
    seen = 0
    for wanted, before in itertools.product(_wanted(deep), places):
        found = await list_payments(core, company, wanted=wanted, before=before, limit=PAGE)
        seen += len(found.payments)
        for name, whole, read in await plans.read():
            assert not whole, (name, wanted, before)
            # At either end a minute of ids is looked through for those of the very moment.
            assert read <= MOST_READ + 60, (name, read, wanted, before)
    assert seen > 1000

    await get_summary(core, company, f"py_{orders[0].removeprefix('order_')}")
    for wanted in _wanted(deep)[:5]:
        await list_payments(core, company, order_ids=orders, wanted=wanted, limit=PAGE)
        for name, whole, read in await plans.read():
            assert not whole, (name, wanted)
            assert read <= 4, (name, read, wanted)

    for wanted in _wanted(deep)[::7]:
        place = await changes_since(core, company, deep)
        await list_changes(core, company, wanted=wanted, after=place, limit=PAGE)
        for name, whole, read in await plans.read():
            assert not whole, (name, wanted)
            assert read <= MOST_LINKS + 10, (name, read, wanted)
    await plans.owner.close()
