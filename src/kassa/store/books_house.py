"""Whether the tables are what they seem, and whether what history names is still there."""

from kassa.store.books import Check, checks_of
from kassa.store.queries import Queries


class Sql(Queries):
    nothing_stands_between_the_tables_and_who_reads_them: Check
    what_decided_is_still_there: Check
    orders_end_when_history_says_so: Check


HOUSE_CHECKS = checks_of(Sql)
