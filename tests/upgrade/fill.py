"""How `release_0_3.json.xz` was made: the release of before fills a database with its own verbs.

It is kept to be read and to be run again, in a checkout of commit a57879c:

    cp figures.py told.py lives.py lives_afterwards.py tests/usecases/
    cp fill.py tests/usecases/test_fill.py
    KASSA_FILL=/tmp/release_0_3.json.xz pytest -n 0 tests/usecases/test_fill.py

Nothing of this release imports it. What it writes: the rows of every table, as COPY has them; the
file of chain heads; and the diary: for each payment what `kassa explain` told after each step, what
`--as-of` told of every event, and the last story as text and as JSON.
"""

import hashlib
import importlib
import io
import json
import lzma
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from kassa.usecases.fees import NewFeeRule, add_fee_rule
from kassa.usecases.old_rows import seal_old_rows
from tests.usecases.figures import figures, time
from tests.usecases.lives import (
    a_long_life,
    at_the_checkout,
    charges,
    ends,
    other_money_decides,
    past_the_providers,
)
from tests.usecases.lives_afterwards import disputes, refunds, reports, reservations, what_is_open
from tests.usecases.modifying import Obedient
from tests.usecases.shop import Shop
from tests.usecases.test_chain import chain_all
from tests.usecases.told import Book

from kassa import assembly
from kassa import demo as demo_company
from kassa.cli.telling import as_json, as_text
from kassa.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An installation whose keys a test can make again; none of them has ever guarded anything."""
    folder = tmp_path / "secrets"
    folder.mkdir(mode=0o700)
    for name in ("pepper", "page_token", "credentials_key.1", "sandbox"):
        (folder / name).write_bytes(hashlib.sha256(f"of tests only: {name}".encode()).digest())
        (folder / name).chmod(0o600)
    return demo_company.prepare(Settings(data_dir=str(tmp_path), demo=True))


LIVES = (
    a_long_life,
    charges,
    other_money_decides,
    ends,
    reservations,
    refunds,
    disputes,
    past_the_providers,
    at_the_checkout,
    reports,
    what_is_open,
)


async def rows_of(url: str) -> dict[str, Any]:
    connection = await asyncpg.connect(url)
    tables: dict[str, Any] = {}
    named = await connection.fetch(
        "select c.relname, array(select attname::text from pg_attribute where attrelid = c.oid"
        " and attnum > 0 and not attisdropped and attgenerated = '' order by attnum) as columns"
        " from pg_class c where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1"
    )
    for name, columns in named:
        into = io.BytesIO()
        await connection.copy_from_table(name, output=into, columns=columns)
        if into.getvalue():
            tables[name] = {"columns": columns, "rows": into.getvalue().decode()}
    sequences = {}
    for (name,) in await connection.fetch(
        "select relname from pg_class where relkind = 'S'"
        " and relnamespace = 'public'::regnamespace order by 1"
    ):
        [at] = await connection.fetch(f'select last_value, is_called from "{name}"')
        sequences[name] = [at[0], at[1]]
    newest = await connection.fetchval("select max(number) from schema_migration")
    await connection.close()
    return {"migrated_to": newest, "tables": tables, "sequences": sequences}


@pytest.fixture
async def core(settings: Settings, database_url: str) -> AsyncIterator[Any]:
    async with assembly.open_core(settings, database_url) as opened:
        yield opened


async def test_fill(shop: Shop, settings: Settings, database_url: str) -> None:
    await seal_old_rows(shop.core)
    shop.core.connectors["scripted"] = Obedient()
    for kind, percent, fixed in (("payment", "0.5", "0.02"), ("refund", "0", "0.01")):
        rule = NewFeeRule(
            company_id=shop.company.id,
            kind=kind,
            connector="scripted",
            method="",
            currency="CNY",
            percent=percent,
            fixed=fixed,
        )
        await add_fee_rule(shop.core, rule)
    importlib.import_module("kassa.usecases.fees").forget_schedules(shop.core)
    book = Book(shop)
    for live in LIVES:
        await live(shop, book)
        await chain_all(shop)
    assert await shop.faults() == []

    stories = {}
    for payment_id in book.told:
        [row] = await shop.sql("select company_id, id from payment where id = $1", payment_id)
        now = await book.story(Named(row))
        moments = [
            [time(step.event.at), figures(await book.story(Named(row), step.event.at))]
            for step in now.steps
        ]
        stories[payment_id] = {
            "live": book.told[payment_id],
            "as_of": moments,
            "text": as_text(now),
            "json": json.loads(as_json(now, "test")),
        }
    filled = {
        **await rows_of(shop.owner_url),
        "heads": (Path(settings.data_dir) / assembly.HEADS).read_text(),
        "lives": book.names,
        "stories": stories,
    }
    text = json.dumps(filled, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    packed = lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME)
    Path(os.environ["KASSA_FILL"]).write_bytes(packed)
    print(len(text), len(packed), len(book.told))


class Named:
    def __init__(self, row: Any) -> None:
        self.company_id, self.id = row
