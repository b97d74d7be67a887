"""What the words of a report's lines lead to: every field counts, and nothing is nearly so."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from kassa.base.domain.money import Money
from kassa.base.store.connection import Connection
from kassa.reconciliation.domain.matching import BANK, MatchResult, ReportableMovement, ambiguous
from kassa.reconciliation.domain.references import KnownReference, ReferenceIndex
from kassa.reconciliation.domain.reports import LineKind, ReportLine
from kassa.reconciliation.domain.transfers import (
    MAY_BE_TRANSFERS,
    beginnings_in,
    more_names_in,
    names_in,
)
from kassa.reconciliation.store import reconciliation as store

_LONGEST = 200  # of a reference; ours and providers' are far shorter
_MOST_TEXTS = 10  # of a line of a provider's, that are looked up where its references lead nowhere

Booked = Mapping[str, Sequence[ReportableMovement]]
Awaited = Callable[[KnownReference], Money | None]
"""What a transfer is still to bring; None of what is none."""


async def look(
    connection: Connection, company_id: str, account: str, lines: Sequence[ReportLine]
) -> ReferenceIndex:
    """What the lines of a batch name, of this company alone.

    What most lines are found by is looked up first; the rest of their words only of those that
    lead nowhere by then, or elsewhere.
    """
    references = [
        (cut(line.our_reference), cut(line.provider_reference))
        for line in lines
        if line.kind is not LineKind.PAYOUT
    ]
    if account == BANK:
        references += [(cut(name), cut(name)) for line in lines for name, _ in names_in(line)]
    directory = await store.look_up(connection, company_id, references)
    if account == BANK:
        left = [line for line in lines if not transfers_in(directory, line)]
        more = [(cut(name), cut(name)) for line in left for name in more_names_in(line)]
    else:
        more = [pair for line in lines for pair in _further(directory, line)]
    if more:
        directory.merge(await store.look_up(connection, company_id, more))
    if account == BANK:
        left = [line for line in left if not transfers_in(directory, line)]
        if begun := sorted({cut(name) for line in left for name, _ in beginnings_in(line)}):
            directory.begun = await store.look_begun(connection, company_id, begun)
            for known in (one for named in directory.begun.values() for one in named):
                if known.id not in directory.by_id:
                    directory.add(known)
    return directory


def cut(text: str) -> str:
    """As far as it can be a reference, and without what the database keeps in no text."""
    text = text[:_LONGEST]
    return text.replace("\x00", "") if "\x00" in text else text


def _further(directory: ReferenceIndex, line: ReportLine) -> list[tuple[str, str]]:
    """Of a provider's line: the words that may say more than what its references have said."""
    if line.kind is LineKind.PAYOUT:
        return []
    named = directory.named_by(line)
    theirs = line.provider_reference
    if not named:
        return [(cut(text), cut(text)) for text in line.texts[:_MOST_TEXTS]]
    if theirs and not any(known.provider_reference in ("", theirs) for known in named):
        return [("", cut(theirs))]  # it names us and calls it otherwise than we know
    return []


def transfers_in(
    directory: ReferenceIndex, line: ReportLine
) -> list[tuple[str, list[KnownReference], bool]]:
    """(name, the bank transfers that it names, whether it must mean them)s of a bank's line."""
    found = []
    for name, is_sure in names_in(line):
        if named := at_the_bank(directory, name):
            found.append((name, named, is_sure))
    if not found:
        weaker = ((name, at_the_bank(directory, name)) for name in more_names_in(line))
        found = [(name, named, False) for name, named in weaker if named]
    if not found and directory.begun:
        for name, is_sure in beginnings_in(line):
            named = [one for one in directory.begun.get(name, ()) if one.connector == BANK]
            if named:
                found.append((name, named, is_sure))
    return found


def at_the_bank(directory: ReferenceIndex, name: str) -> list[KnownReference]:
    """The bank transfers, and their refunds, that are called so."""
    named = [one for one in directory.called(name) if one.connector == BANK]
    if not named:  # what was noted when it was recorded
        noted = [one for one in directory.by_provider.get(name, ()) if one.connector == BANK]
        named = noted if len({one.payment_id for one in noted}) == 1 else []
    return named


def as_transfer(
    directory: ReferenceIndex, booked: Booked, awaited: Awaited, line: ReportLine
) -> ReportLine | MatchResult:
    """A bank's line that names a bank transfer of ours, or its refund, tells of that.

    One that fits to the last unit goes before those that do not; two that fit are for a person.
    A word that may be a word is believed only where the amount fits.
    """
    if line.kind not in MAY_BE_TRANSFERS:
        return line
    by_payment: dict[frozenset[str], tuple[str, list[KnownReference], bool]] = {}
    for name, named, is_sure in transfers_in(directory, line):
        key = frozenset(known.payment_id for known in named)
        before = by_payment.get(key)
        if before is None or (is_sure and not before[2]) or len(named) < len(before[1]):
            by_payment[key] = name, named, is_sure or (before is not None and before[2])
    found = list(by_payment.values())
    fitting = [one for one in found if _fits(booked, awaited, one[1], line)]
    fresh = [one for one in fitting if _fits(booked, awaited, one[1], line, reported=False)]
    meant = fresh or fitting or [one for one in found if one[2]]
    if not meant:
        return line
    if len(meant) > 1:
        several = ambiguous(line, [known for _, named, _ in meant for known in named])
        words = f"{several.words}; kassa breaks match takes it for the payment that is meant"
        return replace(several, words=words) if line.amount.minor > 0 else several
    name, named, _ = meant[0]
    return about(line, named[0].id if len(named) == 1 else name)


def about(line: ReportLine, name: str) -> ReportLine:
    """The line as one of that transfer."""
    return replace(
        line,
        kind=LineKind.PAYMENT if line.amount.minor > 0 else LineKind.REFUND,
        our_reference=name,
        provider_reference="",
        payout_reference="",
        texts=(),
    )


def _fits(
    booked: Booked,
    awaited: Awaited,
    named: Sequence[KnownReference],
    line: ReportLine,
    *,
    reported: bool = True,
) -> bool:
    """Whether something that is booked for these is of exactly that amount, or waited for in it;
    `reported`: though a line has told of it."""
    return any(awaited(known) == line.amount for known in named) or any(
        movement.minor == line.amount.minor
        and movement.currency == line.amount.currency
        and (reported or not movement.reported)
        for known in named
        for movement in booked.get(known.id, ())
    )
