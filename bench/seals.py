"""`python -m bench.seals`: what it costs to seal what a create writes, and its share of a create.

Both are taken in one run and one process, without HTTP, so the share is an upper bound.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench import machine
from kassa import assembly, demo, observe
from kassa.base.domain.money import Money
from kassa.base.store.migrate import migrate
from kassa.base.store.vault import vault_of
from kassa.base.usecases.core import Core
from kassa.identity.usecases.companies import NewCompany, add_company
from kassa.orders.store import orders
from kassa.orders.usecases.create_order import CreatedOrder, NewOrder, create_order
from kassa.payments.store.personal import conceal
from kassa.payments.store.rows import ORDER, PAYMENT
from kassa.settings import Settings
from kassa_embedded.postgres import EmbeddedPostgres

_AT_ONCE = 64


async def _create(core: Core, wanted: NewOrder, many: int) -> list[CreatedOrder]:
    made: list[CreatedOrder] = []
    for _ in range(many // _AT_ONCE):
        made += await asyncio.gather(*(create_order(core, wanted) for _ in range(_AT_ONCE)))
    return made


class Sealing(msgspec.Struct, kw_only=True):
    """Microseconds for each order created, in one process and without HTTP.

    `sealing_us`: processor time of its seals; `create_us`: of all of it; `passed_us`: by the clock.
    """

    sealing_us: float  # time, not money
    create_us: float
    passed_us: float


def measure(creates: int) -> Sealing:
    """On a database of its own, which writes nothing through to the disk."""
    observe.configure_logs("bench", "warning")
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
        place = Path(name)
        place.chmod(0o711)
        settings = demo.prepare(Settings(data_dir=str(place / "home"), demo=True))
        with EmbeddedPostgres(place / "data", log=lambda _: None, durable=False) as server:
            return asyncio.run(_measure(settings, server, creates))


async def _measure(settings: Settings, server: EmbeddedPostgres, many: int) -> Sealing:
    await migrate(server.owner_url)
    async with assembly.open_core(settings, server.app_url) as core:
        new = NewCompany(id="cmp_bench", business_id="biz_bench", name="Bench", currency="CNY")
        company = await add_company(core, new)
        wanted = NewOrder(
            company=company,
            business_id=company.business_id,
            actor="bench",
            face="orders",
            amount=Money(10_000, "CNY"),
        )
        await _create(core, wanted, _AT_ONCE * 4)
        began = time.perf_counter()
        cpu = time.process_time()
        made = await _create(core, wanted, many)
        each = (time.perf_counter() - began) / len(made)  # seconds, not money
        busy = (time.process_time() - cpu) / len(made)  # seconds, not money
        rows = [(one.order, one.payment, "bench") for one in made]
        async with core.db.transaction() as connection:
            cpu = time.process_time()
            orders.sealed(connection, rows)
            sealing = time.process_time() - cpu
            cpu = time.process_time()
            conceal(vault_of(connection), [ORDER.row(order) for order, _, _ in rows])
            _ = [PAYMENT.row(payment) for _, payment, _ in rows]
            sealing -= time.process_time() - cpu
        sealing /= len(made)
    return Sealing(
        sealing_us=round(sealing * 1e6, 1),
        create_us=round(busy * 1e6, 1),
        passed_us=round(each * 1e6, 1),
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.seals", description=__doc__)
    parser.add_argument("--creates", type=int, default=6_400)
    asked = parser.parse_args()
    described = machine.describe()
    print(f"on {described.cpu}, load {described.load_before}", file=sys.stderr)
    found = measure(asked.creates)
    print(
        f"sealing what a create writes: {found.sealing_us:.1f} µs of {found.create_us:.0f} µs of"
        f" processor time ({found.sealing_us / found.create_us:.1%}), of {found.passed_us:.0f} µs"
        " in all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
