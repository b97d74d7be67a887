"""A payee: an account that a company has said its payments may be directed to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Payee:
    """`account_shown`: its number, masked; the number itself is not kept.

    `provider_account`: the provider account through which it is paid; "" for whichever routing
    finds.
    """

    company_id: str
    id: str
    account_type: str
    account_shown: str
    account_name: str = ""
    bank_name: str = ""
    provider_account: str = ""
    is_active: bool = True
