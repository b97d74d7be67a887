"""Questions that only the chain can answer: was a row of history edited, deleted, or slipped in?"""

from kassa.base.store.queries import Queries
from kassa.proof.store.checks import Check, checks_of


class Sql(Queries):
    the_timeline_is_chained: Check
    the_ledger_is_chained: Check
    the_records_are_chained: Check


CHAIN_CHECKS = checks_of(Sql)
OURS = (
    "what waits for the chain is ours",
    "every event, posting and record that has no link yet carries the seal of the program that"
    " wrote it",
)
SEALED = (
    "the chain is whole",
    "every block is sealed onto the one before, holds all of its links in their order, and none"
    " that was known is gone",
)
