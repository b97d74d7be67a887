"""What is done with a privilege: the acts there are, who does them, and the row that is kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from kassa.base.domain.errors import InvalidRequest

INSTALLATION = ":installation"
"""In place of a company, of acts that are of none; no company's id has a colon first."""

_LONGEST_WORDS = 500


class Act(StrEnum):
    """Everything that is written down. A new privileged verb gets a word here."""

    COMPANY_ADDED = "company.added"
    COMPANY_CLOSED = "company.closed"
    COMPANY_OPENED = "company.opened"
    SANDBOX_CHANGED = "company.sandbox_changed"
    BUSINESS_PUT = "business.put"
    CREDENTIAL_PUT = "credential.put"
    CREDENTIAL_DISABLED = "credential.disabled"
    CREDENTIAL_ENABLED = "credential.enabled"
    CREDENTIAL_CHANGED = "credential.changed"
    CREDENTIAL_ROTATED = "credential.rotated"
    SECRET_SHOWN = "webhook_secret.shown"
    SECRET_RENEWED = "webhook_secret.renewed"
    ACCOUNT_ADDED = "provider_account.added"
    ACCOUNT_CHANGED = "provider_account.changed"
    ACCOUNT_DISABLED = "provider_account.disabled"
    ACCOUNT_ENABLED = "provider_account.enabled"
    KEYS_ROTATED = "keys.rotated"
    KEYS_SEALED_ANEW = "keys.sealed_anew"
    KEYS_RETIRED = "keys.retired"
    ROUTES_SET = "routes.set"
    PAYEE_PUT = "payee.put"
    PAYEE_DISABLED = "payee.disabled"
    PAYEE_ENABLED = "payee.enabled"
    FEE_ADDED = "fee.added"
    FEE_ENDED = "fee.ended"
    REFUNDED = "payment.refund_asked"
    CAPTURED = "payment.capture_asked"
    VOIDED = "payment.void_asked"
    UNAPPLIED_RETURNED = "payment.unapplied_returned"
    RECORDED = "payment.recorded"
    SHORT_ACCEPTED = "payment.short_accepted"
    REPORT_IMPORTED = "report.imported"
    BREAK_ASSIGNED = "break.assigned"
    BREAK_MATCHED = "break.matched"
    BREAK_RESOLVED = "break.resolved"
    SETTLEMENT_CLOSED = "settlement.closed"
    PAYOUT_RECORDED = "settlement.paid"
    PAYOUT_FAILED = "settlement.failed"
    WALLET_USER_ADDED = "wallet_user.added"
    WALLET_USER_CHANGED = "wallet_user.changed"
    WALLET_TOPPED_UP = "wallet_user.topped_up"
    WALLET_CODE_MADE = "wallet_code.made"
    WALLET_CODE_REVOKED = "wallet_code.revoked"
    AGREEMENT_ENDED = "wallet_agreement.ended"
    BOOKS_EXPORTED = "books.exported"
    AUDIT_EXPORTED = "audit.exported"
    EVENT_SENT_AGAIN = "event.sent_again"
    EVENTS_REPLAYED = "event.replayed"
    CUSTOMER_ERASED = "customer.erased"
    CUSTOMER_EXPORTED = "customer.exported"
    STAFF_ADDED = "staff.added"
    STAFF_INVITED = "staff.invited"
    STAFF_DISABLED = "staff.disabled"
    STAFF_ENABLED = "staff.enabled"
    ROLE_SET = "staff.role_set"
    SESSIONS_ENDED = "staff.sessions_ended"
    ENROLLED = "sign_in.enrolled"
    SIGNED_IN = "sign_in.done"
    SIGN_IN_REFUSED = "sign_in.refused"
    SIGNED_OUT = "sign_in.ended"
    RECOVERY_USED = "sign_in.recovery_used"
    RECOVERY_RENEWED = "sign_in.recovery_renewed"
    HEADS_ACCEPTED = "chain.heads_accepted"


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts: `who` is kind:name, "os:alice" or "staff:ann". `address`: from where; `request_id`:
    under which id the log has it. "" where there is none."""

    who: str
    address: str = ""
    request_id: str = ""

    @property
    def kind(self) -> str:
        return self.who.partition(":")[0]

    @property
    def is_named(self) -> bool:
        word = self.kind.replace("_", "a")
        return word.isascii() and word.isalpha() and word.islower() and bool(self.name)

    @property
    def name(self) -> str:
        return self.who.partition(":")[2]


PROGRAM = Acting("kassa:program")
"""Nobody in particular: what the program does by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What somebody does, as it is written down beside it.

    `object`: the id of what it is done to. `before`, `after`: what of it changes, without secrets
    and without personal data. `reason`: in the words of who does it.
    """

    company_id: str
    act: Act
    by: Acting
    object: str = ""
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """One that stands. `company_id`: INSTALLATION where it is of none."""

    company_id: str
    id: str
    at: datetime
    actor: str
    act: str
    object: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    reason: str
    request_id: str
    address: str


def row_of(deed: Deed, new_id: str, at: datetime) -> AuditRow:
    """As it is kept. Texts are cut, and what no database holds is left out."""
    return AuditRow(
        company_id=deed.company_id or INSTALLATION,
        id=new_id,
        at=at,
        actor=_kept(deed.by.who if deed.by.is_named else PROGRAM.who),
        act=deed.act.value,
        object=_kept(deed.object),
        before=_told(deed.before),
        after=_told(deed.after),
        reason=_kept(deed.reason),
        request_id=_kept(deed.by.request_id),
        address=_kept(deed.by.address),
    )


def _told(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(value) for name, value in content.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return _told(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return _kept(str(value))


def _kept(text: str) -> str:
    clean = "".join(one for one in text if one != "\x00" and not "\ud800" <= one <= "\udfff")
    return clean[:_LONGEST_WORDS]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which rows are asked for. `who`: kind:name, or a kind alone; `what`: an act, or the part
    before its dot; "" and None: any. `since` is the first moment, `until` the one after the last.
    """

    company_id: str | None = None
    who: str = ""
    what: str = ""
    object: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        subjects = {act.partition(".")[0] for act in Act}
        if self.what and self.what not in {*Act, *subjects}:
            raise InvalidRequest(
                f"nothing is written down as {self.what[:60]!r}; there are"
                f" {', '.join(sorted(subjects))}, and of each what kassa audit shows"
            )
