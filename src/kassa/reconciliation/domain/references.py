"""What the references of a report's lines lead to, among what is ours; pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from kassa.reconciliation.domain.reports import LineKind, ReportLine

_CHANGES = {
    "capture": frozenset({LineKind.PAYMENT}),
    "refund": frozenset({LineKind.REFUND, LineKind.REFUND_REVERSAL}),
}
_OF_DISPUTES = frozenset({LineKind.DISPUTE, LineKind.DISPUTE_REVERSAL})
_FOLLOWS = _CHANGES["refund"] | _OF_DISPUTES
"""What one charge may have several of, each under a name of its own."""
_FORM = re.compile(r"[a-zA-Z]{1,40}_")


@dataclass(slots=True)  # not frozen, which would take four times as long to make
class KnownReference:
    """Something of ours that a reference may name: an attempt, a modification or a dispute.

    `kind`: attempt, capture, void, refund or dispute. `is_open`: its outcome is not known yet.
    """

    id: str
    kind: str
    attempt_id: str
    payment_id: str
    connector: str
    provider_reference: str
    status: str
    is_open: bool


@dataclass(slots=True)
class ReferenceIndex:
    """What the references of some lines lead to. `by_order`: by an order's id, or a payment's;
    `begun`: by the beginning of an id, where that leads to one payment alone."""

    by_id: dict[str, KnownReference] = field(default_factory=dict)
    by_order: dict[str, list[KnownReference]] = field(default_factory=dict)
    by_provider: dict[str, list[KnownReference]] = field(default_factory=dict)
    of_attempt: dict[str, list[KnownReference]] = field(default_factory=dict)
    begun: dict[str, list[KnownReference]] = field(default_factory=dict)

    def merge(self, other: "ReferenceIndex") -> None:
        """Take in what another look has found."""
        for known in other.by_id.values():
            if known.id not in self.by_id:
                self.add(known)
        for order_id, named in other.by_order.items():
            self.by_order.setdefault(order_id, [self.by_id[one.id] for one in named])

    def add(self, known: KnownReference, order_id: str = "") -> None:
        self.by_id[known.id] = known
        if order_id:
            self.by_order.setdefault(order_id, []).append(known)
        if known.provider_reference:
            self.by_provider.setdefault(known.provider_reference, []).append(known)
        if known.kind != "attempt":
            self.of_attempt.setdefault(known.attempt_id, []).append(known)

    def called(self, name: str) -> list[KnownReference]:
        """What is called exactly that among us."""
        one = self.by_id.get(name)
        return [one] if one is not None else self.by_order.get(name, [])

    def named_by(self, line: ReportLine) -> list[KnownReference]:
        """By our reference, else by the provider's, else by its other texts."""
        if line.our_reference:
            found = self.called(line.our_reference)
            if found:
                return found
        if line.provider_reference:
            found = self._at_the_provider(line.provider_reference, line.kind)
            if found:
                return found
        named = (self.called(text) or self._at_the_provider(text, line.kind) for text in line.texts)
        return next((found for found in named if found), [])

    def rivals(self, line: ReportLine, named: Sequence[KnownReference]) -> list[KnownReference]:
        """What other words of the line lead to, where that is not what it is taken for."""
        payments = {known.payment_id for known in named}
        found: list[KnownReference] = []
        for text in (line.our_reference, line.provider_reference, *line.texts):
            others = (self.called(text) or self.by_provider.get(text)) if text else None
            if others and payments.isdisjoint([known.payment_id for known in others]):
                found += others
        return found

    def _at_the_provider(self, name: str, kind: LineKind) -> list[KnownReference]:
        found = self.by_provider.get(name, [])
        # Refunds may carry the reference of the charge: what is of the line's kind goes before.
        return [item for item in found if is_of(item, kind)] or found


def is_of(known: KnownReference, kind: LineKind) -> bool:
    if known.kind == "dispute":
        return kind in _OF_DISPUTES
    return kind in _CHANGES.get(known.kind, ())


@dataclass(slots=True)
class Subject:
    """What a line is about. `causes`: what its movements are booked for; `exact`: it is named
    itself, and not only the charge or the order that it belongs to."""

    causes: list[str]
    known: KnownReference
    exact: bool


def subject_of(
    line: ReportLine, named: Sequence[KnownReference], directory: ReferenceIndex
) -> Subject:
    """`named`: of one provider account, at least one."""
    if len(named) == 1 and named[0].kind != "attempt":
        return Subject([named[0].id], named[0], exact=True)
    causes: list[str] = []
    for known in named:
        if known.kind != "attempt" or line.kind is LineKind.PAYMENT:
            causes.append(known.id)
        changes = directory.of_attempt.get(known.id)
        if changes:
            inside = [item for item in changes if is_of(item, line.kind)]
            theirs = [item for item in inside if item.provider_reference == line.provider_reference]
            # A provider's own name for one of several narrows them down.
            narrowed = theirs if theirs and line.provider_reference else inside
            causes += [item.id for item in narrowed]
    return Subject(list(dict.fromkeys(causes)), named[0], exact=False)


def may_be_another(
    line: ReportLine, subject: Subject, causes: Sequence[str], directory: ReferenceIndex
) -> bool:
    """Whether a name of the line is none that we know for these, of which none has its amount."""
    if line.kind not in _FOLLOWS or _is_named_itself(line, subject, directory):
        return False
    if _is_strange(line, directory):
        return True
    names = {name for cause in causes if (name := _called(directory, cause))}
    return bool(line.provider_reference and names) and line.provider_reference not in names


def is_another(line: ReportLine, subject: Subject, cause: str, directory: ReferenceIndex) -> bool:
    """Whether the line's names say that it is of another than `cause`, whatever its amount is:
    both of a refund's, or the provider's, where the two are of one form."""
    theirs, mine = line.provider_reference, _called(directory, cause)
    if line.kind not in _FOLLOWS or not theirs or not mine or theirs == mine:
        return False
    if _is_named_itself(line, subject, directory) or directory.by_provider.get(theirs):
        return False
    # What came back may have a number of its own: it says less than a refund's.
    of_refund = line.kind is LineKind.REFUND and _is_strange(line, directory)
    return of_refund or _form_of(theirs) == _form_of(mine)


def _is_named_itself(line: ReportLine, subject: Subject, directory: ReferenceIndex) -> bool:
    theirs = directory.by_provider.get(line.provider_reference, ())
    # Where a refund is called like its charge, only its other name says which one it is.
    return subject.exact and all(known.kind != "attempt" for known in theirs)


def _is_strange(line: ReportLine, directory: ReferenceIndex) -> bool:
    return bool(line.our_reference) and not directory.called(line.our_reference)


def _called(directory: ReferenceIndex, cause: str) -> str:
    """What the provider calls a change or a dispute of ours; "" for a charge, and if unknown."""
    known = directory.by_id.get(cause)
    return known.provider_reference if known and known.kind != "attempt" else ""


def _form_of(name: str) -> tuple[int, str]:
    prefix = _FORM.match(name)
    return len(name), prefix[0] if prefix else "digits" if name.isdecimal() else ""
