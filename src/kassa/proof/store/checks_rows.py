"""Questions about what rows say beside the ledger: their times, and their age against history."""

from kassa.base.store.queries import Queries
from kassa.payments.domain import facts
from kassa.payments.domain.older_events import NOTES
from kassa.proof.store.checks import Check, checks_of, listed


def _words(name: str, *kinds: str) -> dict[str, str]:
    """These kinds of facts, in the words of this release and of an older one."""
    notes = sorted(note for note, kind in NOTES.items() if kind in kinds)
    return {f"{name}.kinds": listed(kinds), f"{name}.notes": listed(notes)}


_WORDS = {
    **_words(
        "changes_not",
        facts.ModificationRequested.kind,
        facts.ModificationAmountDiffers.kind,
        facts.RefundUnbooked.kind,
        facts.CaptureUnbooked.kind,
    ),
    **_words("moves_no_dispute", facts.DisputeEventLate.kind, facts.DisputeNotOurs.kind),
}


class Sql(Queries, words=_WORDS):
    times_equal_their_events: Check
    no_row_is_older_than_its_history: Check


ROW_CHECKS = checks_of(Sql)
PAYMENTS_SEALED = (
    "orders and payments are as this program left them",
    "every column of them that the program alone may change carries its seal",
)
ROWS_SEALED = (
    "all other rows are as this program left them",
    "attempts, changes, disputes, letters, notifications, accounts, rules, credentials, codes and"
    " all else that money or trust hangs on carry its seal",
)
ROWS_RECORDED = (
    "rows without events are as their newest record has them",
    "no company, business, credential, account, key, rule, payee, wallet user or code, settlement,"
    " report file or break is gone, or was set back to what it was before",
)
