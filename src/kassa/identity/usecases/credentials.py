"""What proves who asks, as whoever answers for a company sees it: made, listed, switched, rotated.

A secret is told once, by what makes it.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.lifecycle import CompanyStatus, CredentialStatus
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.domain.client_keys import ClientKey, check_version, read_keys
from kassa.identity.domain.permissions import INTERFACES, Permission, demand, granted, words_of
from kassa.identity.domain.principals import Company
from kassa.identity.domain.token_terms import USUAL, TokenTerms, kept, read_terms
from kassa.identity.store import credentials
from kassa.identity.store.credentials import Credential
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import hash_secret
from kassa.identity.usecases.businesses import find_business
from kassa.identity.usecases.client_keys import LONGEST_OVERLAP
from kassa.identity.usecases.companies import (
    CredentialTerms,
    put_api_key,
    put_jwt_key,
    put_orders_client,
    put_wallet_client,
)

PAGE = 100
LONGEST_LIFE = timedelta(days=3650)
_WITH_SECRET = frozenset({"api_key", "orders_client"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialView:
    """A credential as it is shown: whatever is secret is not in it.

    `id`: its public half. `permissions`: the words that it was given, and `may` what they come to.
    `earlier_until`: how long the secret of before the last rotation is good. `keys`: versions of
    its public keys. `token_terms`: what the tokens by a customers' key have to say.
    """

    id: str
    company: Company
    business_id: str
    kind: str
    status: str
    permissions: Sequence[str]
    may: frozenset[Permission]
    networks: Sequence[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    earlier_until: datetime | None
    last_used_at: datetime | None
    keys: Sequence[ClientKey]
    token_terms: TokenTerms


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MadeCredential:
    """A new credential, or one with a new secret. `secret`: the whole that its holder needs; ""
    where that is a private key of theirs."""

    id: str
    kind: str
    name: str
    secret: str = ""
    key_version: str = ""
    earlier_until: datetime | None = None

    def __repr__(self) -> str:
        return f"MadeCredential({self.id})"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCredential:
    """A credential to be made. `business_id`: "" for the company's own. `days`: for so many it is
    good; None: until it is disabled. `public_key`: PEM, where its holder has the private one."""

    kind: str
    business_id: str = ""
    permissions: Sequence[str] = ("full",)
    networks: Sequence[str] = ()
    days: int | None = None
    public_key: str = ""
    key_version: str = "1"
    token_terms: TokenTerms = USUAL


async def make_credential(
    core: Core,
    company: Company,
    wanted: WantedCredential,
    *,
    giver: frozenset[Permission] | None = None,
) -> MadeCredential:
    """`giver`: what whoever gives it may do; None: everything, as at the keyboard.

    Raises: InvalidRequest; NotFound for a business that there is not; PermissionDenied for a right
    to administer that the giver has not.
    """
    if wanted.business_id:
        if await find_business(core, company, wanted.business_id) is None:
            raise NotFound(f"no such business: {wanted.business_id!r}")
        company = replace(company, business_id=wanted.business_id)
    if wanted.kind in INTERFACES:
        _demand_as_much(giver, granted(wanted.kind, words_of(wanted.kind, wanted.permissions)))
    terms = CredentialTerms(
        permissions=wanted.permissions,
        networks=wanted.networks,
        expires_at=_end(wanted.days, LONGEST_LIFE),
    )
    match wanted.kind:
        case "api_key":
            name = f"sk_{company.mode}_{secrets.token_hex(6)}"
            secret = f"{name}_{secrets.token_urlsafe(32)}"
            await put_api_key(core, company, secret, terms)
            return MadeCredential(id=f"key:{name}", kind=wanted.kind, name=name, secret=secret)
        case "orders_client":
            name = f"client_{company.mode}_{secrets.token_hex(8)}"
            secret = secrets.token_urlsafe(32)
            await put_orders_client(core, company, name, secret, terms)
            return MadeCredential(id=f"client:{name}", kind=wanted.kind, name=name, secret=secret)
        case "wallet_client":
            return await _make_wallet_client(core, company, wanted, terms)
        case "jwt_key":
            if wanted.networks:
                raise InvalidRequest("customers come from anywhere", field="networks")
            name = f"{company.public_id}-{company.mode}-{secrets.token_hex(6)}"
            pem = _checked(wanted)
            await put_jwt_key(core, company, name, pem, terms, kept(wanted.token_terms))
            return MadeCredential(id=f"jwt:{name}", kind=wanted.kind, name=name)
    raise InvalidRequest(
        "a credential is an API key, an orders client, a wallet client or a JWT key", field="kind"
    )


def _demand_as_much(giver: frozenset[Permission] | None, given: frozenset[Permission]) -> None:
    """See that nobody gets a right to administer from who has it not himself."""
    for one in sorted(given):
        if giver is not None and one.interface == "admin":
            demand(giver, (one,))


async def _make_wallet_client(
    core: Core, company: Company, wanted: WantedCredential, terms: CredentialTerms
) -> MadeCredential:
    version = check_version(wanted.key_version)
    name = f"5X{secrets.randbelow(10**14):014d}"
    pem = _checked(wanted)
    await put_wallet_client(core, company, name, {version: pem}, terms)
    return MadeCredential(id=f"wallet:{name}", kind=wanted.kind, name=name, key_version=version)


def _checked(wanted: WantedCredential) -> str:
    """Its public key. Raises: InvalidRequest."""
    from kassa.identity.usecases import public_keys  # noqa: PLC0415 - see there

    is_client = wanted.kind == "wallet_client"
    check = public_keys.check_rsa if is_client else public_keys.check_p256
    return check(wanted.public_key)


def _end(days: int | None, longest: timedelta) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= longest.days:
        raise InvalidRequest(f"a credential is good for 1 to {longest.days} days", field="days")
    return datetime.now(UTC) + timedelta(days=days)


async def list_credentials(
    core: Core, company: Company, *, after: str = "", limit: int = PAGE
) -> list[CredentialView]:
    """A page of them, by their public halves; `after`: the last one of the page before."""
    async with core.db.connection() as connection:
        found = await credentials.listed(connection, company.id, after, limit)
    return [_view(one) for one in found]


async def show_credential(
    core: Core, lookup: str, company: Company | None = None
) -> CredentialView:
    """`company`: whose it has to be; None: anybody's.

    Raises: NotFound.
    """
    return _view(await _found(core, lookup, company))


async def _found(core: Core, lookup: str, company: Company | None) -> Credential:
    found = None
    if lookup.isprintable():
        async with core.db.connection() as connection:
            found = await credentials.find(connection, lookup)
    if found is None or (company is not None and found.company_id != company.id):
        raise NotFound(f"no such credential: {lookup[:200]!r}", reason="credential_unknown")
    return found


def _view(found: Credential) -> CredentialView:
    now = datetime.now(UTC)
    status = found.status
    if found.expires_at is not None and now >= found.expires_at:
        status = "expired"
    elif status == CredentialStatus.ACTIVE and found.company_status != CompanyStatus.ACTIVE:
        status = "company closed"
    earlier, is_client = found.earlier_until, found.kind == "wallet_client"
    return CredentialView(
        id=found.lookup,
        company=found.company,
        business_id=found.business_id,
        kind=found.kind,
        status=status,
        permissions=found.permissions,
        may=granted(found.kind, found.permissions),
        networks=found.networks,
        created_at=found.created_at,
        created_by=found.created_by,
        expires_at=found.expires_at,
        earlier_until=earlier if earlier is not None and now < earlier else None,
        last_used_at=found.last_used_at,
        keys=read_keys(found.public_keys, found.key_terms) if is_client else [],
        token_terms=USUAL if is_client else read_terms(found.key_terms),
    )


async def switch_credential(
    core: Core, lookup: str, *, active: bool, company: Company | None = None
) -> CredentialView:
    """Revoke it, everywhere within a second, or let it in again. `company`: whose it has to be.

    Raises: NotFound.
    """
    found = await _found(core, lookup, company)
    status = CredentialStatus.ACTIVE if active else CredentialStatus.DISABLED
    act = Act.CREDENTIAL_ENABLED if active else Act.CREDENTIAL_DISABLED
    async with core.db.transaction() as connection:
        await credentials.set_status(connection, lookup, status)
        was = {"status": found.status}
        await audit.note(core, connection, act, found.company_id, lookup, before=was)
    return await show_credential(core, lookup, company)


async def rotate_secret(
    core: Core,
    lookup: str,
    overlap: timedelta,
    company: Company | None = None,
    *,
    giver: frozenset[Permission] | None = None,
) -> MadeCredential:
    """Give it another secret. The one of before is good for `overlap`; the one before that is dead
    within a second, if it was not yet. `giver`: as of `make_credential`, for who is told it can
    use it.

    Raises: NotFound; InvalidRequest for what has no secret here; PermissionDenied.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise InvalidRequest(
            f"two secrets are good at once for 0 to {LONGEST_OVERLAP.days} days", field="overlap"
        )
    found = await _found(core, lookup, company)
    _demand_as_much(giver, granted(found.kind, found.permissions))
    if found.kind not in _WITH_SECRET:
        raise InvalidRequest(
            "a client that signs has no secret here: it gets another key", field="credential"
        )
    tail = secrets.token_urlsafe(32)
    secret = f"{found.name}_{tail}" if found.kind == "api_key" else tail
    until = datetime.now(UTC) + overlap if overlap else None
    async with core.db.transaction() as connection:
        await credentials.rotate(connection, lookup, hash_secret(core, secret), until)
        said = {"earlier_until": until.isoformat() if until else None}
        await audit.note(
            core, connection, Act.CREDENTIAL_ROTATED, found.company_id, lookup, after=said
        )
    return MadeCredential(
        id=lookup, kind=found.kind, name=found.name, secret=secret, earlier_until=until
    )
