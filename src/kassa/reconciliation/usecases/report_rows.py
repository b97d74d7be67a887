"""Rows of a report's lines, as they are kept with what became of them."""

from kassa.base.domain.lifecycle import BreakClass
from kassa.reconciliation.domain.matching import LineState, MatchResult
from kassa.reconciliation.domain.reports import ReportLine, Unreadable
from kassa.reconciliation.store.reconciliation import BreakRow, LineRow, ReportFile
from kassa.reconciliation.usecases import report_evidence as evidence


def row_of(place: int, line: ReportLine, verdict: MatchResult, identity: str) -> LineRow:
    return LineRow(
        place=place,
        number=line.number,
        kind=line.kind,
        amount_minor=line.amount.minor,
        fee_minor=line.fee.minor,
        currency=line.amount.currency,
        our_reference=evidence.cut(line.our_reference),
        provider_reference=evidence.cut(line.provider_reference),
        payout_reference=evidence.cut(line.payout_reference),
        occurred_at=line.occurred_at,
        raw=_clean_raw(line.raw),
        state=verdict.state,
        match_key=verdict.key,
        payment_id=verdict.payment_id,
        cause=verdict.cause,
        presented_minor=line.presented.minor if line.presented else None,
        presented_currency=line.presented.currency if line.presented else None,
        identity=identity,
        # Who looks at the line again needs them.
        texts=() if verdict.state is LineState.MATCHED else tuple(map(clean, line.texts)),
    )


def break_of(
    file: ReportFile,
    place: int,
    problem: BreakClass,
    words: str,
    line: ReportLine | None,
    verdict: MatchResult | None,
) -> BreakRow:
    """About a line; it has no id yet."""
    return BreakRow(
        id="",
        problem=problem,
        connector=file.connector,
        details=clean(words)[:500],
        file_id=file.id,
        place=place,
        payment_id=verdict.payment_id if verdict else "",
        cause=verdict.cause if verdict else "",
        currency=line.amount.currency if line else "",
        expected_minor=verdict.expected_minor if verdict else None,
        found_minor=line.amount.minor if line else None,
    )


def clean(text: str) -> str:
    """Without what the database keeps in no text."""
    return text.replace("\x00", "") if "\x00" in text else text


def _clean_raw(raw: dict[str, str]) -> dict[str, str]:
    if "\x00" in "".join((*raw, *raw.values())):
        return {clean(name): clean(text) for name, text in raw.items()}
    return raw


def row_aside(place: int, item: Unreadable) -> LineRow:
    """Of a line that was not understood."""
    return LineRow(
        place=place,
        number=item.number,
        kind="unreadable",
        amount_minor=None,
        fee_minor=None,
        currency=None,
        our_reference="",
        provider_reference="",
        payout_reference="",
        occurred_at=None,
        raw=_clean_raw(item.raw),
        state=LineState.IGNORED if item.is_pending else LineState.QUARANTINE,
    )
