"""Providers' pages that a payer can only reach by a form, which a page of ours posts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kassa.connectors.base import InDoubt, NotSent, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the payer's browser posts to `action`. `fields`: nothing secret."""

    action: str
    fields: Mapping[str, str]


@runtime_checkable
class FormSource(Protocol):
    """A connector whose ActionNeeded leads to `{notify_url}/pay/{reference}` here."""

    async def form(self, reference: str) -> Form | NotSent | InDoubt | Unknown:
        """Unknown: nothing is to be paid there, or not any more."""
        ...

    async def came_back(
        self, reference: str, fields: Mapping[str, str]
    ) -> str | NotSent | InDoubt | Unknown:
        """Where the payer's browser goes on to, which brought `fields`. It decides nothing."""
        ...
