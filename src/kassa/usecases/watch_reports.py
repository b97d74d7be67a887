"""What reports leave to time: payments that were reported before the rest of them was let go, and
payments that no report has told of in all the days since."""

from kassa.store import breaks
from kassa.usecases.core import Core
from kassa.usecases.reconcile import find_missing, settle_complete


async def watch_reports(core: Core) -> int:
    """For every company that has had a report; how many payments were settled or are missed."""
    async with core.db.connection(long=True) as connection:
        complete = await breaks.companies_to_settle(connection)
        reported = await breaks.accounts_reported(connection)
    done = 0
    for company_id in complete:
        done += await settle_complete(core, company_id)
    for company_id, connector in reported:
        done += await find_missing(core, company_id, connector)
    return done
