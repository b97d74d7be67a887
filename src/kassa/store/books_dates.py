"""Whether everything that nobody knows yet has a date on which somebody looks again."""

from kassa.domain.questions import FURTHEST
from kassa.store.books import Check, checks_of
from kassa.store.queries import Queries


class Sql(Queries, words={"days.furthest": str(FURTHEST.days)}):
    what_is_undecided_has_a_next_date: Check


DATE_CHECKS = checks_of(Sql)
