"""How a proof of the books is shown: while it runs, and what came of it."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TextIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli import running
from kassa.identity.domain.principals import Company, Mode
from kassa.identity.usecases.companies import find_side
from kassa.proof.store.checks import Violation
from kassa.proof.usecases.verify import Head, Progress, Proof, accept_heads, verify_books
from kassa.settings import Settings

Modes = Mapping[str, Mode]
_WIDTH = 24  # of the bar
_NOBODYS = "there is no such company"  # any more: a deleted one is a finding, too
_VERBS = frozenset(
    "are begins carries could differs follow follows has holds is sums waits was".split()
)
_OF_CHAIN = ("links", "blocks")


def verify(
    settings: Settings, company: str, noted: Sequence[str], *, accept_head: bool, as_json: bool
) -> int:
    """Print the proof; 0 when the books are sound, 1 with the counter-examples.

    Raises: InvalidRequest, NotFound.
    """
    heads = [read_head(one) for one in noted]
    bar = Bar(sys.stderr)

    async def work(core: Core) -> tuple[Proof, Company | None, Modes]:
        side = await find_side(core, company) if company else None
        modes = {side.id: side.mode} if side else await running.modes_of(core)
        if accept_head:
            for one in await accept_heads(core):
                print(f"accepted {one.company_id}:{one.seq}:{one.hash}", file=sys.stderr)
        return await verify_books(core, side.id if side else None, bar.show, heads), side, modes

    proof, side, modes = running.with_core(settings, work)
    bar.end()
    if as_json:
        print(_as_json(proof, side, modes))
    else:
        print("\n".join([*([running.heading(side)] if side else []), _as_text(proof, modes)]))
    return 1 if proof.violations else 0


def read_head(text: str) -> Head:
    """From COMPANY:BLOCK:HASH. Raises: InvalidRequest."""
    company, _, rest = text.rpartition(":")[0].rpartition(":")
    digest = text.rpartition(":")[2].lower()
    good = len(digest) == 64 and all(sign in "0123456789abcdef" for sign in digest)
    if not company or not (rest.isascii() and rest.isdecimal()) or not good:
        raise InvalidRequest(
            "a head is COMPANY:BLOCK:HASH as kassa verify prints it, with a hash of 64 digits,"
            f" not {text!r}"
        )
    return Head(company, int(rest), digest)


class Bar:
    """How far it is: one line that grows on a terminal, a line for each check elsewhere."""

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._is_terminal = to.isatty()
        self._began: float | None = None  # seconds, not money

    def show(self, progress: Progress) -> None:
        share = progress.done * 100 // max(progress.total, 1)
        now = time.monotonic()
        if self._began is None:  # not while the database was being started
            self._began = now
        seconds = int(now - self._began)
        if not self._is_terminal:
            print(f"  {share:3}%  {seconds:4} s  {progress.check}", file=self._to, flush=True)
            return
        full = _WIDTH * share // 100
        rows = f"{progress.done:,} of {progress.total:,} rows"
        print(
            f"\r\x1b[K  [{'#' * full}{'.' * (_WIDTH - full)}] {share:3}%  {seconds} s  {rows}"
            f"  {progress.check}",
            end="",
            file=self._to,
            flush=True,
        )

    def end(self) -> None:
        if self._is_terminal:
            print("\r\x1b[K", end="", file=self._to, flush=True)


def _as_text(proof: Proof, modes: Modes) -> str:
    counts = ((name, count) for name, count in proof.counts.items() if name not in _OF_CHAIN)
    lines = [", ".join(f"{count} {name}" for name, count in counts)]
    broken = {violation.check for violation in proof.violations}
    for name, promise in proof.checks:
        lines.append(f"  {'BROKEN' if name in broken else 'ok    '}  {name}: {promise}")
    for found in proof.violations:
        lines.append(f"  counter-example of {found.check!r}: {_sentence(found, modes)}")
    chain = " in ".join(f"{proof.counts[name]} {name}" for name in _OF_CHAIN)
    lines.append(f"  chain   {chain}")
    lines += [
        f"  head    {one.company_id}:{one.seq}:{one.hash}  ({modes.get(one.company_id, _NOBODYS)})"
        for one in proof.heads
    ]
    lines += [f"  next    {todo}" for todo in dict.fromkeys(one.todo for one in proof.violations)]
    lines.append("the books are NOT sound" if broken else "the books are sound")
    return "\n".join(lines)


def _sentence(found: Violation, modes: Modes) -> str:
    whose = ""
    if found.company_id:
        whose = f" of {found.company_id} ({modes.get(found.company_id, _NOBODYS)})"
    joint = " " if found.found.partition(" ")[0] in _VERBS else ": "
    since = f" (since {found.since.isoformat()})" if found.since else ""
    return f"{found.object_id}{whose}{joint}{found.found}{since}"


def _as_json(proof: Proof, side: Company | None, modes: Modes) -> str:
    broken = {violation.check for violation in proof.violations}
    shown = {
        "mode": side.mode if side else None,
        "sound": not broken,
        "counts": proof.counts,
        "checks": [
            {"name": name, "promise": promise, "sound": name not in broken}
            for name, promise in proof.checks
        ],
        "violations": [
            asdict(one)
            | {"since": one.since.isoformat() if one.since else None}
            | {"mode": modes.get(one.company_id)}
            for one in proof.violations
        ],
        "heads": [asdict(one) | {"mode": modes.get(one.company_id)} for one in proof.heads],
    }
    return json.dumps(shown, indent=2)
