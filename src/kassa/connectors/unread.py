"""What becomes of a notification whose signature holds and whose words are not known."""

import hashlib
import re

from kassa.connectors.base import AnyNews, ForeignEvent, IrrelevantEvent, Refused, UnreadEvent
from kassa.connectors.jsontext import text_of
from kassa.modifications.domain.captures import PREFIX

_MOST_SEARCHED = 1 << 20
_KINDS = "|".join(("at", *PREFIX.values()))
_OURS = re.compile(rf"(?<![0-9A-Za-z_])(?:{_KINDS})[0-9]{{1,8}}+_[0-9a-z]{{26}}(?![0-9A-Za-z_])")
"""Our references, as they stand in whatever a provider made of them."""


def unread(
    body: bytes, why: str, *, key: str = "", charge_reference: str = "", for_people: bool = False
) -> UnreadEvent:
    """`key`: our reference in it; else it names our charge wherever that stands in the body, and
    of a capture, void or refund and its charge, the change."""
    found = [match[0] for match in _OURS.finditer(text_of(body[:_MOST_SEARCHED]))]
    changes = [key for key in found if not key.startswith("at")]
    return UnreadEvent(
        # Of its own: the same body may come again and be understood, after an upgrade or because
        # what made it strange stands in a header that nobody signed.
        dedupe_key=f"unread {hashlib.sha256(body).hexdigest()}",
        why=why,
        key=key or next(iter(changes or found), ""),
        charge_reference=charge_reference,
        for_people=for_people,
    )


def genuine(
    said: AnyNews | IrrelevantEvent | ForeignEvent | Refused,
    body: bytes,
    *,
    charge_reference: str = "",
) -> AnyNews | IrrelevantEvent | ForeignEvent:
    """What a reader made of it, when the signature was known to hold: what it could not read is no
    forgery for that, and a person reads it if it is about us."""
    if isinstance(said, Refused):
        return unread(body, said.reason, charge_reference=charge_reference, for_people=True)
    return said
