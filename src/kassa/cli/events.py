"""What `kassa events` does: lines for people, JSON for machines."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import typer

from kassa.base.usecases.core import Core
from kassa.cli import running
from kassa.cli.common import printable
from kassa.identity.domain.principals import Company
from kassa.ledger.usecases.export import read_moment
from kassa.settings import Settings
from kassa.webhooks_out.store.events import Delivery, EventQuery, ToldEvent
from kassa.webhooks_out.usecases import events


@dataclass(frozen=True, slots=True)
class AskedEvents:
    """As it was typed."""

    state: str
    event_type: str
    about: str
    since: str | None
    until: str | None

    def wanted(self, company_id: str) -> EventQuery:
        """Raises: InvalidRequest."""
        return EventQuery(
            company_id=company_id,
            state=self.state,
            event_type=self.event_type,
            about=self.about,
            since=None if self.since is None else read_moment(self.since),
            until=None if self.until is None else read_moment(self.until),
        )


def show_list(
    settings: Settings, company: str, asked: AskedEvents, limit: int, *, as_json: bool
) -> str:
    asked.wanted("")  # refused before a database is started

    async def work(core: Core, side: Company) -> str:
        found = await events.list_events(core, asked.wanted(side.id), limit=limit)
        if as_json:
            return json.dumps([_plain(one, side) for one in found], indent=2)
        lines = [_line(one) for one in found] or ["no such events"]
        return "\n".join([running.heading(side), *lines])

    return running.with_side(settings, company, work)


def show_one(settings: Settings, company: str, event_id: str, *, as_json: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        event, tries = await events.show_event(core, side.id, event_id)
        if as_json:
            told = {**_plain(event, side), "deliveries": [_plain_try(one) for one in tries]}
            return json.dumps(told, indent=2)
        lines = [running.heading(side), _line(event), f"to {event.url}"]
        lines += ["", *_content(event), "", *(_try_line(one) for one in tries)]
        if event.state == "waiting" and event.next_at is not None:
            lines.append(f"next try {_moment(event.next_at)}")
        if event.state == "dead":
            lines.append(f"tried no more; again: kassa events resend {event.id}")
        return "\n".join(printable(line) for line in lines)

    return running.with_side(settings, company, work)


def send_again(settings: Settings, company: str, ids: Sequence[str], because: str) -> str:
    async def work(core: Core, side: Company) -> str:
        sent = set(await events.resend(core, side.id, ids, reason=because))
        return "\n".join(
            f"{one}: goes out again now" if one in sent else f"{one}: is being tried this moment"
            for one in ids
        )

    return running.told(settings, company, work)


def replay_all(settings: Settings, company: str, asked: AskedEvents, because: str) -> str:
    asked.wanted("")

    async def work(core: Core, side: Company) -> str:
        many = await events.replay(core, asked.wanted(side.id), reason=because, told=_progress)
        return f"{many:,} events go out again" if many != 1 else "1 event goes out again"

    return running.told(settings, company, work)


def _progress(many: int) -> None:
    if sys.stderr.isatty():
        typer.echo(f"\r\x1b[K  {many:,} events", nl=False, err=True)


def _line(one: ToldEvent) -> str:
    how = one.state
    if one.state == "delivered":
        how = f"delivered after {one.tries} tries" if one.tries > 1 else "delivered"
    elif one.tries:
        how = f"{one.state} after {one.tries} tries ({one.last_error or 'no answer yet'})"
    about = one.order_id or one.payment_id or one.agreement_id
    return printable(f"{_moment(one.created_at)}  {one.id}  {one.event_type:<26} {about}  {how}")


def _try_line(one: Delivery) -> str:
    said = f"{one.status}" if one.status is not None else "no answer"
    why = f"  {one.error}" if one.error and one.status is None else ""
    answer = f"  {one.answer[:80]!r}" if one.answer else ""
    return f"{_moment(one.at)}  {one.milliseconds:>6} ms  {said}{why}{answer}"


def _content(one: ToldEvent) -> list[str]:
    if not one.content:
        return ["(written when it is sent)"]
    return json.dumps(json.loads(one.content), indent=2, ensure_ascii=False).splitlines()


def _plain(one: ToldEvent, side: Company) -> dict[str, Any]:
    return {
        "mode": side.mode,
        "id": one.id,
        "type": one.event_type,
        "kind": one.kind,
        "created_at": _iso(one.created_at),
        "order_id": one.order_id or None,
        "payment_id": one.payment_id or None,
        "agreement_id": one.agreement_id or None,
        "version": one.version,
        "url": one.url,
        "state": one.state,
        "tries": one.tries,
        "next_try_at": _iso(one.next_at),
        "last_status": one.last_status,
        "last_error": one.last_error,
        "delivered_at": _iso(one.delivered_at),
        "data": json.loads(one.content) if one.content else None,
    }


def _plain_try(one: Delivery) -> dict[str, Any]:
    return {
        "at": _iso(one.at),
        "milliseconds": one.milliseconds,
        "status": one.status,
        "error": one.error,
        "answer": one.answer,
    }


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
