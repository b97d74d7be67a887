"""Questions about what happens to money afterwards: changes, disputes, settlements, wallets."""

from kassa.base.store.queries import Queries
from kassa.proof.store.checks import Check, checks_of, listed
from kassa.settlement.domain.settlements import PART_OF, SettlementPart

_WORDS = {
    "lines.not_other": listed(PART_OF),
    **{
        f"lines.{part}": listed(kind for kind, its in PART_OF.items() if its is part)
        for part in SettlementPart
        if part is not SettlementPart.OTHER
    },
}


class Sql(Queries, words=_WORDS):
    payments_equal_their_changes: Check
    changes_equal_the_ledger: Check
    payments_equal_their_disputes: Check
    disputes_equal_the_ledger: Check
    currencies_are_those_of_what_they_are_for: Check
    settlements_equal_their_lines: Check
    settlement_lines_equal_the_ledger: Check
    exchanges_equal_their_reports: Check
    tries_of_payouts_equal_the_ledger: Check
    payments_equal_their_reports: Check
    wallet_balances_equal_the_ledger: Check
    wallet_days_equal_the_ledger: Check


AFTERWARDS_CHECKS = checks_of(Sql)
