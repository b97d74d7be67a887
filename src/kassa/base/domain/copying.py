"""`replace` for wide frozen dataclasses, at a fifth of the price of the standard one.

That reads each member by name, builds a dict and goes through `__init__`, once for every step of a
payment: some 20 microseconds. Here a function is made for each class that copies slot by slot. A
type checker sees `dataclasses.replace`, and so each member's name and type.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

__all__ = ["replace"]

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(whole: Any, /, **changes: Any) -> Any:
        """A copy of `whole` with other members. Raises: TypeError for one that it has not."""
        copy, setters, check = _made(type(whole))
        made = copy(whole)
        for name, value in changes.items():
            try:
                setters[name](made, value)
            except KeyError:
                raise TypeError(f"{type(whole).__name__} has no member {name!r}") from None
        if check is not None:
            check(made)
        return made


_Made = tuple[
    Callable[[Any], Any], dict[str, Callable[[Any, Any], None]], Callable[[Any], None] | None
]
_MADE: dict[type, _Made] = {}


def _made(cls: type) -> _Made:
    found = _MADE.get(cls)
    if found is None:
        found = _MADE[cls] = _make(cls)
    return found


def _make(cls: type) -> _Made:
    names = [one.name for one in fields(cls)]
    setters = {name: getattr(cls, name).__set__ for name in names}  # the slots' own: frozen or not
    steps = "".join(f" set_{name}(made, whole.{name})\n" for name in names)
    scope = {f"set_{name}": setter for name, setter in setters.items()}
    scope |= {"new": object.__new__, "cls": cls}
    text = f"def copy(whole):\n made = new(cls)\n{steps} return made\n"
    exec(text, scope)  # noqa: S102 - of members' names, nothing from outside
    return scope["copy"], setters, getattr(cls, "__post_init__", None)
