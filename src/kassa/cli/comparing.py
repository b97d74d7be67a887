"""`kassa compare`: what an account at a provider has on record, beside the ledger."""

import json as as_text
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from kassa.cli.common import Company, Config, DatabaseUrl, DataDir, guarded, load_settings

if TYPE_CHECKING:
    from kassa.reconciliation.domain.comparing import Difference
    from kassa.reconciliation.usecases.compare import Comparison
    from kassa.settings import Settings

_USUAL = timedelta(days=3)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(compare)


def compare(
    account: Annotated[str, typer.Option(help="Which; kassa provider lists them.")],
    since: Annotated[
        str,
        typer.Option("--from", help="ISO 8601; UTC if it names none.  [default: 3 days ago]"),
    ] = "",
    until: Annotated[str, typer.Option("--to", help="Likewise.  [default: now]")] = "",
    json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    company: Company = "",
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: Config = None,
) -> None:
    """Ask a provider for what it has on record, and lay that beside the ledger.

    Captured, refunded and disputed money of each payment, in the provider's own figures. Payments
    of which something is under way are left out. Changes nothing; exit 0 when all agrees, else 1.

    \b
    Examples:  kassa compare --account stripe_eu
               kassa compare --account stripe_eu --from 2026-11-01 --to 2026-12-01
               kassa compare --account razorpay --json
    """
    settings = load_settings(data_dir=data_dir, database_url=database_url, config=config)
    sys.exit(guarded(lambda: _compare(settings, company, account, since, until, as_json=json)))


def _compare(
    settings: "Settings", company: str, account: str, since: str, until: str, *, as_json: bool
) -> int:
    from kassa.base.usecases.core import Core  # noqa: PLC0415 - help needs none of it
    from kassa.cli.running import heading, with_side  # noqa: PLC0415
    from kassa.identity.domain.principals import Company as Side  # noqa: PLC0415
    from kassa.ledger.usecases.export import read_moment  # noqa: PLC0415
    from kassa.reconciliation.usecases.compare import compare as ask  # noqa: PLC0415

    end = read_moment(until) if until else datetime.now(UTC)
    start = read_moment(since) if since else end - _USUAL

    async def work(core: Core, side: Side) -> "tuple[Comparison, Side]":
        return await ask(core, side.id, account, start, end, progress=_progress), side

    found, side = with_side(settings, company, work)
    if sys.stderr.isatty():
        typer.echo("\r\x1b[K", nl=False, err=True)
    if as_json:
        typer.echo(
            as_text.dumps({"mode": side.mode, "account": account, **asdict(found)}, indent=2)
        )
    else:
        typer.echo("\n".join([heading(side), *_told(found, account)]))
    return 1 if found.found or found.odd or found.unanswered else 0


def _progress(charges: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K  {charges:,} charges", nl=False, err=True)


def _told(found: "Comparison", account: str) -> list[str]:
    lines = [f"{found.charges:>10,} charges of {account} compared"]
    if found.foreign:
        lines.append(f"{found.foreign:>10,} of them have no reference of ours: the shop's others")
    if found.waiting:
        lines.append(f"{found.waiting:>10,} payments left out: under way, or only just changed")
    if found.unanswered:
        lines.append(f"{found.unanswered:>10,} charges that it said nothing about: ask again later")
    lines += [f"  cannot be read: {one}" for one in found.odd]
    lines += [_line(one) for one in found.found]
    closing = "everything agrees" if found.charges else "nothing to compare in that time"
    if found.found:
        closing = f"{len(found.found)} differences: kassa explain tells each payment's story"
    elif found.odd or found.unanswered:
        closing = "what could be compared agrees"
    return [*lines, closing]


def _line(one: "Difference") -> str:
    from kassa.base.domain.money import Money  # noqa: PLC0415

    ours, theirs = Money(one.ours, one.currency), Money(one.theirs, one.currency)
    name = one.payment_id or "no payment of ours"
    return f"  {name}  {one.reference}  {one.figure}: {ours} here, {theirs} there"
