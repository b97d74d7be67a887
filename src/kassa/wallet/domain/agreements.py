"""A merchant's lasting permission to charge a wallet user: asked for, answered, used, ended."""

from dataclasses import dataclass
from datetime import datetime

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import AgreementStatus, next_agreement_status

AGREEMENT = "wallet.agreement"
"""The kind of news of agreements."""
PAY, USER_ID = "AGREEMENT_PAY", "BASE_USER_INFO"
SCOPES = (PAY, USER_ID)
"""To charge the user's balance without the user; to learn the user's id."""


@dataclass(slots=True, kw_only=True)
class Agreement:
    """`client_id`: the only wallet client whose it is. `auth_client_id`: for whom that asks, in its
    own words. `belongs_to`: what the merchant calls this wallet. `auth_state`: goes back to
    the merchant as it came. `notify_url`: where news of it goes, "" for nowhere.

    `expires_at`: of the page, not of the agreement. `user_id`: who agreed. `generation`: how many
    pairs of tokens there were; the expiries are of the newest. `ended_by`: as the timeline names
    people. `version`: grows by one with every change. `key_version`: which version of the key its
    newest code or tokens are made with.
    """

    company_id: str
    id: str
    business_id: str
    client_id: str
    place_hash: bytes
    belongs_to: str
    auth_client_id: str
    scopes: str
    redirect_url: str
    notify_url: str
    auth_state: str
    created_at: datetime
    expires_at: datetime
    status: AgreementStatus = AgreementStatus.ASKED
    user_id: str | None = None
    answered_at: datetime | None = None
    code_expires_at: datetime | None = None
    generation: int = 0
    access_expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    version: int = 1
    key_version: int = 1

    def may(self, scope: str) -> bool:
        return scope in self.scopes.split()

    def is_open(self, now: datetime) -> bool:
        """Whether the user can still answer."""
        return self.status is AgreementStatus.ASKED and now < self.expires_at

    def has_code(self, now: datetime) -> bool:
        """Whether the merchant can still exchange the authorization code."""
        ends = self.code_expires_at
        return self.status is AgreementStatus.AGREED and ends is not None and now < ends

    def agree(self, user_id: str, now: datetime, *, code_expires_at: datetime) -> None:
        """Raises: IllegalTransition."""
        self._answer(AgreementStatus.AGREED, now)
        self.user_id, self.code_expires_at = user_id, code_expires_at

    def refuse(self, now: datetime) -> None:
        """Raises: IllegalTransition."""
        self._answer(AgreementStatus.REFUSED, now)

    def _answer(self, wanted: AgreementStatus, now: datetime) -> None:
        if not self.is_open(now):
            raise IllegalTransition("this was answered before, or too late", reason="answered")
        self._become(wanted)
        self.answered_at = now

    def issue(self, *, access_expires_at: datetime, refresh_expires_at: datetime) -> None:
        """Another pair of tokens.

        Raises: IllegalTransition.
        """
        self._become(AgreementStatus.ACTIVE)
        self.generation += 1
        self.access_expires_at, self.refresh_expires_at = access_expires_at, refresh_expires_at

    def end(self, by: str, now: datetime) -> None:
        """Raises: IllegalTransition for one that nobody agreed to."""
        self._become(AgreementStatus.ENDED)
        self.ended_at, self.ended_by = now, by

    def _become(self, wanted: AgreementStatus) -> None:
        self.status = next_agreement_status(self.status, wanted)
        self.version += 1
