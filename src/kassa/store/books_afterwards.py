"""Questions about what happens to money afterwards: changes, disputes, settlements, wallets."""

from kassa.domain.settlements import PART_OF, Part
from kassa.store.books import Check, checks_of, listed
from kassa.store.queries import Queries

_WORDS = {
    "lines.not_other": listed(PART_OF),
    **{
        f"lines.{part}": listed(kind for kind, its in PART_OF.items() if its is part)
        for part in Part
        if part is not Part.OTHER
    },
}


class Sql(Queries, words=_WORDS):
    payments_equal_their_changes: Check
    changes_equal_the_ledger: Check
    payments_equal_their_disputes: Check
    disputes_equal_the_ledger: Check
    settlements_equal_their_lines: Check
    settlement_lines_equal_the_ledger: Check
    payments_equal_their_reports: Check
    wallet_balances_equal_the_ledger: Check
    wallet_days_equal_the_ledger: Check


AFTERWARDS_CHECKS = checks_of(Sql)
