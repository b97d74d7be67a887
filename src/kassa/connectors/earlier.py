"""What a provider signed with before it was given a new secret: believed for a while, since what it
posts again is still signed with that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, repr=False)
class Earlier:
    """A secret or key that was replaced; believed until then."""

    value: str
    until: datetime


@dataclass(frozen=True, slots=True, repr=False)
class Signers:
    """What a provider signs with now, and what it signed with before."""

    now: str
    earlier: Sequence[Earlier] = ()

    def at(self, moment: datetime | None) -> list[str]:
        """What is believed at that moment, the newest first; None: no time is judged. Nothing
        where nothing is configured."""
        if not self.now:
            return []
        good = [one.value for one in self.earlier if moment is None or moment < one.until]
        return [self.now, *good]


EarlierOnes = Mapping[str, Sequence[Earlier]]
"""By the setting that was renewed."""
