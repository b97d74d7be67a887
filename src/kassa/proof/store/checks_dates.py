"""Whether everything that nobody knows yet has a date on which somebody looks again."""

from kassa.base.domain.query_schedule import FURTHEST
from kassa.base.store.queries import Queries
from kassa.proof.store.checks import Check, checks_of


class Sql(Queries, words={"days.furthest": str(FURTHEST.days)}):
    what_is_undecided_has_a_next_date: Check


DATE_CHECKS = checks_of(Sql)
