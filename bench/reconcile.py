"""How long a report of many lines takes: read, matched, every payment of it settled.

`python -m bench.reconcile --lines 1000000`, against a fresh PostgreSQL of its own.
"""

import argparse
import asyncio
import csv
import os
import random
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from bench import machine
from kassa import assembly, demo
from kassa.base.store.migrate import migrate
from kassa.cli import collector
from kassa.connectors.reports import Declaration, read_report
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.reconciliation.usecases.reconcile import digest_of, reconcile
from kassa.settings import Settings
from kassa_embedded.postgres import EmbeddedPostgres

COMPANY = "cmp_bench"
_NEAR = 5_000  # lines among which the order of captures is lost
_BAR = 30
_COLUMNS = (
    "kind",
    "amount",
    "currency",
    "fee",
    "our_reference",
    "provider_reference",
    "payout_reference",
    "occurred_at",
)

# Captured payments of 100.00 CNY with an expected fee of 2.90, as a provider's capture leaves them:
# set by set, without the ledger's triggers, whose lines of settlements are written here by hand.
_SEED = """
alter table posting disable trigger user;
alter table entry disable trigger user;
insert into orders (company_id, id, business_id, amount_minor, currency, status, module,
  customer_id, customer_number, customer_name, customer_email, customer_phone, org_number,
  description, note, tags, return_url, notify_url, notify_kind, payment_methods, session_token,
  face, request_scope, fingerprint, extra, created_at, updated_at, expires_at)
select 'cmp_bench', 'order_' || n, 'biz', 10000, 'CNY', 'paid', 'retail', 'c', 1, 'Ann', '', '',
  7, '', '', '{}', '', '', '', '', 'sess_' || n, 'orders', '', '', '{}', now(), now(), now()
from generate_series(1, %(count)s) n;
insert into payment (company_id, id, order_id, business_id, amount_minor, currency, status, method,
  module, authorized_minor, captured_minor, retry_allowed, connector, provider_reference,
  created_at, updated_at, captured_at, expires_at, version, fee_minor, expected_fee_minor)
select 'cmp_bench', 'py_' || n, 'order_' || n, 'biz', 10000, 'CNY', 'captured', 'credit_card',
  'retail', 10000, 10000, true, 'shop', 'ref_' || n, now(), now(), now(), now(), 3, 290, 290
from generate_series(1, %(count)s) n;
insert into attempt (company_id, id, payment_id, number, connector, method, status, amount_minor,
  currency, instrument, provider_reference, failure_code, failure_message, query_count, created_at,
  updated_at)
select 'cmp_bench', 'at7_' || n, 'py_' || n, 1, 'shop', 'credit_card', 'succeeded', 10000, 'CNY',
  '', 'ref_' || n, '', '', 0, now(), now()
from generate_series(1, %(count)s) n;
insert into posting (company_id, id, kind, currency, payment_id, cause, at)
select 'cmp_bench', 'po_' || k || n, case k when 1 then 'capture' else 'fee' end, 'CNY',
  'py_' || n, 'at7_' || n, now()
from generate_series(1, %(count)s) n, generate_series(1, 2) k;
insert into entry (company_id, posting_id, leg, account, currency, amount_minor)
select 'cmp_bench', 'po_' || k || n, leg,
  case when (k = 1) = (leg = 1) then 'provider:shop' else 'merchant:biz' end, 'CNY',
  case leg when 1 then 1 else -1 end * case k when 1 then 10000 else 290 end
from generate_series(1, %(count)s) n, generate_series(1, 2) k, generate_series(1, 2) leg;
insert into settlement_line (company_id, posting_id, leg, connector, currency, payment_id, kind,
  at, amount_minor)
select 'cmp_bench', 'po_' || k || n, k, 'shop', 'CNY', 'py_' || n,
  case k when 1 then 'capture' else 'fee' end, now(), case k when 1 then 10000 else -290 end
from generate_series(1, %(count)s) n, generate_series(1, 2) k;
alter table posting enable trigger user;
alter table entry enable trigger user;
"""


async def _seed(url: str, count: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_SEED % {"count": count})
    await connection.execute("vacuum analyze")
    await connection.close()


def _write(path: Path, count: int, corrected_every: int, *, scattered: bool) -> None:
    """One line for each payment: about in the order in which they were captured, as a provider
    writes them, or in one that has nothing to do with it."""
    at = datetime.now(UTC).isoformat()
    step = 7_919 if count % 7_919 else 7_907
    dice, near = random.Random(1), list[int]()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        for place in range(count):
            if not place % _NEAR:
                near = list(range(place, min(place + _NEAR, count)))
                dice.shuffle(near)
            n = (place * step % count if scattered else near[place % _NEAR]) + 1
            fee = "2.91" if corrected_every and place % corrected_every == 0 else "2.90"
            row = ["payment", "100.00", "CNY", fee, f"at7_{n}", f"ref_{n}", "po_bench", at]
            writer.writerow(row)


@dataclass(slots=True)
class _Told:
    """What is heard on the way. `early`: the most memory after a tenth of the lines, in MiB."""

    lines: int
    began: float = field(default_factory=time.perf_counter)  # seconds, not money
    early: int = 0

    def __call__(self, done: int) -> None:
        if not self.early and done * 10 >= self.lines:
            self.early = _most_memory()
        took, share = time.perf_counter() - self.began, done / self.lines
        bar = "#" * round(share * _BAR)
        words = f"{share:4.0%} {done:,} lines, {done / took:,.0f}/s, {_most_memory()} MiB"
        print(f"\r[{bar:<{_BAR}}] {words} ", end="", file=sys.stderr, flush=True)


def _most_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


async def _run(url: str, settings: Settings, path: Path, lines: int) -> None:
    collector.calm(collector.REPORTS)  # as `kassa reconcile` does
    load, told = os.getloadavg()[0], _Told(lines)
    own, below = time.process_time(), machine.processor_below(os.getpid())
    async with assembly.open_core(settings, url) as core:
        with path.open("rb") as file:
            digest = digest_of(file)
            file.seek(0)
            declaration = Declaration(format="csv", columns={name: name for name in _COLUMNS})
            outcome = await reconcile(
                core, COMPANY, "shop", path.name, read_report(file, declaration), digest,
                progress=told,
            )  # fmt: skip
    took = time.perf_counter() - told.began
    own = (time.process_time() - own) * 1e6 / lines
    below = (machine.processor_below(os.getpid()) - below) * 1e6 / lines
    print(
        f"\n{outcome.lines} lines in {took:.1f} s, {outcome.lines / took:,.0f} lines/s;"
        f" {outcome.settled} settled, breaks {dict(outcome.breaks)};"
        f" {own:.0f} µs of processor a line here and {below:.0f} in PostgreSQL;"
        f" most memory {told.early} MiB after a tenth, {_most_memory()} MiB at the end;"
        f" load average before {load:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.reconcile", description=__doc__)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument(
        "--corrected-every", type=int, default=10, help="every n-th fee differs; 0: none"
    )
    parser.add_argument(
        "--scattered", action="store_true", help="lines in an order that is not that of captures"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as place:
        Path(place).chmod(0o711)
        settings = demo.prepare(Settings(data_dir=f"{place}/settings", demo=True))
        with EmbeddedPostgres(Path(place) / "data", log=lambda _: None) as server:
            asyncio.run(migrate(server.owner_url))
            asyncio.run(_company(server.app_url, settings))
            asyncio.run(_seed(server.owner_url, asked.lines))
            report = Path(place) / "report.csv"
            _write(report, asked.lines, asked.corrected_every, scattered=asked.scattered)
            asyncio.run(_run(server.app_url, settings, report, asked.lines))


async def _company(url: str, settings: Settings) -> None:
    async with assembly.open_core(settings, url) as core:
        new = NewCompany(id=COMPANY, business_id="biz", name="Bench", currency="CNY")
        await add_company(core, new)


if __name__ == "__main__":
    main()
