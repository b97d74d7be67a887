"""What `kassa audit` does: lines for people, JSON for machines, CSV that a spreadsheet may open."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.usecases.core import Core
from kassa.cli.common import printable
from kassa.cli.running import heading, modes_of, told_of_many, with_core
from kassa.cli.saving import Target
from kassa.identity.domain.audit import INSTALLATION, AuditQuery, AuditRow
from kassa.identity.domain.principals import Mode
from kassa.identity.usecases.audit import export_audit, list_audit
from kassa.identity.usecases.companies import find_side
from kassa.ledger.usecases.export import Column, Content, read_moment
from kassa.ledger.usecases.export_formats import Format, open_writer
from kassa.settings import Settings

_TEXTS = ("who", "what", "object", "before", "after", "reason", "request_id", "address")
_COLUMNS = (
    Column("at", Content.TIME),
    *(Column(name, Content.TEXT) for name in ("company", "mode", *_TEXTS, "id")),
)
Modes = Mapping[str, Mode]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAudit:
    """As it was typed."""

    company: str | None
    who: str
    what: str
    object: str
    since: str | None
    until: str | None

    def wanted(self, company_id: str | None) -> AuditQuery:
        """Raises: InvalidRequest."""
        return AuditQuery(
            company_id=company_id,
            who=self.who,
            what=self.what,
            object=self.object,
            since=None if self.since is None else read_moment(self.since),
            until=None if self.until is None else read_moment(self.until),
        )


def show(settings: Settings, asked: AskedAudit, limit: int, *, as_json: bool) -> str:
    asked.wanted(None)  # refused before a database is started

    async def work(core: Core, company_id: str | None, modes: Modes) -> str:
        found = await list_audit(core, asked.wanted(company_id), limit=limit)
        if as_json:
            return json.dumps([_plain(one, modes) for one in found], indent=2, ensure_ascii=False)
        return "\n".join(_line(one, modes) for one in found) or "nothing was written down"

    return told_of_many(settings, asked.company, work, as_json=as_json)


def _line(one: AuditRow, modes: Modes) -> str:
    whose = "the installation"
    if one.company_id != INSTALLATION:
        whose = f"{one.company_id} ({modes.get(one.company_id, 'gone')})"
    parts = [f"{one.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z", one.actor, one.act]
    parts += [one.object] if one.object not in ("", one.company_id) else []
    parts.append(f"of {whose}")
    if one.before or one.after:
        parts.append(
            f"{_told(one.before)} → {_told(one.after)}" if one.before else _told(one.after)
        )
    parts += [f'because "{one.reason}"'] if one.reason else []
    return printable("  ".join(parts))


def _told(content: Mapping[str, Any]) -> str:
    said = (f"{name} {value}" for name, value in content.items() if value not in ("", []))
    return ", ".join(said) or "-"


def _plain(one: AuditRow, modes: Modes) -> dict[str, Any]:
    mode = modes.get(one.company_id)
    company = None if one.company_id == INSTALLATION else one.company_id
    at = one.at.astimezone(UTC).isoformat()
    row = {**asdict(one), "company_id": company, "at": at}
    return {"mode": mode.value if mode else None, **row}


def export(settings: Settings, asked: AskedAudit, kind: str, output: str, *, force: bool) -> None:
    """Raises: InvalidRequest, NotFound."""
    if kind not in _WRITERS:
        raise InvalidRequest(f"an audit is exported as csv or jsonl, not {kind!r}")
    asked.wanted(None)
    target = Target(Format.CSV, output, force=force)

    async def work(core: Core) -> None:
        side = await find_side(core, asked.company) if asked.company else None
        modes = {side.id: side.mode} if side else await modes_of(core)
        rows = 0
        with target.opened() as file:
            write = _WRITERS[kind](file, modes)
            async for page in export_audit(core, asked.wanted(side.id if side else None)):
                write(page)
                rows += len(page)
        said = [*([heading(side)] if side else []), f"{rows} rows to {output or 'standard output'}"]
        print("\n".join(said), file=sys.stderr)

    with_core(settings, work)


Write = Callable[[Sequence[AuditRow]], None]


def _csv(file: BinaryIO, modes: Modes) -> Write:
    writer = open_writer(Format.CSV, file, _COLUMNS, title="audit", mode="")

    def cells(one: AuditRow) -> tuple[datetime | str | None, ...]:
        plain = _plain(one, modes)
        said = [json.dumps(part, ensure_ascii=False) for part in (one.before, one.after)]
        known = (one.actor, one.act, one.object, *said, one.reason, one.request_id, one.address)
        return one.at, plain["company_id"], plain["mode"], *known, one.id

    return lambda page: writer.write([cells(one) for one in page])


def _jsonl(file: BinaryIO, modes: Modes) -> Write:
    def write(page: Sequence[AuditRow]) -> None:
        file.writelines(
            json.dumps(_plain(one, modes), ensure_ascii=False).encode() + b"\n" for one in page
        )

    return write


_WRITERS: Mapping[str, Callable[[BinaryIO, Modes], Write]] = {"csv": _csv, "jsonl": _jsonl}
