"""Any CSV with a header, by a declared mapping.

The mapping says under which header each of MEMBERS stands. `kind`, `amount` and a currency are
needed. Kinds are the words of `LineKind`, or those that `kinds` translates. Amounts are decimal
major units with their sign, seen from the provider account: a refund is negative. No thousands
are separated. `fee` is positive when the provider keeps it. Where `net` is mapped, amount less fee
must be it. `presented_amount` is what the payer paid, where `presented_currency` is another one
than the line's. Times are ISO 8601.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.reports.declaration import Declaration, Lines, NotThatFormat
from kassa.connectors.reports.table import ReportRows, ReportTable
from kassa.connectors.reports.words import (
    DIRECTION,
    amounts_with,
    check_direction,
    check_net,
    moment_of,
    presented_of,
    shown,
    zone_of,
)
from kassa.reconciliation.domain.reports import LineKind, ReportLine

MEMBERS = (
    "kind",
    "amount",
    "currency",
    "fee",
    "net",
    "our_reference",
    "provider_reference",
    "payout_reference",
    "occurred_at",
    "presented_amount",
    "presented_currency",
)
_NEEDED = ("kind", "amount")
_MONEY = ("amount", "fee", "net", "presented_amount")
_KINDS = {kind.value: kind for kind in LineKind}

Cell = Callable[[list[str]], str]


def read_csv(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line."""
    return read_declared(file, declaration, expected="a CSV file", last_may_be_cut=True)


def read_declared(
    file: BinaryIO,
    declaration: Declaration,
    *,
    expected: str,
    last_may_be_cut: bool,
    trouble: str = "",
    more_texts: Sequence[str] = (),
) -> Lines:
    """A CSV of a known shape. `expected`: what it is called where it is none. `last_may_be_cut`:
    a last line without an end may be whole. Where the file has them: `trouble` is a column in which
    stands why the line cannot be read, `more_texts` are further texts.

    Raises: NotThatFormat, before any line.
    """
    columns = _declared(declaration)
    amount_of = amounts_with(declaration.decimal)
    zone = zone_of(declaration.time_zone)
    kinds = _KINDS | {word: _kind(word) for word in declaration.kinds.values()}
    kinds |= {word: kinds[ours] for word, ours in declaration.kinds.items()}
    rows = ReportRows(file, encoding=declaration.encoding, delimiter=declaration.delimiter)
    table = ReportTable(rows, expected=expected)
    table.places([header for header in columns.values() if not header.startswith("=")])
    cells = {member: _cell(table, columns.get(member, "=")) for member in MEMBERS}
    kind_of, gross_of, currency_of = cells["kind"], cells["amount"], cells["currency"]
    fee_of, net_of, time_of = cells["fee"], cells["net"], cells["occurred_at"]
    ours, theirs, payout = (cells[name] for name in MEMBERS[5:8])
    paid_of, paid_in = (cells[name] for name in MEMBERS[9:])
    there = (table.place(name) for name in more_texts)
    texts_at = [*table.places(declaration.texts), *(at for at in there if at is not None)]
    trouble_at = table.place(trouble) if trouble else None

    def line(number: int, row: list[str], raw: Mapping[str, str]) -> ReportLine:
        if trouble_at is not None and row[trouble_at]:
            raise InvalidRequest(row[trouble_at])
        word = kind_of(row)
        kind = kinds.get(word)
        if kind is None:
            raise InvalidRequest(f"unknown kind {shown(word, 40)!r}")
        currency = currency_of(row).upper()
        amount = amount_of(gross_of(row), currency)
        fee_text, net_text = fee_of(row), net_of(row)
        fee = amount_of(fee_text, currency) if fee_text else Money(0, currency)
        check_direction(DIRECTION.get(kind, 0), amount, kind)
        if net_text:
            check_net(amount, fee, amount_of(net_text, currency))
        return ReportLine(
            number=number,
            kind=kind,
            amount=amount,
            fee=fee,
            our_reference=ours(row),
            provider_reference=theirs(row),
            payout_reference=payout(row),
            texts=_texts(row, texts_at) if texts_at else (),
            presented=presented_of(paid_of(row), paid_in(row), amount, amount_of),
            occurred_at=moment_of(time_of(row), zone),
            raw=dict(raw),
        )

    # Half an amount reads like an amount; half a reference only fails to match.
    is_money = table.header[-1] in {columns.get(member) for member in _MONEY}
    return table.lines(line, last_may_be_cut=last_may_be_cut and not is_money)


def _declared(declaration: Declaration) -> Mapping[str, str]:
    """The mapping, with the declaration's currency in it. Raises: NotThatFormat."""
    columns = dict(declaration.columns)
    if declaration.currency:
        columns.setdefault("currency", f"={declaration.currency}")
    unknown = sorted(set(columns) - set(MEMBERS))
    if unknown:
        raise NotThatFormat(
            f"no column is called {', '.join(unknown)}: there are {', '.join(MEMBERS)}"
        )
    missing = [member for member in (*_NEEDED, "currency") if not columns.get(member)]
    if missing:
        raise NotThatFormat(f"the mapping must say where {' and '.join(missing)} stands")
    return {member: header for member, header in columns.items() if header}


def _cell(table: ReportTable, header: str) -> Cell:
    if header.startswith("="):
        constant = header[1:]
        return lambda row: constant
    place = table.places([header])[0]
    return lambda row: row[place].strip()


def _texts(row: list[str], places: Sequence[int]) -> tuple[str, ...]:
    """Each text, and each line of one that has several."""
    found: dict[str, None] = {}
    for place in places:
        text = row[place].strip()
        for each in (text, *(text.splitlines() if "\n" in text else ())):
            if each:
                found[each] = None
    return tuple(found)


def _kind(word: str) -> LineKind:
    if word not in _KINDS:
        raise NotThatFormat(f"no kind is called {word!r}: there are {', '.join(_KINDS)}")
    return _KINDS[word]
