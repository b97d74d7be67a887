"""What a table's seals are over: its columns by the versions of its seals."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any


def label_of(part: str, version: int) -> str:
    return part if version == 1 else f"{part} {version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Columns that joined a seal when rows had been sealed without them: its next version.

    `was`: by column, what it is in a row that an earlier version sealed, in SQL, of the row `t`.
    Another value there is a falsified one: no seal covers it.
    """

    part: str
    was: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Taken:
    """How a row's content is taken for a seal that is to be made, and what the seal begins with."""

    label: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    mark: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """One table's. `key`: what names a row; it is in both seals. `open`: covered by no seal, by
    the reason. `called`: what a person calls a row; its columns with a space between.

    `birth`, `seal`: the first version of each; `joined`: what came later, in its order.
    `appended`: its rows are never written again. `unborn`, `unsealed`: conditions for rows that
    need no `birth`, or no `seal`. `recorded`: it has no events, and a record for each writing.
    """

    key: tuple[str, ...]
    birth: tuple[str, ...] = ()
    seal: tuple[str, ...] = ()
    joined: tuple[Joined, ...] = ()
    open: Mapping[str, str] = field(default_factory=dict)
    called: str = "t.id"
    since: str = "t.created_at"
    company: str = "t.company_id"
    unsealed: str = "false"
    unborn: str = "false"
    appended: bool = False
    recorded: bool = False
    taken: Mapping[str, Taken] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        taken = {}
        for part in self.parts:
            newest = self.newest(part)
            mark = b"" if newest == 1 else bytes([newest])
            taken[part] = Taken(label_of(part, newest), itemgetter(*self.columns(part)), mark)
        object.__setattr__(self, "taken", taken)

    def newest(self, part: str) -> int:
        """The version of the seals that are made now."""
        return 1 + len(self._joined(part))

    def own(self, part: str, version: int | None = None) -> tuple[str, ...]:
        """What that version of the seal (None: the newest) is over, beside the key."""
        later = self._joined(part)[: None if version is None else version - 1]
        first = self.birth if part == "birth" else self.seal
        return first + tuple(name for one in later for name in one.was)

    def columns(self, part: str, version: int | None = None) -> tuple[str, ...]:
        return self.key + self.own(part, version)

    def was(self, part: str, version: int) -> dict[str, str]:
        """What the columns that came after that version must be in its rows."""
        later = self._joined(part)[version - 1 :]
        return {name: value for one in later for name, value in one.was.items()}

    def _joined(self, part: str) -> list[Joined]:
        return [one for one in self.joined if one.part == part]

    def exempt(self, part: str) -> str:
        """The condition for a row that needs no seal of that part."""
        return self.unborn if part == "birth" else self.unsealed

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(part for part in ("birth", "seal") if getattr(self, part))
