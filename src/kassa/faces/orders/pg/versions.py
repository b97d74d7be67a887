"""Versions of the API: what `x-api-version` changes in an answer."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.datastructures import Headers

from kassa.base.domain.errors import InvalidRequest

HEADER = "x-api-version"
_NUMBER = re.compile(r"[0-9]{1,16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiVersion:
    """`integer_ids`: ids of our own making are numbers. `links`: an order shows where its parts
    are. `words`: order statuses that this version has no word of its own for. `details`: a payment
    shows the order's currency and the provider. `whole_customer`: its clients refuse a customer who
    lacks an id or a phone number, so such a one is left out."""

    name: str
    integer_ids: bool = False
    links: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    details: bool = True
    whole_customer: bool = False

    def id_of(self, own: str) -> str | int:
        """One of our ids as this version writes it."""
        return number_of(own) if self.integer_ids else own

    def refund_id_of(self, own: str) -> str:
        return f"refund_{number_of(own)}" if self.integer_ids else own

    def echo(self, asked: str) -> str | int | None:
        """An id out of an address as this version writes ids; None for what cannot be one."""
        if not self.integer_ids:
            return asked
        return int(asked) if _NUMBER.fullmatch(asked) else None

    def names(self, own: str, asked: str) -> bool:
        """Whether `asked`, out of an address, is our id `own`, in any version's writing."""
        return asked in (own, str(number_of(own)))


VERSIONS: Mapping[str, ApiVersion] = {
    version.name: version
    for version in (
        ApiVersion(
            name="2022-09-01",
            integer_ids=True,
            links=True,
            words={"TERMINATED": "EXPIRED", "TERMINATION_REQUESTED": "ACTIVE"},
            details=False,
            whole_customer=True,
        ),
        ApiVersion(name="2023-08-01", details=False),
        ApiVersion(name="2025-01-01"),
        ApiVersion(name="2026-01-01"),
    )
}
"""2026-01-01 is what the newest official clients send; it reads as 2025-01-01."""


def number_of(own: str) -> int:
    """An integer alias of one of our ids: 53 bits, which every JSON reader keeps exactly."""
    return int.from_bytes(hashlib.sha256(own.encode()).digest()[:7], "big") >> 3


def read_version(headers: Headers) -> ApiVersion:
    """The version that is asked for.

    Raises: InvalidRequest.
    """
    said = ", ".join(headers.getlist(HEADER)).strip()
    if not said:
        raise InvalidRequest("version is missing in header", reason="version_missing")
    version = VERSIONS.get(said)
    if version is None:
        known = ", ".join(VERSIONS)
        raise InvalidRequest(f"served here are {known}", reason="version_invalid")
    return version
