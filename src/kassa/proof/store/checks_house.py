"""Whether the tables are what they seem, and whether what history names is still there."""

from kassa.base.store.queries import Queries
from kassa.proof.store.checks import Check, checks_of


class Sql(Queries):
    nothing_stands_between_the_tables_and_who_reads_them: Check
    what_decided_is_still_there: Check
    orders_end_when_history_says_so: Check


HOUSE_CHECKS = checks_of(Sql)
