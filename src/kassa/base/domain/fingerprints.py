"""What a request asked for, in one form: by it a repeat is known from a contradiction.

Of that form a hash is kept for ever, so it never changes. What a request gains later joins it only
where it is not its default: then the requests from before are known as they were.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class Of:
    """A field that stands in another form than it has, as `read` makes it."""

    name: str
    read: Callable[[Any], object]


Place = str | Of | tuple[str, ...]


class Fingerprint(Generic[Request]):
    """Which fields of a request count, each of them named here once.

    `first`: those of the first form, in their places. `later`: those that joined; a name stands
    beside its value. `left_out`: those that do not count, each with its reason. `undecided`: those
    of which nobody has said anything: they count as if they had joined, and a test names them.
    """

    def __init__(
        self,
        kind: type[Request],
        *first: Place,
        later: Sequence[str | Of] = (),
        left_out: Mapping[str, str],
    ) -> None:
        """Raises: TypeError when it names what the request does not have, or joins what has no
        default."""
        self.kind, self.left_out = kind, left_out
        known = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
        named = {*_names(first), *_names(later), *left_out}
        if named - known.keys():
            raise TypeError(f"{kind.__name__} has no {sorted(named - known.keys())}")
        self.undecided = tuple(name for name in known if name not in named)
        self._first = [_reader(place) for place in first]
        self._later = [
            (attrgetter(_names([one])[0]), _default(known[_names([one])[0]]), _joined(one))
            for one in (*later, *self.undecided)
        ]

    def content(self, request: Request) -> tuple[object, ...]:
        """What is hashed."""
        found = [read(request) for read in self._first]
        for get, default, read in self._later:
            if (value := get(request)) != default:
                found.append(read(value))
        return tuple(found)


def _names(places: Sequence[Place]) -> list[str]:
    found: list[str] = []
    for place in places:
        if isinstance(place, tuple):
            found += place
        else:
            found.append(place.name if isinstance(place, Of) else place)
    return found


def _reader(place: Place) -> Callable[[Any], object]:
    if isinstance(place, tuple):
        return attrgetter(*place)
    if isinstance(place, str):
        return attrgetter(place)
    get, read = attrgetter(place.name), place.read
    return lambda request: read(get(request))


def _joined(one: str | Of) -> Callable[[Any], object]:
    if isinstance(one, Of):
        return one.read
    return lambda value: (one, value)


def _default(one: Field[Any]) -> object:
    if one.default is not MISSING:
        return one.default
    if one.default_factory is not MISSING:
        return one.default_factory()
    raise TypeError(f"{one.name} joins a fingerprint and has no default for requests without it")
