"""Bank transfers in a bank's statement: which payment, order or refund of ours a line names.

Payers and banks write what they like around our ids, in any case; many banks let no underscore
through, and write a space, a dash or nothing for it.
"""

import re
from collections.abc import Iterator

from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.domain.reports import LineKind, ReportLine

MAY_BE_TRANSFERS = frozenset({LineKind.PAYOUT, LineKind.PAYMENT, LineKind.REFUND})
"""A bank's own reports call every movement a payout; a table of somebody's may know better."""

CONNECTOR = BANK
"""With whom an attempt by bank transfer is, as if the bank had been asked."""

_WORDS = 20  # of a free text, that may be an order's id
_OURS = re.compile(
    r"(?<![0-9a-z])(order|py|at[0-9]{1,8}|re[0-9]{1,8})[ _/.:-]?"
    r"([0-9a-hjkmnp-tv-z]{26})(?![0-9a-z])",
    re.IGNORECASE | re.ASCII,
)


def names_in(line: ReportLine) -> Iterator[tuple[str, bool]]:
    """What the line may call something of ours; whether it must mean that.

    Ids that we make, and references that stand alone, leave no doubt. A word of a free text may
    be an order's id that a merchant has chosen, and may as well be a word.
    """
    texts = [
        text
        for text in (line.our_reference, line.payout_reference, line.provider_reference)
        if text
    ]
    seen: set[str] = set()
    for text in texts:
        for found in _OURS.finditer(text):
            name = f"{found[1]}_{found[2]}".lower()
            if name not in seen:
                seen.add(name)
                yield name, True
    for is_sure, names in (
        (True, texts[:1] if line.our_reference else ()),
        (False, (word for text in texts for word in text.split()[:_WORDS])),
    ):
        for name in names:
            if name not in seen and name.isprintable():
                seen.add(name)
                yield name, is_sure
