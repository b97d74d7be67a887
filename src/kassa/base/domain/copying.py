"""`replace` and `maker` for wide frozen dataclasses, at a sixth of the price of the standard ones.

Those set each member by name through `object.__setattr__`: some 20 microseconds for a payment, at
each step of it. Here an object is made as its class's twin: of the same slots and not frozen. It
gets its members by plain assignment, becomes what it is meant to be, and is frozen from then on. A
type checker sees `dataclasses.replace`, and so each member's name and type.
"""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["maker", "replace"]

_T = TypeVar("_T")

if TYPE_CHECKING:
    from dataclasses import replace
else:

    def replace(whole: Any, /, **changes: Any) -> Any:
        """A copy of `whole` with other members. Raises: TypeError for one that it has not."""
        cls = type(whole)
        copy, check = _COPIES.get(cls) or _copied(cls)
        made = copy(whole)
        for name, value in changes.items():
            try:
                setattr(made, name, value)
            except AttributeError:
                raise TypeError(f"{cls.__name__} has no member {name!r}") from None
        made.__class__ = cls
        if check is not None:
            check(made)
        return made


def maker(cls: type[_T], names: Sequence[str]) -> Callable[..., _T] | None:
    """What makes a `cls` of the values of these members, in that order; the others are as they are
    by default. None where `cls` must make its own: it checks itself, has no twin, or would lack a
    member."""
    if not _has_twin(cls) or hasattr(cls, "__post_init__"):
        return None
    scope: dict[str, Any] = {"new": object.__new__, "cls": cls, "twin": _twin(cls)}
    steps = [f" one.{name} = {name}" for name in names]
    for left in fields(cls):  # type: ignore[arg-type] # a dataclass: it has a twin
        if left.name in names:
            continue
        if left.default_factory is not MISSING:
            scope[f"new_{left.name}"] = left.default_factory
            steps.append(f" one.{left.name} = new_{left.name}()")
        elif left.default is not MISSING:
            scope[f"default_{left.name}"] = left.default
            steps.append(f" one.{left.name} = default_{left.name}")
        else:
            return None
    lines = [f"def made({', '.join(names)}):", " one = new(twin)", *steps]
    found: Callable[..., _T] = _function(
        "\n".join([*lines, " one.__class__ = cls", " return one"]), scope
    )
    return found


def _has_twin(cls: type) -> bool:
    """Whether it is frozen; where not, plain assignment is what it has anyway."""
    if not is_dataclass(cls) or "__slots__" not in vars(cls):
        return False
    return bool(vars(cls)["__dataclass_params__"].frozen)


def _twin(cls: type) -> type:
    own = {"__slots__": vars(cls)["__slots__"], "__setattr__": object.__setattr__}
    return type(f"_{cls.__name__}InTheMaking", (cls.__base__ or object,), own)


_Copy = tuple[Callable[[Any], Any], Callable[[Any], None] | None]
_COPIES: dict[type, _Copy] = {}


def _copied(cls: type) -> _Copy:
    names = [one.name for one in fields(cls)]
    twin = _twin(cls) if _has_twin(cls) else cls
    steps = [f" one.{name} = whole.{name}" for name in names]
    text = "\n".join(["def made(whole):", " one = new(twin)", *steps, " return one"])
    copy = _function(text, {"new": object.__new__, "twin": twin})
    found = _COPIES[cls] = copy, getattr(cls, "__post_init__", None)
    return found


def _function(text: str, scope: dict[str, Any]) -> Any:
    exec(text, scope)  # noqa: S102 - of members' names, nothing from outside
    return scope["made"]
