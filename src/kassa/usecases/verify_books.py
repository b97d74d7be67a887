"""Prove the books: every promise asked as a question, every counter-example shown."""

from collections.abc import Callable
from dataclasses import dataclass

from kassa.domain.errors import IllegalTransition
from kassa.domain.lifecycle import PaymentEvent, PaymentStatus, next_status
from kassa.store import books
from kassa.store.books import CHECKS, Violation
from kassa.usecases.core import Core

_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Proof:
    """`counts`: what was looked at. Sound books have no `violations`."""

    counts: dict[str, int]
    checks: tuple[tuple[str, str], ...]
    violations: tuple[Violation, ...]


async def verify_books(core: Core, progress: Callable[[str], None] = lambda _: None) -> Proof:
    """Run every check in one snapshot; `progress` hears the name of each as it begins."""
    found: list[Violation] = []
    async with core.db.transaction() as connection:
        await books.hold_still(connection)
        counts = await books.counts(connection)
        for check in CHECKS:
            progress(check.name)
            found += await books.violations(connection, check)
        progress(_REPLAY[0])
        found += await _replay(connection)
    checks = tuple((check.name, check.promise) for check in CHECKS)
    return Proof(counts, (*checks, _REPLAY), tuple(found))


_REPLAY = (
    "timelines replay",
    "each payment's events, replayed through the transition table, are legal and gapless",
)


async def _replay(connection: object) -> list[Violation]:
    """Walk every timeline in order with the very table that moves payments."""
    found: list[Violation] = []
    after = ("", "", 0)
    holder: tuple[str, str] = ("", "")
    status: str | None = None
    while rows := await books.events_after(connection, after, _PAGE):
        for company_id, payment_id, seq, event, before, to in rows:
            if (company_id, payment_id) != holder:
                holder, status = (company_id, payment_id), None
            fault = _fault(status, event, before, to)
            if fault:
                found.append(Violation(_REPLAY[0], company_id, payment_id, f"event {seq}: {fault}"))
            status = to
        after = rows[-1][:3]
    return found[:100]


def _fault(status: str | None, event: str, before: str | None, to: str) -> str:
    if status is None:
        return "" if event == PaymentEvent.CREATE and before is None else f"begins with {event}"
    if before != status:
        return f"comes from {before}, but the payment was {status}"
    try:
        expected = next_status(PaymentStatus(status), PaymentEvent(event))
    except ValueError as error:
        return f"{error}"  # a word that is no state or no event of ours
    except IllegalTransition as error:
        return error.message
    return "" if expected == to else f"{event} leads to {expected}, not to {to}"
