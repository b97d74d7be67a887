"""What a wallet user gives to be charged, or to agree: codes, tokens, and the user's own secret."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.money import Money


class CodeKind(StrEnum):
    """`PAY_CODE`: pays once. `AGREEMENT`: a merchant's access token, until revoked. `SECRET`: makes
    codes. The others pay nothing either, and serve once: with a `CONSENT_CODE` its user agrees to
    what a merchant asks for, an `AUTH_CODE` is exchanged for tokens, a `REFRESH_TOKEN` for newer
    ones."""

    PAY_CODE = "pay_code"
    AGREEMENT = "agreement"
    SECRET = "secret"
    CONSENT_CODE = "consent_code"
    AUTH_CODE = "auth_code"
    REFRESH_TOKEN = "refresh_token"


PAYING = frozenset({CodeKind.PAY_CODE, CodeKind.AGREEMENT})
LASTING = frozenset({CodeKind.AGREEMENT, CodeKind.SECRET})
"""Serve until they are revoked; all others serve once, and run out."""


@dataclass(slots=True, kw_only=True)
class WalletCode:
    """A code without the code itself. `client_id`: the only wallet client it is for, "" for any.

    `limit`: most that one payment by it may move. `used_for`: the payment it was spent on, or the
    agreement that it is of.
    """

    company_id: str
    code_hash: bytes
    id: str
    user_id: str
    kind: CodeKind
    created_at: datetime
    client_id: str = ""
    limit: Money | None = None
    expires_at: datetime | None = None
    used_at: datetime | None = None
    used_for: str = ""
    revoked_at: datetime | None = None
    agreement_id: str = ""

    def pays(self, payment_id: str, *, client_id: str, now: datetime) -> bool:
        """Whether this payment may be made by it: by this client, now, and not a second one."""
        return (
            self.kind in PAYING
            and self.is_good(now)
            and self.client_id in ("", client_id)
            and self.used_for in ("", payment_id)
        )

    def consents(self, *, client_id: str, now: datetime) -> bool:
        """Whether its user can agree with it to what that client asks for."""
        good = self.kind is CodeKind.CONSENT_CODE and self.is_good(now) and not self.used_for
        return good and self.client_id in ("", client_id)

    def is_good(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def covers(self, amount: Money) -> bool:
        limit = self.limit
        if limit is None:
            return True
        return limit.currency == amount.currency and amount.minor <= limit.minor

    def spend(self, payment_id: str, now: datetime) -> None:
        """A pay code is spent when it is presented to a payment, whatever becomes of that."""
        if self.kind is CodeKind.PAY_CODE and not self.used_for:
            self.used_for, self.used_at = payment_id, now
