"""What the wallet said, once its signature is known to hold: members read one by one, and doubted.

Amounts are whole smallest units as text, in the currency's own count.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.jsontext import read_object

S, A, U, F = "S", "A", "U", "F"
_WORD = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_VALUE = re.compile(r"[0-9]{1,16}", re.ASCII)
_MAX_ID = 64


@dataclass(frozen=True, slots=True)
class WalletAnswer:
    """The members of an answer or a notification that the wallet signed."""

    members: Mapping[str, Any]

    def word(self, name: str) -> str:
        """A member as text; "" where it is absent or no text."""
        value = self.members.get(name)
        return value if isinstance(value, str) else ""

    def id(self, name: str) -> str:
        """An id as text; "" where it is absent or longer than the family allows."""
        value = self.word(name)
        return value if len(value) <= _MAX_ID and value.isprintable() else ""

    def part(self, name: str) -> "WalletAnswer":
        """A member that is an object; an empty one where it is not."""
        value = self.members.get(name)
        return WalletAnswer(value) if isinstance(value, dict) else WalletAnswer({})

    def parts(self, name: str) -> Sequence["WalletAnswer"]:
        """A member that is a list, in it an empty object for what is none."""
        value = self.members.get(name)
        listed = value if type(value) is list else []
        return [WalletAnswer(one if isinstance(one, dict) else {}) for one in listed]

    def amount(self, name: str) -> Money | None:
        """None where it is absent or cannot be read to the digit."""
        amount = self.part(name)
        value = amount.members.get("value")
        text = str(value) if type(value) in (str, int) else ""
        if not _VALUE.fullmatch(text):
            return None
        try:
            return Money.from_minor(int(text), amount.word("currency"))
        except InvalidRequest:
            return None

    def moment(self, name: str) -> datetime | None:
        """A time with its zone, or None."""
        try:
            moment = datetime.fromisoformat(self.word(name))
        except ValueError:
            return None
        return moment.astimezone(UTC) if moment.tzinfo is not None else None

    @property
    def status(self) -> str:
        """S, A, U or F; what else it may be is U. The one Spanish copy misprints A as R."""
        word = self.part("result").word("resultStatus")
        return word if word in (S, A, F) else U

    @property
    def code(self) -> str:
        """resultCode, or "" where it is no word."""
        word = self.part("result").word("resultCode")
        return word if _WORD.fullmatch(word) else ""

    @property
    def codes(self) -> str:
        """Status and code, for our log."""
        return f"{self.status} {self.code or 'without a code'}"


def read_said(body: bytes) -> WalletAnswer | None:
    """The JSON object in `body`, None when it is not one or has a member twice."""
    try:
        return WalletAnswer(read_object(body))
    except ValueError:
        return None
