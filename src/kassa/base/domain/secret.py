"""A secret in hand: whoever prints, logs, copies to JSON or pickles it learns nothing of it."""

import hmac
from typing import Any, NoReturn, Self


class Secret:
    """Bytes that only `reveal` tells. Compared in constant time; no key of a dict, and no member of
    a set, since both would compare otherwise."""

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """The secret itself, for whoever signs, seals or compares with it."""
        return self._value

    @property
    def text(self) -> str:
        """The same, of a secret that is text."""
        return self._value.decode()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return "Secret(hidden)"

    def __format__(self, _: str) -> str:
        return repr(self)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        raise TypeError("a secret is not written down")
