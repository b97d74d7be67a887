"""People who act for companies: what their roles allow, and what proves that they are here."""

import base64
import hmac
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import quote, urlencode

from kassa.base.domain.errors import InvalidRequest, PermissionDenied
from kassa.base.domain.lifecycle import StaffStatus
from kassa.identity.domain.audit import Act, Acting


class Right(StrEnum):
    READ = "read"
    REFUND = "refund"  # money of a payment: given back, claimed, let go
    MONEY = "money"  # money that is told of by hand: recorded, settled, put right
    BOOKS = "books"  # the ledger and the audit, taken away whole
    TERMS = "terms"  # fees, payees, businesses, routes
    SETUP = "setup"  # credentials, provider accounts, secrets
    PEOPLE = "people"  # companies, staff and their roles, what takes two people


class Role(StrEnum):
    VIEWER = "viewer"
    SUPPORT = "support"
    FINANCE = "finance"
    DEVELOPER = "developer"
    ADMIN = "admin"
    NONE = "none"  # had one, and has it no more


_R = Right
ROLES: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({_R.READ}),
    Role.SUPPORT: frozenset({_R.READ, _R.REFUND}),
    Role.FINANCE: frozenset({_R.READ, _R.REFUND, _R.MONEY, _R.BOOKS, _R.TERMS}),
    Role.DEVELOPER: frozenset({_R.READ, _R.SETUP}),
    Role.ADMIN: frozenset(Right),
    Role.NONE: frozenset(),
}

_SUBJECTS: Mapping[str, Right | None] = {
    "company": _R.PEOPLE,
    "business": _R.TERMS,
    "credential": _R.SETUP,
    "webhook_secret": _R.SETUP,
    "provider_account": _R.SETUP,
    "keys": _R.SETUP,
    "routes": _R.TERMS,
    "payee": _R.TERMS,
    "fee": _R.TERMS,
    "payment": _R.REFUND,
    "report": _R.MONEY,
    "break": _R.MONEY,
    "settlement": _R.MONEY,
    "wallet_user": _R.MONEY,
    "wallet_code": _R.MONEY,
    "wallet_agreement": _R.MONEY,
    "books": _R.BOOKS,
    "audit": _R.BOOKS,
    "chain": _R.PEOPLE,
    "event": _R.SETUP,
    "customer": _R.PEOPLE,
    "staff": _R.PEOPLE,
    "sign_in": None,
}
_OTHERS: Mapping[Act, Right] = {Act.RECORDED: _R.MONEY, Act.SHORT_ACCEPTED: _R.MONEY}


def needed_for(act: Act) -> Right | None:
    """The right that an act takes; None for what everybody does for themselves."""
    return _OTHERS.get(act, _SUBJECTS[act.value.partition(".")[0]])


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for one side of a company; `business_id` "": for all its businesses."""

    company_id: str
    business_id: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffActing(Acting):
    """Somebody of the staff, signed in."""

    grants: Collection[Grant] = ()

    def may(self, right: Right, company_id: str, business_id: str = "") -> bool:
        return any(
            right in ROLES[one.role]
            and one.company_id == company_id
            and one.business_id in ("", business_id)
            for one in self.grants
        )

    def sees(self, company_id: str | None) -> bool:
        """Whether any role lets them look at that side."""
        at = [one.company_id for one in self.grants if Right.READ in ROLES[one.role]]
        return company_id in at

    def require(self, act: Act, company_id: str, business_id: str = "") -> None:
        """Raises: PermissionDenied."""
        right = needed_for(act)
        if right is not None and not self.may(right, company_id, business_id):
            raise PermissionDenied(
                f"{self.name} has no role here that allows it: it takes the right to {right}",
                reason="role_missing",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffMember:
    """`login`: what they are called, also in the audit. `signed_in_at`: last."""

    id: str
    login: str
    status: StaffStatus
    created_at: datetime
    created_by: str
    signed_in_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffSession:
    """`last_seen_at`: to the minute."""

    id: str
    staff_id: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ended_at: datetime | None


IDLE, LONGEST = timedelta(minutes=15), timedelta(hours=12)
"""How long a session lives without being used, and at all."""
INVITED_FOR = timedelta(days=3)
FEWEST_CHARACTERS, _MOST_CHARACTERS = 12, 256

_COMMON = frozenset(
    "password passw0rd pass p@ssw0rd p@ssword qwerty qwertz azerty qwertyuiop asdfghjkl letmein"
    " welcome admin administrator iloveyou dragon monkey football baseball superman batman trustno"
    " sunshine princess master shadow michael jordan login hello freedom whatever starwars changeme"
    " secret kassa payment gateway company summer winter spring autumn test default root"
    " qazwsx qazwsxedc zaqwsx qweasd qweasdzxc zxcvbnm abc abcdef abcdefgh abcdefghijkl".split()
)
_RUNS = ("01234567890123456789", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm")


def check_password(password: str, login: str) -> None:
    """Long enough, and not among those that are tried first.

    Raises: InvalidRequest, which does not repeat it.
    """
    if not FEWEST_CHARACTERS <= len(password) <= _MOST_CHARACTERS:
        raise InvalidRequest(
            f"a password has {FEWEST_CHARACTERS} to {_MOST_CHARACTERS} characters",
            field="password",
            reason="password_length",
        )
    low = password.lower()
    words = "".join(one if one.isalpha() or one in "@0" else " " for one in low).split()
    letters = "".join(words).strip("0")
    is_common = letters in _COMMON or all(one.strip("0") in {*_COMMON, ""} for one in words)
    is_run = any(low[:6] in run and low[-6:] in run for run in (*_RUNS, *(r[::-1] for r in _RUNS)))
    if is_common or is_run or len(set(low)) < 5 or login.lower() in low:
        raise InvalidRequest(
            "this password is among the first that anybody tries; choose several words that have"
            " nothing to do with each other",
            field="password",
            reason="password_common",
        )


_STEP_SECONDS, _DIGITS = 30, 6
_AROUND = 1  # steps that a clock may be off


def totp(secret: bytes, step: int) -> str:
    """Source: RFC 6238 with HMAC-SHA-1, 30 seconds, six digits, as every app has it."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    at = mac[-1] & 15
    number = int.from_bytes(mac[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**_DIGITS:0{_DIGITS}d}"


def totp_step(secret: bytes, code: str, now: datetime, after: int) -> int | None:
    """The step of a code that is right now and later than `after`, the last that served."""
    current = int(now.timestamp()) // _STEP_SECONDS
    typed = code.replace(" ", "")
    found = None
    for step in range(current - _AROUND, current + _AROUND + 1):
        right = hmac.compare_digest(totp(secret, step).encode(), typed.encode("utf-8", "replace"))
        if right and step > after:
            found = step
    return found


def totp_uri(secret: bytes, login: str) -> str:
    """What an app reads out of a QR code."""
    words = {"secret": spelled(secret), "issuer": "Kassa"}
    return f"otpauth://totp/{quote(f'Kassa:{login}')}?{urlencode(words)}"


def spelled(secret: bytes) -> str:
    """To be typed into an app by hand."""
    return base64.b32encode(secret).decode().rstrip("=")
