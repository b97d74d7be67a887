"""`python -m bench.verify`: how long it takes to chain and to prove the books of many payments."""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from bench import machine
from bench.fill import fill, progress, seal
from kassa import assembly, demo
from kassa.base.store.migrate import migrate
from kassa.base.usecases.core import Core
from kassa.proof.usecases.chain import chain_history, seals_of
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.proof.usecases.verify import Progress, Proof, verify_books
from kassa.settings import Settings
from kassa_embedded.postgres import EmbeddedPostgres


async def _chain(core: Core) -> tuple[int, float]:  # links, and seconds that are not money
    began, links = time.perf_counter(), 0
    while done := await chain_history(core):
        links += done
    return links, time.perf_counter() - began


async def _measure(settings: Settings, server: EmbeddedPostgres, payments: int) -> Proof:
    await migrate(server.owner_url)
    began = time.perf_counter()
    await fill(server.owner_url, payments, progress(payments))
    _say(f"filled with {payments:,} payments in {time.perf_counter() - began:.0f} s")
    async with assembly.open_core(settings, server.app_url) as core:
        await seal(server.owner_url, seals_of(core.secrets))
        links, seconds = await _chain(core)
        _say(f"{links:,} links made in {seconds:.0f} s, {links / seconds:,.0f}/s")
        began = time.perf_counter()
        count = await seal_old_rows(core)
        _say(f"{count:,} seals of rows made in {time.perf_counter() - began:.0f} s")
        began = time.perf_counter()

        def told(progress: Progress) -> None:
            share = progress.done * 100 // max(progress.total, 1)
            _say(f"  {time.perf_counter() - began:6.1f} s {share:3}%  {progress.check}")

        own, below = time.process_time(), machine.processor_below(os.getpid())
        proof = await verify_books(core, progress=told)
    seconds = time.perf_counter() - began
    own, below = time.process_time() - own, machine.processor_below(os.getpid()) - below
    _say(f"  {seconds:6.1f} s 100%")
    rows = ", ".join(f"{count:,} {name}" for name, count in proof.counts.items())
    print(
        f"verified in {seconds:.1f} s, {len(proof.violations)} violations: {rows};"
        f" {payments / seconds:,.0f} payments/s, {own:.1f} s of processor here and {below:.1f} s in"
        " PostgreSQL"
    )
    return proof


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench.verify", description=__doc__)
    parser.add_argument("--payments", type=int, default=100_000)
    asked = parser.parse_args()
    described = machine.describe()
    _say(f"on {described.cpu}, {described.cores} cores, load {described.load_before}")
    with tempfile.TemporaryDirectory(prefix="kassa-bench-") as name:
        place = Path(name)
        place.chmod(0o711)
        settings = demo.prepare(Settings(data_dir=str(place / "home"), demo=True))
        with EmbeddedPostgres(place / "data", log=_say, durable=False) as server:
            proof = asyncio.run(_measure(settings, server, asked.payments))
    for found in proof.violations[:10]:
        print(f"  {found.check}: {found.company_id} {found.object_id}: {found.found}")
    return 1 if proof.violations else 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
