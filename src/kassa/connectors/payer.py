"""What a merchant said of its payer, as far as a provider takes it; no charge fails over it."""

import re
import unicodedata
from dataclasses import replace

from kassa.connectors.base import ChargeRequest

_EMAIL = re.compile(r"[^@\s]{1,64}+@[^@\s.]{1,63}+(?>(?:\.[^@\s.]{1,63}+){1,8})")
_APART = re.compile(r"[\s().\-/\u2010-\u2015]")


def name_of(text: str, *, allowed: str, shortest: int, longest: int, latin: bool = False) -> str:
    """The name without signs that are neither letters, digits, blanks nor `allowed`; "" where too
    little is left. `latin`: of a-z alone: accents go, and where another letter would have to go
    there is no name at all, for what is left would be somebody else's.
    """
    written = unicodedata.normalize("NFKD" if latin else "NFC", text)
    kept = []
    for mark in written:
        kind = unicodedata.category(mark)[0]
        if latin and kind == "M":
            continue
        is_letter = kind in "LM" or mark.isdigit()
        if latin and is_letter and not mark.isascii():
            return ""
        kept.append(mark if is_letter or mark in allowed else " ")
    name = " ".join("".join(kept).split()).strip(allowed.replace(")", "").replace(".", "") + " ")
    name = name[:longest].strip()
    return name if len(name) >= shortest and any(map(str.isalpha, name)) else ""


def email_of(text: str, *, longest: int) -> str:
    """The address if it can be one; "" else."""
    return text if len(text) <= longest and text.isascii() and _EMAIL.fullmatch(text) else ""


def phone_of(text: str) -> str:
    """The number without what people write between its digits."""
    return _APART.sub("", text)


def line_of(text: str, longest: int) -> str:
    """One line of it without controls and pictures, which some providers cannot keep."""
    kept = (mark if _is_text(mark) else " " for mark in text)
    return " ".join("".join(kept).split())[:longest].strip()


def _is_text(mark: str) -> bool:
    """Pictures are beyond the first plane, where many a database ends; letters there are kept."""
    is_picture = mark > "\uffff" and unicodedata.category(mark)[0] == "S"
    return mark.isprintable() and not is_picture


def plain(request: ChargeRequest) -> ChargeRequest:
    """The same charge without anything that a provider can do without: for a second try, once one
    was refused over it. It is of the same key and amount."""
    return replace(request, customer=None, subject="", description="", order_id=request.key)
