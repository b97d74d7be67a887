"""Ids and chances that the same seed makes again: no random source, no clock."""

from hashlib import blake2b

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH = 24
_BITS = 53  # what a float holds exactly


class Chance:
    """Everything follows from `seed` and what is asked about, whatever the order of asking."""

    def __init__(self, seed: int) -> None:
        self._key = blake2b(str(seed).encode(), digest_size=32).digest()

    def new_id(self, prefix: str, *about: str) -> str:
        """`prefix` and 24 letters and digits."""
        number = self._number("id", prefix, *about)
        signs = []
        for _ in range(_ID_LENGTH):
            number, place = divmod(number, len(_ALPHABET))
            signs.append(_ALPHABET[place])
        return prefix + "".join(signs)

    def digits(self, length: int, *about: str) -> str:
        """`length` decimal digits, the first of them no zero."""
        if length < 1:
            return ""
        low = 10 ** (length - 1)
        return str(low + self._number("digits", str(length), *about) % (10 * low - low))

    def chance(self, *about: str) -> float:
        """From 0 to just below 1."""
        return (self._number("chance", *about) >> (512 - _BITS)) / (1 << _BITS)

    def bytes(self, length: int, *about: str) -> bytes:
        """Noise."""
        parts = (
            self._number("bytes", str(part), *about).to_bytes(64, "big")
            for part in range(length // 64 + 1)
        )
        return b"".join(parts)[:length]

    def _number(self, *about: str) -> int:
        state = blake2b(key=self._key)
        for part in about:
            text = part.encode("utf-8", "surrogatepass")
            state.update(len(text).to_bytes(8, "big"))  # so that ("a", "b") is not ("ab",)
            state.update(text)
        return int.from_bytes(state.digest(), "big")
