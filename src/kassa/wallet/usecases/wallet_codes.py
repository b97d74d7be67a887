"""Wallet codes: made by the wallet user's side, recognized with a brake on guessing, revoked."""

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import InvalidRequest, NotFound, RateLimited, Unauthenticated
from kassa.base.domain.lifecycle import WalletUserStatus
from kassa.base.domain.money import Money, payable
from kassa.base.domain.rate_limits import Quota
from kassa.base.store.connection import Connection
from kassa.base.usecases.bounds import within
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.identity.domain.audit import Act
from kassa.identity.domain.permissions import NOTHING
from kassa.identity.domain.principals import Company
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import company_by_number
from kassa.identity.usecases.sides import admit
from kassa.wallet.domain.wallet_codes import CodeKind, WalletCode
from kassa.wallet.store import wallet_codes, wallets
from kassa.wallet.store.wallet_codes import Subject
from kassa.wallet.usecases.code_hashes import code_hashes, hash_code

TOO_MANY = "too_many_codes"
"""Reason of a RateLimited: wrong codes were tried before."""

ACCESS_TOKEN = "wat_"
"""How every token that a merchant charges a user with begins."""
TOKEN_INVALID, TOKEN_EXPIRED = "access_token_invalid", "access_token_expired"
"""Why a token charges nobody, as a failure code."""

_SECRET = "wus"
_TYPED: Mapping[CodeKind, str] = {CodeKind.PAY_CODE: "28", CodeKind.CONSENT_CODE: "29"}
"""How the codes begin that a person types."""
_RANDOM_BYTES = 32
_DIGITS = 16  # random ones of a code that people type
_LONGEST_CODE = 128  # characters, as seed 003 has it
_REFUSED = "the wallet user's secret is missing, wrong or no longer valid"
# A client and an address speak for many people, a name for one.
_SHARED_FACTOR = 4
_FORGET_SHARED, _FORGET_NAMED = timedelta(minutes=1), timedelta(minutes=10)
_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=2), timedelta(minutes=15)
_QUIET = timedelta(days=1)
_MANY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Presented:
    """A code as it was handed in. `payment_id`: to be paid by it; "" only asks.

    `user_id`: whose it shall be, where they said so. `client_id`: the wallet client that sent it.
    `by`, `address`: who is counted when it is wrong: "client:…", "order:…", "agreement:…", a
    network address.
    """

    company_id: str
    code: str
    payment_id: str = ""
    user_id: str = ""
    client_id: str = ""
    by: str = ""
    address: str = ""


async def recognize(core: Core, shown: Presented) -> WalletCode | None:
    """The code, when it may make this payment; None for any other, in whatever way it is wrong.

    A wrong one is counted. An agreement's token has 256 random bits, cannot be guessed, and so
    never waits for what others tried.
    Raises: RateLimited while who tries, or the user, has to wait, be the code right or wrong.
    """
    return await _recognize(core, shown, _is_right)


async def recognize_consent(core: Core, shown: Presented) -> WalletCode | None:
    """As `recognize`, of a code with which its user agrees to something: no code that a merchant is
    shown, or was given, is one."""
    return await _recognize(core, shown, _consents)


async def _recognize(
    core: Core, shown: Presented, serves: Callable[[WalletCode, Presented, datetime], bool]
) -> WalletCode | None:
    subjects = _subjects(shown)
    # Counted on the connection that found it wrong: no more can try at once than there are. A
    # count that is lost with its connection decides nothing.
    async with core.db.connection() as connection:
        code, wait, now = await wallet_codes.find(
            connection, shown.company_id, code_hashes(core, shown.code), subjects
        )
        right = code is not None and serves(code, shown, now)
        if right and shown.code.startswith(ACCESS_TOKEN):
            return code
        if wait:
            raise _too_many(core, wait)
        if right:
            return code
        await _count(core, connection, _blamed(shown, code, subjects))
    return None


async def recognize_at_once(
    core: Core, connection: Connection, shown: Sequence[Presented], now: datetime
) -> list[WalletCode | None]:
    """Of many at once those codes that are right and wait for nothing. None stands for all others:
    nothing is counted, and `recognize` has the words for them."""
    keys = [[(one.company_id, made) for made in code_hashes(core, one.code)] for one in shown]
    every = sorted({key for some in keys for key in some})
    known = await wallet_codes.these(connection, every) if every else {}
    found = [next((known[key] for key in some if key in known), None) for some in keys]
    codes = [
        code if code and _is_right(code, one, now) else None
        for code, one in zip(found, shown, strict=True)
    ]
    tried = [
        {*_subjects(one), (one.company_id, f"user:{code.user_id}")}
        if code and not one.code.startswith(ACCESS_TOKEN)
        else set()
        for code, one in zip(codes, shown, strict=True)
    ]
    subjects = sorted({subject for some in tried for subject in some})
    waiting = await wallet_codes.waiting(connection, subjects) if subjects else set()
    return [None if some & waiting else code for code, some in zip(codes, tried, strict=True)]


def _is_right(code: WalletCode, shown: Presented, now: datetime) -> bool:
    owned = shown.user_id in ("", code.user_id)
    return owned and code.pays(shown.payment_id, client_id=shown.client_id, now=now)


def _consents(code: WalletCode, shown: Presented, now: datetime) -> bool:
    return code.user_id == shown.user_id and code.consents(client_id=shown.client_id, now=now)


async def why_unknown(core: Core, shown: Presented) -> str:
    """What to call the failure of a payment whose code is not recognized, as a failure code.

    A client hears of its own token that it has run out, so that it gets a newer one. Of all other
    tokens it hears one thing, and of what is no token what it always heard.
    """
    if not shown.client_id or not shown.code.startswith(ACCESS_TOKEN):
        return "user_not_exist"
    async with core.db.connection() as connection:
        code, _, now = await wallet_codes.find(
            connection, shown.company_id, code_hashes(core, shown.code), ()
        )
    own = code is not None and code.client_id == shown.client_id and code.revoked_at is None
    return TOKEN_EXPIRED if own and code is not None and not code.is_good(now) else TOKEN_INVALID


def _blamed(shown: Presented, code: WalletCode | None, subjects: list[Subject]) -> set[Subject]:
    """Whoever shows what was a code once, and names nobody, has not guessed it. Were it counted, a
    merchant could stop a user by showing their spent code again and again, and slow payers a
    merchant."""
    return set(subjects) if code is None or shown.user_id else set()


def _subjects(shown: Presented) -> list[Subject]:
    found = [(shown.company_id, shown.by)] if shown.by else []
    if shown.address:
        found.append(("", f"address:{shown.address}"))
    if shown.user_id:
        found.append((shown.company_id, f"user:{shown.user_id}"))
    return found


async def _count(core: Core, connection: Connection, subjects: set[Subject]) -> None:
    free = core.policy.wallet_wrong_codes
    for subject in sorted(subjects):
        is_named = subject[1].startswith("user:")
        await wallet_codes.count_miss(
            connection,
            subject,
            free=free if is_named else free * _SHARED_FACTOR,
            forget=_FORGET_NAMED if is_named else _FORGET_SHARED,
            first_pause=_FIRST_PAUSE,
            longest_pause=_LONGEST_PAUSE,
        )


def _too_many(core: Core, wait: timedelta) -> RateLimited:
    seconds = max(1, math.ceil(wait.total_seconds()))
    return RateLimited(
        f"too many wrong wallet codes; come back in {seconds} s",
        retry_after_seconds=seconds,
        reason=TOO_MANY,
        quota=Quota("wrong-wallet-codes", core.policy.wallet_wrong_codes, full_in=seconds),
    )


async def forget_misses(core: Core) -> int:
    """Drop counts of wrong codes that have been quiet for a day."""
    async with core.db.connection(writes=True) as connection:
        return await wallet_codes.forget_misses(connection, _QUIET, limit=_MANY)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class NewCode:
    """`client_id`: the only wallet client that may use it, "" for any merchant of the company.
    `limit`: most that one payment by an agreement may move."""

    company_id: str
    user_id: str
    client_id: str = ""
    limit: Money | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """A code and, this once, what it is."""

    text: str
    code: WalletCode


async def make_pay_code(core: Core, wanted: NewCode, kind: CodeKind = CodeKind.PAY_CODE) -> Made:
    """A code for one payment, or one with which its user agrees once (`kind`); good for as long as
    the setting says.

    Raises: NotFound, InvalidRequest for a user who cannot pay.
    """
    while True:
        text = f"{_TYPED[kind]}{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
        code = _code(core, wanted, kind, text)
        if await _keep(core, code, text):
            return Made(text, code)


async def make_agreement(core: Core, wanted: NewCode, *, token: str = "") -> Made:
    """A token with which a merchant may charge the user again and again, until it is revoked.

    `token`: one made elsewhere; giving the same twice is harmless.
    Raises: NotFound, InvalidRequest.
    """
    if wanted.limit is not None:
        payable(within(core, wanted.limit))
    text = token or new_token()
    code = _code(core, wanted, CodeKind.AGREEMENT, text)
    await _keep(core, code, text)
    return Made(text, code)


async def make_secret(core: Core, wanted: NewCode, *, secret: str = "") -> Made:
    """What the user's own app makes pay codes with. `secret`: as `token` of an agreement.

    Raises: NotFound, InvalidRequest.
    """
    async with core.db.connection() as connection:
        company = await companies.find_company(connection, wanted.company_id)
    if company is None:
        raise NotFound(f"no such company: {wanted.company_id!r}")
    text = secret or new_secret(company.number)
    code = _code(core, wanted, CodeKind.SECRET, text)
    await _keep(core, code, text)
    return Made(text, code)


def new_token() -> str:
    return ACCESS_TOKEN + secrets.token_urlsafe(_RANDOM_BYTES)


def new_secret(company_number: int) -> str:
    """It names its company, since whoever shows it says nothing else."""
    return f"{_SECRET}{company_number}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def _code(core: Core, wanted: NewCode, kind: CodeKind, text: str) -> WalletCode:
    if not text or len(text) > _LONGEST_CODE:
        raise InvalidRequest(f"a wallet code has 1 to {_LONGEST_CODE} characters")
    now = datetime.now(UTC)
    return WalletCode(
        company_id=wanted.company_id,
        code_hash=hash_code(core, text),
        id=core.new_id("wc"),
        user_id=wanted.user_id,
        kind=kind,
        created_at=now,
        client_id=wanted.client_id,
        limit=wanted.limit,
        expires_at=now + core.policy.wallet_code_lifetime if kind in _TYPED else None,
    )


async def _keep(core: Core, code: WalletCode, text: str) -> bool:
    """Whether it was new.

    Raises: NotFound, InvalidRequest.
    """
    async with core.db.transaction() as connection:
        key = (code.company_id, code.user_id)
        user = (await wallets.users(connection, [key])).get(key)
        if user is None:
            raise NotFound(f"no such wallet user: {code.user_id!r}")
        if user.status != WalletUserStatus.ACTIVE and code.kind in _TYPED:
            raise InvalidRequest(f"the wallet user {code.user_id!r} is {user.status}")
        _, *older = [(code.company_id, made) for made in code_hashes(core, text)]
        if older and await wallet_codes.these(connection, older):
            return False
        is_new = await wallet_codes.add(connection, code)
        if is_new and audit.is_persons():  # else the user's own app made it
            said = {"kind": code.kind, "user": code.user_id, "client": code.client_id or None}
            await audit.note(
                core, connection, Act.WALLET_CODE_MADE, code.company_id, code.id, after=said
            )
        return is_new


async def list_codes(core: Core, company_id: str, user_id: str) -> list[WalletCode]:
    """The user's agreements, secrets, and what of the rest can still be used; newest first.

    Raises: NotFound.
    """
    async with core.db.connection() as connection:
        if not await wallets.users(connection, [(company_id, user_id)]):
            raise NotFound(f"no such wallet user: {user_id!r}")
        return await wallet_codes.of_user(connection, company_id, user_id)


async def revoke_code(core: Core, company_id: str, code_id: str) -> None:
    """From now on it pays nothing, and makes nothing. Twice is harmless.

    Raises: NotFound.
    """
    async with core.db.transaction() as connection:
        if not await wallet_codes.revoke(connection, company_id, code_id):
            raise NotFound(f"no such wallet code: {code_id!r}")
        if audit.is_persons():
            await audit.note(core, connection, Act.WALLET_CODE_REVOKED, company_id, code_id)


async def pay_code_for(
    core: Core, secret: str, *, address: str, kind: CodeKind = CodeKind.PAY_CODE
) -> Made:
    """A pay code, or one to agree with (`kind`), for the user whose secret this is.

    Raises: as `holder_of`; InvalidRequest for a user who cannot pay.
    """
    _, found = await holder_of(core, secret, address=address)
    wanted = NewCode(company_id=found.company_id, user_id=found.user_id)
    return await make_pay_code(core, wanted, kind)


async def holder_of(core: Core, secret: str, *, address: str) -> tuple[Company, WalletCode]:
    """Whose secret this is.

    Raises: Unauthenticated, RateLimited; PermissionDenied for a live side where no real money is
    moved.
    """
    number = company_number_of(secret, _SECRET)
    company = await company_by_number(core, number) if number is not None else None
    subjects = [("", f"address:{address}")] if address else []
    async with core.db.connection() as connection:
        found, wait, now = await wallet_codes.find(
            connection, company.id if company else "", code_hashes(core, secret), subjects
        )
        known = found is not None and found.kind is CodeKind.SECRET and found.is_good(now)
        if not known and wait:
            raise _too_many(core, wait)
        if not known:
            await _count(core, connection, set(subjects))
    if company is None or found is None or not known:
        raise Unauthenticated(_REFUSED)
    admit(core, company, f"wallet_user:{found.id}", NOTHING)
    return company, found
