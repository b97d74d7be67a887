"""What nobody but a person can put right, or find out, becomes a work item."""

import structlog

from kassa.base.domain.lifecycle import BreakClass
from kassa.base.domain.query_schedule import NEEDS_REVIEW
from kassa.base.usecases.core import Core
from kassa.modifications.store import modifications
from kassa.modifications.store.modifications import Stuck
from kassa.modifications.usecases.return_overpayments import MOST_TRIES
from kassa.reconciliation.store import unknown_outcomes
from kassa.reconciliation.store.reconciliation import BreakRow, insert_breaks

_log = structlog.get_logger("kassa.breaks")
_WORDS = {
    BreakClass.DOUBLE_PAID: "refunded, and taken back by the payer's bank as well: tell the bank,"
    " with the refund as evidence",
    BreakClass.UNDECIDED: "the provider has not said for a week what became of it: find out there."
    " It stays unknown until the provider tells",
    BreakClass.AMOUNT: "the provider says that it was another amount: find out there what was"
    " moved, and settle it with the payer",
    BreakClass.SURPLUS_STUCK: "nobody owed it, and it cannot be given back by itself: settle it"
    " with the payer",
}


_RETURNED = (
    "refunded, and the charge was returned by the payer's bank as well: nobody decides on a return,"
    " so ask the payer for what they have twice"
)


async def report_stuck_money(core: Core, limit: int = 1_000) -> int:
    """Open a break for each payment whose money left twice, or holds surplus that cannot go back,
    and for each charge, capture, void or refund of which nobody knows for too long what became.

    Once of each, however often this runs; returns how many are new.
    """
    async with core.db.connection(long=True) as connection:
        found = await modifications.stuck(connection, MOST_TRIES, limit)
        found += await unknown_outcomes.long_undecided(connection, NEEDS_REVIEW, limit)
        found += await unknown_outcomes.marked(connection, limit)
    opened = 0
    for company_id in sorted({one.company_id for one in found}):
        rows = [_break(core, one) for one in found if one.company_id == company_id]
        try:
            async with core.db.transaction(long=True) as connection:
                opened += len(await insert_breaks(connection, company_id, rows))
        except Exception:  # noqa: BLE001 - one company's trouble is not the others'
            _log.exception("breaks could not be opened", company=company_id)
    return opened


def _break(core: Core, one: Stuck) -> BreakRow:
    return BreakRow(
        id=core.new_id("br"),
        problem=one.problem,
        connector=one.connector,
        details=_RETURNED if one.is_return else _WORDS[BreakClass(one.problem)],
        payment_id=one.payment_id,
        cause=one.cause,
        currency=one.currency,
        expected_minor=0,
        found_minor=one.minor,
    )
