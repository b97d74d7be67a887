"""A provider account: one company's account at one provider, as the gateway uses it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.errors import InvalidRequest
from kassa.identity.domain.principals import Company, Mode

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{1,39}", re.ASCII)
RESERVED = frozenset({"sandbox", "wallet", "offline", "bank", "cash", "check"})
"""Names of the accounts that every installation has."""

INTERNAL = frozenset({"wallet", "offline", "bank"})
"""Accounts on which we book money ourselves: nobody is called."""


class AccountStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"  # takes no new payment; what it has is still followed to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAccount:
    """`name`: unique in the installation; it stands in /providers/{name}, in the ledger's accounts
    and with every attempt. `company_id`: whose it is; "" for one of the installation, which every
    company of its mode may use, and where `only_given`, the sandbox, who was given it.
    `connector`: which connector speaks to it. `settings`: what is no secret. `country`: of the
    account's business, "" when nobody said. `version`: grows with every change.
    """

    company_id: str
    name: str
    connector: str
    mode: Mode
    status: AccountStatus
    settings: Mapping[str, str] = field(default_factory=dict)
    country: str = ""
    version: int = 0
    created_at: datetime | None = None
    only_given: bool = False

    @property
    def is_active(self) -> bool:
        return self.status is AccountStatus.ACTIVE

    def serves(self, company: Company) -> bool:
        """Whether that side of a company may use it: no test account takes a live payment, and no
        live account a test."""
        if self.mode is not company.mode:
            return False
        if self.company_id:
            return self.company_id == company.id
        return company.sandbox or not self.only_given


def check_account_name(name: str) -> str:
    """Raises: InvalidRequest."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"an account's name has 2 to 40 small letters, digits, - and _, got {name!r}"
        )
    if name in RESERVED:
        raise InvalidRequest(f"{name!r} is the name of a built-in account; choose another")
    return name
