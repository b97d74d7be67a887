"""What `kassa provider report` does: fetch a settlement report, keep it, reconcile it."""

from datetime import date
from pathlib import Path

import typer

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli import reporting
from kassa.cli.running import heading, with_side
from kassa.connectors.base import Report
from kassa.identity.domain.principals import Company
from kassa.providers.usecases.provider_accounts import fetch_report
from kassa.settings import Settings


def report(
    settings: Settings, company: str, account: str, day: str, save: str, *, reconcile: bool
) -> int:
    """0 when it was fetched and, where it was reconciled, nothing of it is open; else 1."""
    try:
        of = date.fromisoformat(day)
    except ValueError:
        raise InvalidRequest(f"--date must be like 2026-11-21, got {day!r}") from None

    async def work(core: Core, side: Company) -> tuple[Report, Company]:
        return await fetch_report(core, side.id, account, of), side

    found, side = with_side(settings, company, work)
    path = save or Path(found.name).name
    try:
        Path(path).write_bytes(found.content)
    except OSError as error:
        raise InvalidRequest(f"cannot write {path}: {error.strerror}") from None
    if not reconcile:
        typer.echo(
            f"{heading(side)}\n{path} has the report of {day}; to reconcile it:\n"
            f"kassa reconcile {path} --format {found.format} --account {account}"
            f" --time-zone {found.time_zone}"
        )
        return 0
    declared = reporting.declare(
        found.format,
        [],
        [],
        currency="",
        delimiter=",",
        encoding="utf-8",
        time_zone=found.time_zone,
    )
    return reporting.reconcile(
        settings, company, path, declared, account, dry_run=False, as_json=False
    )
