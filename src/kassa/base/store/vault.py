"""What is known about people, sealed: each row under a key of its own, which is wrapped under the
company's. Whoever destroys the row's key has erased what it sealed, and no row of the books."""

import base64
import hmac
from collections.abc import Mapping

from kassa.base.store.connection import Connection
from kassa.base.store.envelope import new_key, seal, unseal

_REMEMBERED = 10_000  # companies' keys


class Vault:
    """`keys`: the installation's, by version; `current` wraps what is new."""

    def __init__(self, keys: Mapping[int, bytes], current: int) -> None:
        self.renew(keys, current)

    def renew(self, keys: Mapping[int, bytes], current: int) -> None:
        """These keys from now on."""
        self._companies: dict[tuple[int, str], bytes] = {}
        self._keys, self.current = dict(keys), current

    def conceal(self, company_id: str, about: str, plain: bytes) -> tuple[str, str]:
        """What is sealed, and the key to it, both as text. `about`: which row it is of."""
        key = new_key()
        return _text(seal(key, plain, about)), self._wrap(company_id, about, key)

    def reveal(self, company_id: str, about: str, sealed: str, wrapped: str) -> bytes | None:
        """None where its key was destroyed, or anything was edited."""
        key = self._unwrap(company_id, about, wrapped)
        return None if key is None else unseal(key, _bytes(sealed), about)

    def rewrap(self, company_id: str, about: str, wrapped: str) -> str | None:
        """The same key, wrapped under the version in use; None where it cannot be opened."""
        key = self._unwrap(company_id, about, wrapped)
        return None if key is None else self._wrap(company_id, about, key)

    def _wrap(self, company_id: str, about: str, key: bytes) -> str:
        outer = self._company(self.current, company_id)
        assert outer is not None
        return f"{self.current}.{_text(seal(outer, key, _about_key(about, self.current)))}"

    def _unwrap(self, company_id: str, about: str, wrapped: str) -> bytes | None:
        number, _, content = wrapped.partition(".")
        version = int(number) if number.isascii() and number.isdigit() else 0
        outer = self._company(version, company_id)
        if outer is None:
            return None
        return unseal(outer, _bytes(content), _about_key(about, version))

    def _company(self, version: int, company_id: str) -> bytes | None:
        known = self._companies.get((version, company_id))
        if known is None and version in self._keys:
            if len(self._companies) >= _REMEMBERED:
                self._companies.clear()
            message = f"personal data of {company_id}".encode()
            known = hmac.digest(self._keys[version], message, "sha256")
            self._companies[version, company_id] = known
        return known

    def __repr__(self) -> str:
        return "Vault(hidden)"


def _about_key(about: str, version: int) -> str:
    return f"{about}|key|{version}"


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    """Nothing, which nothing opens, for what is no text of ours."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


def vault_of(connection: Connection) -> Vault:
    """What personal data is sealed with that this connection writes and reads."""
    if connection.vault is None:
        raise RuntimeError("this connection was opened without the installation's key")
    return connection.vault
