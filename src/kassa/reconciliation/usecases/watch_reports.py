"""What reports leave to time: payments that were reported before the rest of them was let go, and
payments that no report has told of in all the days since."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from kassa.base.usecases.core import Core
from kassa.reconciliation.store import breaks
from kassa.reconciliation.usecases.reconcile import find_missing, settle_complete

_log = structlog.get_logger("kassa.reports")


async def watch_reports(core: Core) -> int:
    """For every company that has had a report; how many payments were settled or are missed."""
    async with core.db.connection(long=True) as connection:
        complete = await breaks.companies_to_settle(connection)
        reported = await breaks.accounts_reported(connection)
    work: list[tuple[str, Callable[[], Awaitable[int]]]] = [
        *((company_id, partial(settle_complete, core, company_id)) for company_id in complete),
        *(
            (company_id, partial(find_missing, core, company_id, name))
            for company_id, name in reported
        ),
    ]
    done = 0
    for company_id, one in work:
        try:
            done += await one()
        except Exception:  # noqa: BLE001 - one company's trouble is not the others'
            _log.exception("reports could not be watched", company=company_id)
    return done
