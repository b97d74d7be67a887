"""Money that nobody but a person can put right becomes a work item."""

from kassa.domain.reports import BreakClass
from kassa.store import modifications
from kassa.store.reconciliation import BreakRow, insert_breaks
from kassa.usecases.core import Core
from kassa.usecases.return_surplus import MOST_TRIES

_WORDS = {
    BreakClass.DOUBLE_PAID: "refunded, and taken back by the payer's bank as well: tell the bank,"
    " with the refund as evidence",
    BreakClass.SURPLUS_STUCK: "nobody owed it, and it cannot be given back by itself: settle it"
    " with the payer",
}


async def report_stuck_money(core: Core, limit: int = 1_000) -> int:
    """Open a break for each payment whose money left twice, or holds surplus that cannot go back.

    Once of each payment and class, however often this runs; returns how many are new.
    """
    opened = 0
    async with core.db.transaction() as connection:
        found = await modifications.stuck(connection, MOST_TRIES, limit)
        for company_id in sorted({one.company_id for one in found}):
            rows = [
                BreakRow(
                    id=core.new_id("br"),
                    problem=one.problem,
                    connector=one.connector,
                    details=_WORDS[BreakClass(one.problem)],
                    payment_id=one.payment_id,
                    currency=one.currency,
                    expected_minor=0,
                    found_minor=one.minor,
                )
                for one in found
                if one.company_id == company_id
            ]
            opened += len(await insert_breaks(connection, company_id, rows))
    return opened
