"""Providers' pages that a payer can only reach by a form, which a page of ours posts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from kassa.base.domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the payer's browser posts to `action`. `fields`: nothing secret."""

    action: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class FormCharge:
    """A charge whose payer goes by form, as it is kept here.

    `reference`: the provider's. `returns_to`: our page that takes the browser back from there.
    `back`: where the payer wants to be in the end.
    """

    reference: str
    amount: Money
    returns_to: str
    back: str


@runtime_checkable
class FormSource(Protocol):
    """A connector whose ActionNeeded leads to `{notify_url}/pay/{key}` here, and whose payers come
    back to `{notify_url}/paid/{key}`.

    Strangers may ask for both, so neither may ask the provider for anything: whether the charge is
    still to be paid is found out before, by the question that everybody shares.
    """

    def form(self, charge: FormCharge) -> Form:
        """What leads on to the provider's page."""
        ...

    def came_back(self, reference: str, fields: Mapping[str, str]) -> bool:
        """Whether what the payer's browser brought may stand: False where it carries a signature
        that is not the provider's. It decides nothing either way."""
        ...
