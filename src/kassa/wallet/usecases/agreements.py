"""Agreements: a merchant asks, the wallet's user answers, tokens are given for it, either ends it.

Codes and tokens are kept as keyed hashes. They are made of the agreement, its generation and a key
that the database does not hold, so that a letter about one can still name it.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from kassa.base.domain.card_numbers import TextKind, refuse_card_data
from kassa.base.domain.errors import IllegalTransition, InvalidRequest, NotFound, PermissionDenied
from kassa.base.domain.lifecycle import AgreementStatus, WalletUserStatus
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import company_number_of
from kassa.base.usecases.keyring import Purpose
from kassa.connectors.egress import check_url
from kassa.identity.domain.audit import Act
from kassa.identity.domain.principals import Company
from kassa.identity.store import companies
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import company_by_number
from kassa.identity.usecases.businesses import find_business
from kassa.identity.usecases.sides import MODE, is_served
from kassa.payments.domain.changes import WebhookEvent
from kassa.payments.store import payments
from kassa.wallet.domain.agreements import AGREEMENT, Agreement
from kassa.wallet.domain.wallet_codes import CodeKind, WalletCode
from kassa.wallet.store import agreements, wallet_codes, wallets
from kassa.wallet.usecases.code_hashes import code_hashes, hash_code
from kassa.wallet.usecases.wallet_codes import (
    ACCESS_TOKEN,
    Presented,
    holder_of,
    recognize_consent,
    revoke_code,
)

_PLACE, _AUTH_CODE, _REFRESH_TOKEN = "agr", "wac_", "wrt_"
_PLACE_BYTES = 24
_PAGE_IS_OPEN, _CODE_IS_GOOD = timedelta(minutes=30), timedelta(minutes=5)
_MOST_LISTED = 1_000
_UNKNOWN = {CodeKind.AUTH_CODE: "code_unknown", CodeKind.REFRESH_TOKEN: "refresh_token_unknown"}
_USED = {CodeKind.AUTH_CODE: "code_used", CodeKind.REFRESH_TOKEN: "refresh_token_used"}
_EXPIRED = {CodeKind.AUTH_CODE: "code_expired", CodeKind.REFRESH_TOKEN: "refresh_token_expired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAgreement:
    """What a wallet client asks its user for; see `Agreement`."""

    company: Company
    business_id: str
    client_id: str
    belongs_to: str
    auth_client_id: str
    scopes: Sequence[str]
    redirect_url: str
    notify_url: str
    auth_state: str


@dataclass(frozen=True, slots=True, repr=False)
class AskedAgreement:
    """`token`: what opens its page; it is told this once."""

    agreement: Agreement
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementPage:
    """What the user's page shows. `merchant`: who asks, as the operator has registered them."""

    company: Company
    agreement: Agreement
    merchant: str
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Tokens:
    """A pair, as it is told to the merchant."""

    agreement: Agreement
    access_token: str
    refresh_token: str


async def ask_agreement(core: Core, wanted: NewAgreement) -> AskedAgreement:
    """A page on which the user answers within half an hour.

    Raises: InvalidRequest for an address that news or browsers cannot be sent to.
    """
    texts = ("belongs_to", "auth_client_id", "redirect_url", "notify_url", "auth_state")
    refuse_card_data(
        {one: getattr(wanted, one) for one in texts}, dict.fromkeys(texts, TextKind.ID)
    )
    if wanted.notify_url:
        check_url(
            wanted.notify_url,
            allow_loopback=core.policy.allow_loopback,
            live=wanted.company.is_live,
            field="authNotifyUrl",
        )
    if wanted.company.is_live and not wanted.redirect_url.startswith("https://"):
        raise InvalidRequest(
            "the code that goes to this address needs https",
            field="authRedirectUrl",
            reason="url_refused",
        )
    token = f"{_PLACE}{wanted.company.number}_{secrets.token_urlsafe(_PLACE_BYTES)}"
    now = datetime.now(UTC)
    made = Agreement(
        company_id=wanted.company.id,
        id=core.new_id("wa"),
        business_id=wanted.business_id,
        client_id=wanted.client_id,
        place_hash=hash_code(core, token),
        belongs_to=wanted.belongs_to,
        auth_client_id=wanted.auth_client_id,
        scopes=" ".join(wanted.scopes),
        redirect_url=wanted.redirect_url,
        notify_url=wanted.notify_url,
        auth_state=wanted.auth_state,
        created_at=now,
        expires_at=now + _PAGE_IS_OPEN,
    )
    async with core.db.transaction() as connection:
        await agreements.add(connection, made)
    return AskedAgreement(made, token)


async def open_agreement(core: Core, token: str) -> AgreementPage:
    """Raises: NotFound."""
    number = company_number_of(token, _PLACE)
    company = await company_by_number(core, number) if number is not None else None
    if company is None or not is_served(core, company):
        raise NotFound("no such page")
    async with core.db.connection() as connection:
        found = await agreements.at_place(connection, company.id, code_hashes(core, token))
        closed = await companies.is_closed(connection, company.id)
    if found is None or closed:
        raise NotFound("no such page")
    MODE.set(company.mode)  # the token is the user's proof
    name = await _merchant(core, company, found)
    return AgreementPage(company=company, agreement=found, merchant=name, now=datetime.now(UTC))


async def agree(core: Core, page: AgreementPage, shown: Presented) -> Agreement:
    """The user says yes, with a consent code, which is spent by it.

    Raises: PermissionDenied (`user_not_exist`, `user_status_abnormal`), RateLimited;
    IllegalTransition when it was answered before, or is too late.
    """
    code = await recognize_consent(core, shown)
    if code is None:
        raise PermissionDenied("the user or the code is wrong", reason="user_not_exist")
    async with core.db.transaction() as connection:
        agreement, now = await _locked(connection, page.company.id, page.agreement.id)
        person = (code.company_id, code.user_id)
        user = (await wallets.users(connection, [person])).get(person)
        if user is None or user.status != WalletUserStatus.ACTIVE:
            raise PermissionDenied("the user cannot pay", reason="user_status_abnormal")
        ends = now + _CODE_IS_GOOD
        agreement.agree(code.user_id, now, code_expires_at=ends)
        agreement.key_version = _newest(core)
        locked = await wallet_codes.lock(connection, code.company_id, code.code_hash)
        if locked is None or not locked.consents(
            client_id=agreement.client_id, now=now
        ):  # somebody was faster
            raise PermissionDenied("the user or the code is wrong", reason="user_not_exist")
        await _use(connection, locked, agreement.id, now)
        await agreements.save(connection, agreement)
        text = auth_code_of(core, agreement)
        await _give(core, connection, agreement, CodeKind.AUTH_CODE, text, now, ends)
        await _tell(core, connection, agreement, now)
    return agreement


async def refuse(core: Core, page: AgreementPage) -> Agreement:
    """The user says no. Nobody is asked who they are: nothing is given.

    Raises: IllegalTransition when it was answered before, or is too late.
    """
    async with core.db.transaction() as connection:
        agreement, now = await _locked(connection, page.company.id, page.agreement.id)
        agreement.refuse(now)
        await agreements.save(connection, agreement)
    return agreement


async def exchange(
    core: Core, company_id: str, client_id: str, kind: CodeKind, text: str, *, belongs_to: str = ""
) -> Tokens:
    """A pair of tokens for an authorization code or a refresh token, once. An access token from
    before stays good until it runs out.

    Raises: NotFound for what this client never had, or what was ended, InvalidRequest,
    IllegalTransition where it was used or has run out (reasons in the tables above).
    """
    wrong = NotFound("this is unknown, or is another client's", reason=_UNKNOWN[kind])
    async with core.db.transaction() as connection:
        found, _, _ = await wallet_codes.find(connection, company_id, code_hashes(core, text), ())
        if found is None or found.kind is not kind or found.client_id != client_id:
            raise wrong
        # First the agreement, then its codes, as wherever both are locked.
        agreement, now = await _locked(connection, company_id, found.agreement_id)
        code = await wallet_codes.lock(connection, company_id, found.code_hash)
        if code is None or code.revoked_at is not None:
            raise wrong
        if code.used_for:
            raise IllegalTransition("this was used before", reason=_USED[kind])
        if not code.is_good(now):
            raise IllegalTransition("this has run out", reason=_EXPIRED[kind])
        if belongs_to and belongs_to != agreement.belongs_to:
            raise InvalidRequest(
                "customerBelongsTo is not the one that was asked for", field="customerBelongsTo"
            )
        await _use(connection, code, agreement.id, now)
        return await _issue(core, connection, agreement, now)


async def _issue(core: Core, connection: Connection, agreement: Agreement, now: datetime) -> Tokens:
    policy = core.policy
    access_ends, refresh_ends = (
        now + policy.access_token_lifetime,
        now + policy.refresh_token_lifetime,
    )
    agreement.issue(access_expires_at=access_ends, refresh_expires_at=refresh_ends)
    agreement.key_version = _newest(core)
    await agreements.save(connection, agreement)
    made = tokens_of(core, agreement)
    access, refresh = made.access_token, made.refresh_token
    await _give(core, connection, agreement, CodeKind.AGREEMENT, access, now, access_ends)
    await _give(core, connection, agreement, CodeKind.REFRESH_TOKEN, refresh, now, refresh_ends)
    await _tell(core, connection, agreement, now)
    return made


async def end_by_token(
    core: Core, company_id: str, client_id: str, access_token: str, *, by: str
) -> None:
    """End the agreement whose token that is; also one that has run out, for a newer one may be had
    for it. A token that the operator made alone is revoked. Twice is harmless.

    Raises: NotFound for a token that is not this client's own.
    """
    async with core.db.connection() as connection:
        code, _, _ = await wallet_codes.find(
            connection, company_id, code_hashes(core, access_token), ()
        )
    if code is None or code.kind is not CodeKind.AGREEMENT or code.client_id != client_id:
        raise NotFound("this token is unknown, or is another client's", reason="token_unknown")
    if code.agreement_id:
        await end_agreement(core, company_id, code.agreement_id, by=by)
    else:
        await revoke_code(core, company_id, code.id)


async def end_agreement(core: Core, company_id: str, agreement_id: str, *, by: str) -> None:
    """From now on its tokens charge nothing, and the merchant hears of it. Twice is harmless.

    Raises: NotFound; IllegalTransition for one that nobody agreed to.
    """
    async with core.db.transaction() as connection:
        agreement, now = await _locked(connection, company_id, agreement_id)
        if agreement.status is AgreementStatus.ENDED:
            return
        agreement.end(by, now)
        await agreements.save(connection, agreement)
        await wallet_codes.revoke_all(connection, company_id, agreement_id)
        await _tell(core, connection, agreement, now)
        if audit.is_persons():
            await audit.note(core, connection, Act.AGREEMENT_ENDED, company_id, agreement_id)


@dataclass(frozen=True, slots=True)
class OwnAgreement:
    """`merchant`: who may charge, as the user read it when they agreed."""

    agreement: Agreement
    merchant: str


async def own_agreements(core: Core, secret: str, *, address: str) -> list[OwnAgreement]:
    """What the user whose secret this is agreed to, newest first.

    Raises: as `holder_of`.
    """
    company, holder = await holder_of(core, secret, address=address)
    found = await list_agreements(core, company.id, holder.user_id)
    return [OwnAgreement(one, await _merchant(core, company, one)) for one in found]


async def end_own_agreement(core: Core, secret: str, agreement_id: str, *, address: str) -> None:
    """The user whose secret this is ends what they agreed to. Twice is harmless.

    Raises: as `holder_of`; NotFound also for another user's.
    """
    company, holder = await holder_of(core, secret, address=address)
    async with core.db.connection() as connection:
        found = await agreements.find(connection, company.id, agreement_id)
    if found is None or found.user_id != holder.user_id:
        raise NotFound(f"no such agreement: {agreement_id!r}")
    await end_agreement(core, company.id, agreement_id, by=f"wallet_user:{holder.user_id}")


async def _merchant(core: Core, company: Company, agreement: Agreement) -> str:
    business = await find_business(core, company, agreement.business_id)
    return business.name if business else company.name


async def revoke(core: Core, company_id: str, name: str, *, by: str) -> None:
    """A code, or an agreement, by its id; a code that is an agreement's ends that.

    Raises: NotFound, IllegalTransition.
    """
    of = name
    if not name.startswith("wa_"):
        async with core.db.connection() as connection:
            of = await wallet_codes.agreement_of(connection, company_id, name)
    if of:
        await end_agreement(core, company_id, of, by=by)
    else:
        await revoke_code(core, company_id, name)


async def list_agreements(core: Core, company_id: str, user_id: str = "") -> list[Agreement]:
    """What this user ("": anybody) agreed to, newest first; at most a thousand."""
    async with core.db.connection() as connection:
        return await agreements.listed(connection, company_id, user_id, limit=_MOST_LISTED)


def auth_code_of(core: Core, agreement: Agreement) -> str:
    """What the merchant exchanges for its first tokens."""
    return _AUTH_CODE + _made(core, "code", agreement, 0)


def tokens_of(core: Core, agreement: Agreement) -> Tokens:
    """The newest pair of an agreement that has one."""
    return Tokens(
        agreement=agreement,
        access_token=ACCESS_TOKEN + _made(core, "access", agreement, agreement.generation),
        refresh_token=_REFRESH_TOKEN + _made(core, "refresh", agreement, agreement.generation),
    )


def _newest(core: Core) -> int:
    return core.secrets.of(Purpose.WALLET_CODES).current.number


def _made(core: Core, purpose: str, agreement: Agreement, generation: int) -> str:
    """256 bits that nobody can tell without the key: of one of its own, since the root also hashes
    what others send.

    Raises: InvalidRequest where the version that they were made with was retired.
    """
    root = core.secrets.of(Purpose.WALLET_CODES).get(agreement.key_version)
    if root is None:
        raise InvalidRequest("the key that these tokens were made with was retired")
    key = hmac.digest(root.reveal(), b"wallet agreements: tokens", hashlib.sha256)
    said = f"{purpose}:{agreement.company_id}:{agreement.id}:{generation}"
    made = hmac.digest(key, said.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(made).decode("ascii").rstrip("=")


async def _locked(
    connection: Connection, company_id: str, agreement_id: str
) -> tuple[Agreement, datetime]:
    """Raises: NotFound."""
    found = await agreements.lock(connection, company_id, agreement_id)
    if found is None:
        raise NotFound(f"no such agreement: {agreement_id!r}")
    return found


async def _give(
    core: Core,
    connection: Connection,
    agreement: Agreement,
    kind: CodeKind,
    text: str,
    now: datetime,
    ends: datetime,
) -> None:
    code = WalletCode(
        company_id=agreement.company_id,
        code_hash=hash_code(core, text),
        id=core.new_id("wc"),
        user_id=agreement.user_id or "",
        kind=kind,
        created_at=now,
        client_id=agreement.client_id,
        expires_at=ends,
        agreement_id=agreement.id,
    )
    await wallet_codes.add(connection, code)


async def _use(connection: Connection, code: WalletCode, agreement_id: str, now: datetime) -> None:
    code.used_for, code.used_at = agreement_id, now
    await wallet_codes.save_used(connection, [code])


async def _tell(core: Core, connection: Connection, agreement: Agreement, now: datetime) -> None:
    """The merchant hears how it stands, where it said where."""
    if agreement.notify_url:
        news = WebhookEvent(
            company_id=agreement.company_id,
            id=core.new_id("ntf"),
            payment_id="",
            version=agreement.version,
            kind=AGREEMENT,
            url=agreement.notify_url,
            event_type=f"agreement.{agreement.status.value}",
            at=now,
            agreement_id=agreement.id,
        )
        await payments.add_webhook_events(connection, [news])
