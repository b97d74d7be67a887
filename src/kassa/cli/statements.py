"""What the commands of fees and settlements do and say: tables for people, JSON for machines."""

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import SettlementStatus
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.cli.running import heading, told, told_of_many, with_side
from kassa.fees.domain.fees import FeeRule
from kassa.fees.store.fees import Deviation, Variance
from kassa.fees.usecases import fees
from kassa.identity.domain.principals import Company, Mode
from kassa.ledger.usecases.export import read_moment
from kassa.settings import Settings
from kassa.settlement.domain.settlements import Line, Settlement, SettlementPart
from kassa.settlement.usecases import settlements

_NOTHING = "-"
_LINE_WIDTHS = (24, 18, 32, 18)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else read_moment(text)


def _shown(at: datetime | None) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else _NOTHING


def _iso(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat() if at else None


def _major(money: Money) -> str:
    return f"{money.major:,f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they need; a head that begins with ">" is of amounts, to the right."""
    names = [head.lstrip(">") for head in heads]
    widths = [max(len(row[place]) for row in (names, *rows)) for place in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if head.startswith(">") else cell.ljust(width)
            for cell, width, head in zip(cells, widths, heads, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join(line(row) for row in (names, *rows))


def _dump(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)


def settle(settings: Settings, company: str | None, until: str | None, *, as_json: bool) -> str:
    moment = _moment(until)

    async def work(core: Core, company_id: str | None, modes: Mapping[str, Mode]) -> str:
        closed = await settlements.close_settlements(core, company_id, moment)
        if as_json:
            return _dump([_members(one, modes[one.company_id]) for one in closed])
        if not closed:
            return "nothing to settle: nothing has moved at a provider since the last time"
        return f"{_table(closed, modes)}\n\n{len(closed)} closed. {_hint(closed)}"

    return told_of_many(settings, company, work, as_json=as_json)


def _hint(closed: Sequence[Settlement]) -> str:
    due = [one for one in closed if one.status is SettlementStatus.CLOSED]
    if not due:
        return "No payout is due."
    return f"When a payout arrives: kassa settlement paid {due[0].id} --payout REFERENCE"


def _table(found: Sequence[Settlement], modes: Mapping[str, Mode]) -> str:
    sums = (*(f">{part}" for part in SettlementPart), ">carried over", ">net")
    heads = (
        "no.",
        "settlement",
        "company",
        "mode",
        "provider",
        "status",
        *sums,
        "currency",
        "payout",
    )
    rows = [
        [
            str(one.number or _NOTHING),
            one.id or _NOTHING,
            one.company_id,
            modes[one.company_id].value,
            one.connector,
            one.status.value,
            *(_major(_part(one, part)) for part in SettlementPart),
            _major(Money(one.carried_over_minor, one.currency)),
            _major(one.net),
            one.currency,
            one.payout_reference or _NOTHING,
        ]
        for one in found
    ]
    return table(heads, rows)


def _part(one: Settlement, part: SettlementPart) -> Money:
    minor: int = getattr(one.sums, part.value)
    return Money(minor, one.currency)


def _members(one: Settlement, mode: Mode) -> dict[str, Any]:
    return {
        "company_id": one.company_id,
        "mode": mode.value,
        "id": one.id or None,
        "number": one.number or None,
        "connector": one.connector,
        "currency": one.currency,
        "status": one.status.value,
        **{f"{part}_minor": _part(one, part).minor for part in SettlementPart},
        "carried_over_minor": one.carried_over_minor,
        "net_minor": one.net.minor,
        "payout_reference": one.payout_reference or None,
        "opened_at": _iso(one.opened_at),
        "closed_at": _iso(one.closed_at),
        "paid_at": _iso(one.paid_at),
    }


def list_all(
    settings: Settings, company: str | None, status: str | None, limit: int, *, as_json: bool
) -> str:
    words = [one.value for one in SettlementStatus]
    if status is not None and status not in words:
        raise InvalidRequest(f"a settlement is {', '.join(words)}; not {status[:40]!r}")
    wanted = None if status is None else SettlementStatus(status)

    async def work(core: Core, company_id: str | None, modes: Mapping[str, Mode]) -> str:
        found = await settlements.list_settlements(core, company_id, status=wanted, limit=limit)
        if as_json:
            return _dump([_members(one, modes[one.company_id]) for one in found])
        if not found:
            return "no settlements: kassa settle makes them of what moved at the providers"
        return _table(found, modes)

    return told_of_many(settings, company, work, as_json=as_json)


def show(
    settings: Settings, company: str, name: str, say: Callable[[str], None], *, as_json: bool
) -> None:
    """Line by line, as they are read: there may be a million."""

    async def work(core: Core, side: Company) -> None:
        found = await settlements.get_settlement(core, side.id, name)
        lines = settlements.settlement_lines(core, found.settlement)
        if as_json:
            await _say_json(found, side.mode, lines, say)
            return
        say(heading(side))
        say(_head(found.settlement))
        heads = _fitted("time", "what", "payment", "amount")
        say(heads)
        async for line in lines:
            amount = _major(line.amount)
            said = (_shown(line.at), line.kind, line.payment_id or _NOTHING, amount)
            say(_fitted(*said))
        say(_foot(found))

    with_side(settings, company, work)


def _fitted(at: str, what: str, payment: str, amount: str) -> str:
    """One line of a statement; amounts to the right."""
    when, kind, of, width = _LINE_WIDTHS
    return f"{at:{when}}{what:{kind}}{payment:{of}}{amount:>{width}}"


def _head(one: Settlement) -> str:
    told = [
        f"settlement {one.number}  {one.id}  {one.status}",
        f"{one.connector}, {one.currency}, company {one.company_id}",
        f"opened {_shown(one.opened_at)}, closed {_shown(one.closed_at)}",
    ]
    if one.payout_reference or one.paid_at:
        told.append(f"payout {one.payout_reference or 'of nothing'}, paid {_shown(one.paid_at)}")
    return "\n".join([*told, ""])


def _foot(found: settlements.SettlementStatement) -> str:
    one = found.settlement
    sums = [(part.value, _part(one, part)) for part in SettlementPart]
    sums.append(("carried over", Money(one.carried_over_minor, one.currency)))
    lines = ["", *(_fitted("", "", word, _major(money)) for word, money in sums)]
    lines.append(_fitted("", "", f"net {one.currency}", _major(one.net)))
    if found.payouts:
        lines.append("")
        lines += [f"{_shown(at):24}{kind:18}{posting}" for posting, kind, at in found.payouts]
    for each in found.tries:
        ended = f", {each.status} {_shown(each.ended_at)}" if each.ended_at else ""
        because = f": {each.why}" if each.why else ""
        lines.append(
            f"payout {each.number}  {each.reference or _NOTHING}  {each.amount}"
            f"  {_shown(each.begun_at)}{ended}{because}"
        )
    if one.status is SettlementStatus.CARRIED:
        lines.append("\nless than nothing: the next settlement of this account begins with it")
    return "\n".join(lines)


async def _say_json(
    found: settlements.SettlementStatement,
    mode: Mode,
    lines: AsyncIterator[Line],
    say: Callable[[str], None],
) -> None:
    members = _members(found.settlement, mode)
    members["payouts"] = [
        {"posting_id": posting, "kind": kind, "at": _iso(at)} for posting, kind, at in found.payouts
    ]
    members["tries"] = [
        {
            "number": each.number,
            "reference": each.reference or None,
            "amount_minor": each.amount.minor,
            "status": each.status.value,
            "begun_at": _iso(each.begun_at),
            "ended_at": _iso(each.ended_at),
            "posting_id": each.posting_id or None,
            "return_posting_id": each.return_posting_id or None,
            "why": each.why or None,
        }
        for each in found.tries
    ]
    say(_dump(members).removesuffix("\n}") + ',\n  "lines": [')
    before = ""
    async for line in lines:
        if before:
            say(f"    {before},")
        before = json.dumps(_line_members(line), ensure_ascii=False)
    if before:
        say(f"    {before}")
    say("  ]\n}")


def _line_members(line: Line) -> dict[str, Any]:
    return {
        "posting_id": line.posting_id,
        "kind": line.kind,
        "part": line.part.value,
        "payment_id": line.payment_id or None,
        "at": _iso(line.at),
        "amount_minor": line.amount.minor,
    }


def paid(settings: Settings, company: str, name: str, payout: str, at: str | None) -> str:
    moment = _moment(at)

    async def work(core: Core, side: Company) -> str:
        done = await settlements.record_payout(core, side.id, name, payout, moment)
        return f"settlement {done.number} {done.status}: {done.net} by {done.payout_reference}"

    return told(settings, company, work)


def failed(settings: Settings, company: str, name: str) -> str:
    async def work(core: Core, side: Company) -> str:
        done = await settlements.fail_payout(core, side.id, name)
        return (
            f"settlement {done.number} {done.status}: {done.net} is with the provider again;"
            f" when it is paid out: kassa settlement paid {done.id} --payout REFERENCE"
        )

    return told(settings, company, work)


def add_rule(
    settings: Settings, company: str, said: dict[str, str], begins: str | None, until: str | None
) -> str:
    first, end = _moment(begins), _moment(until)

    async def work(core: Core, side: Company) -> str:
        wanted = fees.NewFeeRule(company_id=side.id, valid_from=first, valid_until=end, **said)
        rule = await fees.add_fee_rule(core, wanted)
        return f"{rule.id}: {_percent(rule)} + {Money(rule.fixed_minor, rule.currency)}"

    return told(settings, company, work)


def _percent(rule: FeeRule) -> str:
    whole, rest = divmod(rule.rate_ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + " %"


def rules(settings: Settings, company: str, *, as_json: bool) -> str:
    async def work(core: Core, side: Company) -> str:
        found = await fees.list_fee_rules(core, side.id)
        if as_json:
            return _dump([{"mode": side.mode.value, **_rule_members(rule)} for rule in found])
        return f"{heading(side)}\n{_rule_table(found)}"

    return with_side(settings, company, work)


def _rule_table(found: Sequence[FeeRule]) -> str:
    if not found:
        return "no fee rules: nothing is expected; kassa fee add makes one"
    heads = ("rule", "for each", "provider", "method", ">percent", ">fixed", "currency")
    rows = [
        [
            rule.id,
            rule.kind.value,
            rule.connector or "any",
            rule.method or "any",
            _percent(rule),
            _major(Money(rule.fixed_minor, rule.currency)),
            rule.currency,
            _shown(rule.valid_from),
            _shown(rule.valid_until),
        ]
        for rule in found
    ]
    return table((*heads, "from", "until"), rows)


def _rule_members(rule: FeeRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "kind": rule.kind.value,
        "connector": rule.connector or None,
        "method": rule.method or None,
        "currency": rule.currency,
        "rate_ppm": rule.rate_ppm,
        "fixed_minor": rule.fixed_minor,
        "valid_from": _iso(rule.valid_from),
        "valid_until": _iso(rule.valid_until),
    }


def end_rule(settings: Settings, company: str, rule_id: str, at: str | None) -> str:
    moment = _moment(at)

    async def work(core: Core, side: Company) -> str:
        rule = await fees.end_fee_rule(core, side.id, rule_id, moment)
        return f"{rule.id} ends at {_shown(rule.valid_until)}"

    return told(settings, company, work)


def variance(settings: Settings, company: str | None, worst: int, *, as_json: bool) -> str:
    async def work(core: Core, company_id: str | None, modes: Mapping[str, Mode]) -> str:
        report = await fees.fee_variance(core, company_id, worst=worst)
        if not as_json:
            return _variance_table(report, modes)
        rows = [
            {**_compared(row, modes), "payments": row.payments, "known": row.known}
            for row in report.rows
        ]
        furthest = [{"payment_id": one.payment_id, **_compared(one, modes)} for one in report.worst]
        return _dump({"rows": rows, "worst": furthest})

    return told_of_many(settings, company, work, as_json=as_json)


def _variance_table(report: fees.VarianceReport, modes: Mapping[str, Mode]) -> str:
    if not report.rows:
        return "no fees yet: none was booked, and none was expected"
    amounts = (">expected", ">booked", ">difference", "currency")
    compared = table(
        ("company", "mode", "provider", "method", ">payments", ">known", *amounts),
        [
            [
                row.company_id,
                modes[row.company_id].value,
                row.connector or _NOTHING,
                row.method or _NOTHING,
                str(row.payments),
                str(row.known),
                *_amounts(row),
            ]
            for row in report.rows
        ],
    )
    if not report.worst:
        return f"{compared}\n\nno payment is off: every fee is the expected one"
    rows = [
        [
            one.payment_id,
            modes[one.company_id].value,
            one.connector or _NOTHING,
            one.method or _NOTHING,
            *_amounts(one),
        ]
        for one in report.worst
    ]
    furthest = table(("furthest off", "mode", "provider", "method", *amounts), rows)
    return f"{compared}\n\n{furthest}"


def _amounts(one: Variance | Deviation) -> list[str]:
    money = (_major(one.expected), _major(one.actual), _major(one.difference))
    return [*money, one.actual.currency]


def _compared(one: Variance | Deviation, modes: Mapping[str, Mode]) -> dict[str, Any]:
    return {
        "company_id": one.company_id,
        "mode": modes[one.company_id].value,
        "connector": one.connector,
        "method": one.method,
        "currency": one.actual.currency,
        "expected_minor": one.expected.minor,
        "actual_minor": one.actual.minor,
        "difference_minor": one.difference.minor,
    }
