"""What `kassa reconcile` and `kassa breaks` do, and how they tell it."""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.cli import collector
from kassa.cli.recording import transferred
from kassa.cli.running import heading, told, whoever_asks, with_side
from kassa.connectors.reports import Declaration, formats, read_report
from kassa.identity.domain.principals import Company
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.reconciliation.store.breaks import Break
from kassa.reconciliation.usecases import breaks
from kassa.reconciliation.usecases.breaks import Adjustment
from kassa.reconciliation.usecases.match_line import match_line
from kassa.reconciliation.usecases.reconcile import Outcome, digest_of
from kassa.reconciliation.usecases.reconcile import reconcile as import_report
from kassa.settings import Settings

_BAR = 30  # characters
_TEXT = "text="  # of a column that there may be several of


def declare(kind: str, columns: Sequence[str], words: Sequence[str], **said: str) -> Declaration:
    """Raises: InvalidRequest."""
    texts = [text.removeprefix(_TEXT) for text in columns if text.startswith(_TEXT)]
    columns = [text for text in columns if not text.startswith(_TEXT)]
    return Declaration(
        format=kind,
        columns=_pairs(columns, "--column"),
        texts=[text for text in texts if text],
        kinds=_pairs(words, "--word"),
        **said,
    )


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark or not name or not value:
            raise InvalidRequest(f"{option} takes NAME=VALUE, not {text!r}")
        pairs[name] = value
    return pairs


def reconcile(
    settings: Settings,
    company: str,
    path: str,
    declared: Declaration,
    account: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """0 when nothing of the file is open, else 1."""
    known = formats().get(declared.format)
    account = account or (known.account if known else "")
    if not account and declared.format == "csv":
        raise InvalidRequest("a csv does not say who made it: name the account with --account")
    tells_fees = bool(known and known.tells_fees) or "fee" in declared.columns
    with Path(path).open("rb") as file:
        sha256 = digest_of(file)
        file.seek(0)
        lines = read_report(file, declared)

        async def work(core: Core, side: Company) -> tuple[Outcome, Company]:
            outcome = await import_report(
                core,
                side.id,
                account,
                Path(path).name,
                lines,
                sha256,
                dry_run=dry_run,
                progress=_progress_of(file),
                tells_fees=tells_fees,
                actor=whoever_asks(),
            )
            return outcome, side

        collector.calm(collector.REPORTS)
        outcome, side = with_side(settings, company, work)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    if as_json:
        print(json.dumps({"mode": side.mode, **_as_object(outcome)}, indent=2))
    else:
        print(f"{heading(side)}\n{_summary(outcome)}")
    return 0 if outcome.is_clean else 1


def _progress_of(file: BinaryIO) -> Callable[[int], None]:
    size = os.fstat(file.fileno()).st_size or 1

    def progress(done: int) -> None:
        if sys.stderr.isatty():
            # The next lines are read while these are written, so this is a little ahead.
            read = 0 if file.closed else file.tell()
            filled = min(_BAR, _BAR * read // size)
            bar = "█" * filled + "·" * (_BAR - filled)
            told = f"\r\x1b[K  {bar} {100 * read // size:3d}%  {done:,} lines"
            print(told, end="", file=sys.stderr, flush=True)

    return progress


def _as_object(outcome: Outcome) -> dict[str, Any]:
    return {
        "file": outcome.file_id,
        "name": outcome.name,
        "imported_before": outcome.imported_before,
        "dry_run": outcome.dry_run,
        "lines": outcome.lines,
        "matched": outcome.matched,
        "settled": outcome.settled,
        "quarantined": outcome.quarantined,
        "repeated": outcome.repeated,
        "not_booked": outcome.pending,
        "breaks": dict(outcome.breaks),
        "missing": outcome.missing,
        "totals_minor": {currency: dict(sums) for currency, sums in outcome.totals.items()},
    }


def _summary(outcome: Outcome) -> str:
    lines = []
    if outcome.imported_before:
        lines.append(f"{outcome.name} was imported before: what was open of it was looked at again")
    elif outcome.dry_run:
        lines.append(f"{outcome.name}: a dry run, nothing is changed")
    lines += [
        f"{outcome.lines:>10,} lines",
        f"{outcome.matched:>10,} matched",
        f"{outcome.settled:>10,} payments settled",
    ]
    if outcome.repeated:
        lines.append(f"{outcome.repeated:>10,} that an earlier file has had")
    if outcome.pending:
        lines.append(f"{outcome.pending:>10,} not booked yet")
    for problem, count in outcome.breaks.items():
        lines.append(f"{count:>10,} {problem}")
    if outcome.missing:
        lines.append(f"{outcome.missing:>10,} of our payments that no report told of")
    for currency, sums in sorted(outcome.totals.items()):
        gross, fees, matched = (
            Money(sums[name], currency) for name in ("gross", "fees", "matched")
        )
        lines.append(f"  {currency}: {gross} gross, {fees} fees; {matched} matched")
    closing = "everything agrees"
    if not outcome.is_clean:
        closing = f"{sum(outcome.breaks.values()) + outcome.missing} breaks"
        closing += "" if outcome.dry_run else " are open: kassa breaks shows them"
    return "\n".join([*lines, closing])


def list_all(
    settings: Settings,
    company: str,
    *,
    everything: bool,
    problem: str | None,
    owner: str | None,
    as_json: bool,
) -> str:
    """One line for each."""

    async def work(core: Core, side: Company) -> str:
        found = await breaks.list_breaks(
            core, side.id, with_resolved=everything, problem=problem, owner=owner
        )
        if as_json:
            return "\n".join(json.dumps({"mode": side.mode, **_break_object(one)}) for one in found)
        return "\n".join([heading(side), *(map(_told, found) if found else ["no breaks"])])

    return with_side(settings, company, work)


def _break_object(one: Break) -> dict[str, Any]:
    return {
        "id": one.id,
        "class": one.problem.value,
        "status": one.status,
        "owner": one.owner,
        "account": one.connector,
        "file": one.file_name,
        "line": one.line,
        "payment_id": one.payment_id,
        "cause": one.cause,
        "currency": one.currency,
        "expected_minor": one.expected_minor,
        "found_minor": one.found_minor,
        "details": one.details,
        "opened_at": one.opened_at.isoformat(),
        "age_seconds": int(one.age.total_seconds()),
        "resolution": one.resolution,
        "resolved_by": one.resolved_by,
        "posting_id": one.posting_id,
        "again_in": one.again_in,
    }


def _told(one: Break) -> str:
    days, seconds = one.age.days, one.age.seconds
    age = f"{days}d {seconds // 3600}h" if days else f"{seconds // 3600}h {seconds // 60 % 60}m"
    where = f"{_printable(one.file_name)}:{one.line}" if one.line is not None else one.connector
    about = f" {one.payment_id}" if one.payment_id else ""
    line = f"{one.id} {one.problem:15} {age:>8} {one.owner or '-':10} {where}{about}"
    line += f"\n    {_printable(one.details)}"
    if one.again_in:
        line += f"\n    again in {_printable(', '.join(one.again_in))}"
    if one.status == "resolved":
        booked = f", booked as {one.posting_id}" if one.posting_id else ""
        line += f"\n    resolved by {one.resolved_by}: {_printable(one.resolution)}{booked}"
    return line


def _printable(text: str) -> str:
    """A report's own words cannot write on the terminal as they please."""
    return "".join(character if character.isprintable() else "·" for character in text)


def assign(settings: Settings, company: str, item: str, name: str) -> str:
    async def work(core: Core, side: Company) -> str:
        done = await breaks.assign_break(core, side.id, item, name)
        return f"{done.id} belongs to {done.owner or 'nobody'}"

    return told(settings, company, work)


def match(settings: Settings, company: str, item: str, order: str) -> str:
    async def work(core: Core, side: Company) -> str:
        payment_id = order
        if not order.startswith("py_"):
            payment_id = (await payments_of_order(core, side.id, order))[-1].payment.id
        done, payment = await match_line(core, side.id, item, payment_id, actor=whoever_asks())
        return f"{done.id} is {done.status}\n{transferred(payment)}"

    return told(settings, company, work)


def resolve(
    settings: Settings,
    company: str,
    item: str,
    because: str,
    *,
    booked: tuple[str, str, str, str],
    dry_run: bool,
) -> str:
    """`booked`: debit, credit, amount and currency as they were written."""
    debit, credit, amount, currency = booked
    if any((debit, credit, amount)) and not all((debit, credit, amount)):
        raise InvalidRequest("a posting takes --debit, --credit and --amount, all three")

    async def work(core: Core, side: Company) -> str:
        adjustment = None
        if amount:
            known = currency or (await breaks.get_break(core, side.id, item)).currency
            money = Money.from_major(amount, known)
            adjustment = Adjustment(debit=debit, credit=credit, amount=money)
        done = await breaks.resolve_break(
            core, side.id, item, because, whoever_asks(), adjustment, dry_run=dry_run
        )
        return _resolution(item, done, dry_run=dry_run)

    return told(settings, company, work)


def _resolution(item: str, done: breaks.Resolved, *, dry_run: bool) -> str:
    lines = [f"{item} would be resolved" if dry_run else f"{item} is resolved"]
    if done.posting is not None:
        for entry in done.posting.entries:
            side = "debit " if entry.minor > 0 else "credit"
            lines.append(
                f"  {side} {entry.account:30} {Money(abs(entry.minor), done.posting.currency)}"
            )
    return "\n".join(lines)
