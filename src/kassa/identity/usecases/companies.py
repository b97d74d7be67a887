"""Tenants and their credentials: what an operator does."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from kassa.base.domain.errors import InvalidRequest, NotFound
from kassa.base.domain.lifecycle import CompanyStatus
from kassa.base.domain.money import EXPONENT
from kassa.base.store.connection import Connection
from kassa.base.usecases.core import Core
from kassa.identity.domain.audit import Act
from kassa.identity.domain.networks import read_networks
from kassa.identity.domain.permissions import FULL, words_of
from kassa.identity.domain.principals import ClientSettings, Company, Mode
from kassa.identity.store import companies, credentials
from kassa.identity.store.credentials import NewCredential
from kassa.identity.usecases import audit
from kassa.identity.usecases.authenticate import hash_secret, key_name

_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.-]{1,32}+){1,4}", re.ASCII)
_WIDEST_TOLERANCE = 86_400
_OF_SIDE = ":"  # before the mode, in the id of a side that is not the bare one


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCompany:
    """One side of a company. `id`: how callers name it, and the same for both sides. `currency`:
    the default where a request names none. `sandbox`: whether it gets the built-in sandbox."""

    id: str
    business_id: str
    name: str
    currency: str
    mode: Mode = Mode.TEST
    sandbox: bool = False


async def add_company(core: Core, wanted: NewCompany) -> Company:
    """Make this side of the company, or return the one that there is.

    A second side has its name, its currency and its business from the first.
    Raises: InvalidRequest.
    """
    if wanted.currency not in EXPONENT:
        raise InvalidRequest(f"unknown currency {wanted.currency!r}")
    if not wanted.id or not wanted.id.isprintable() or _OF_SIDE in wanted.id:
        raise InvalidRequest(f"a company's id is text without {_OF_SIDE!r}, got {wanted.id!r}")
    if wanted.mode is Mode.LIVE and wanted.sandbox:
        raise InvalidRequest("the sandbox is for test sides: on a live side money is real")
    if wanted.mode is Mode.LIVE and not core.policy.live:
        raise InvalidRequest(
            "this installation moves no real money: a live side needs one with live = true"
        )
    async with core.db.transaction() as connection:
        if (known := await _side(connection, wanted)) is not None:
            return known
        number = await companies.next_company_number(connection)  # from here on nobody else adds
        if (known := await _side(connection, wanted)) is not None:
            return known
        sides = await companies.sides_of(connection, wanted.id)
        first = sides[0] if sides else None
        company = Company(
            id=_id_of(wanted, sides),
            public_id=wanted.id,
            number=number,
            name=first.name if first else wanted.name,
            currency=first.currency if first else wanted.currency,
            business_id=first.business_id if first else wanted.business_id,
            mode=wanted.mode,
            sandbox=wanted.sandbox,
        )
        await companies.add_company(connection, company)
        made = {"mode": company.mode, "currency": company.currency, "sandbox": company.sandbox}
        await audit.note(core, connection, Act.COMPANY_ADDED, company.id, company.id, after=made)
        return company


async def _side(connection: Connection, wanted: NewCompany) -> Company | None:
    sides = await companies.sides_of(connection, wanted.id)
    return next((side for side in sides if side.mode is wanted.mode), None)


def _id_of(wanted: NewCompany, others: Sequence[Company]) -> str:
    """The bare id is the test side's, so that nobody reaches real money by leaving a word out;
    a company that was live before there were sides has it for its live side."""
    if wanted.mode is Mode.TEST and all(side.id != wanted.id for side in others):
        return wanted.id
    return f"{wanted.id}{_OF_SIDE}{wanted.mode}"


async def add_side(core: Core, company: str, mode: Mode, sandbox: bool) -> Company:
    """Give a company the side that it has not got. `company`: its id, or one of its sides'.

    Raises: NotFound, InvalidRequest.
    """
    async with core.db.connection() as connection:
        sides = await companies.sides_of(connection, company.partition(_OF_SIDE)[0])
    if not sides:
        raise NotFound(f"no such company: {company!r}")
    for side in sides:
        if side.mode is mode:
            raise InvalidRequest(f"{side.id} is the {mode} side already")
    known = sides[0]
    return await add_company(
        core,
        NewCompany(
            id=known.public_id,
            business_id=known.business_id,
            name=known.name,
            currency=known.currency,
            mode=mode,
            sandbox=sandbox,
        ),
    )


async def find_side(core: Core, name: str, mode: Mode | None = None) -> Company:
    """The side of that id ("cmp_a", "cmp_a:live"), or the company's side of that mode.

    Raises: NotFound, InvalidRequest where the name is of the other side.
    """
    if not name.isprintable():
        raise NotFound(f"no such company: {name!r}")
    async with core.db.connection() as connection:
        company = await companies.find_company(connection, name)
        public_id, _, told = name.partition(_OF_SIDE)
        asked = mode or (Mode(told) if told in tuple(Mode) else None)
        sides = await companies.sides_of(connection, public_id)
    if company is not None and mode in (None, company.mode):
        return company
    if told and mode is not None and told != mode:
        raise InvalidRequest(f"{name} is not a {mode} side")
    for side in sides:
        if side.mode is asked:
            return side
    if sides and not told:
        named = f"{public_id} has no {asked or Mode.TEST} side"
        raise NotFound(f"{named}; its {sides[0].mode} side is {sides[0].id}")
    if asked is None or not sides:
        raise NotFound(f"no such company: {name!r}")
    raise NotFound(f"{public_id} has no {asked} side: kassa company side {public_id} --{asked}")


async def list_companies(core: Core) -> Sequence[tuple[Company, str]]:
    """Every side of every company, with its status."""
    async with core.db.connection() as connection:
        return await companies.listed(connection)


async def give_sandbox(core: Core, company_id: str, *, given: bool = True) -> None:
    """Let a test side use the built-in sandbox, or no longer; within a second.

    Raises: NotFound, InvalidRequest for a live side.
    """
    company = await get_company(core, company_id)
    async with core.db.transaction() as connection:
        if not await companies.set_sandbox(connection, company.id, given=given):
            raise InvalidRequest("the sandbox is for test sides: on a live side money is real")
        await audit.note(
            core,
            connection,
            Act.SANDBOX_CHANGED,
            company.id,
            company.id,
            before={"sandbox": company.sandbox},
            after={"sandbox": given},
        )


async def get_company(core: Core, company_id: str) -> Company:
    """Raises: NotFound."""
    async with core.db.connection() as connection:
        company = await companies.find_company(connection, company_id)
    if company is None:
        raise NotFound(f"no such company: {company_id!r}")
    return company


async def close_company(core: Core, company_id: str, *, closed: bool = True) -> None:
    """Close a company to all its clients, or open it again.

    Raises: NotFound.
    """
    async with core.db.transaction() as connection:
        status = CompanyStatus.CLOSED if closed else CompanyStatus.ACTIVE
        if not await companies.set_company_status(connection, company_id, status):
            raise NotFound(f"no such company: {company_id!r}")
        act = Act.COMPANY_CLOSED if closed else Act.COMPANY_OPENED
        await audit.note(core, connection, act, company_id, company_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialTerms:
    """What a new credential may do (`permissions`: words, or a preset's name), from where, and
    until when."""

    permissions: Sequence[str] = (FULL,)
    networks: Sequence[str] = ()
    expires_at: datetime | None = None


_USUAL = CredentialTerms()


async def put_api_key(
    core: Core, company: Company, secret: str, terms: CredentialTerms = _USUAL
) -> None:
    """Register an API key "sk_test_<id>_<secret>" or "sk_live_<id>_<secret>", of the company's
    mode. Only its keyed hash is stored.

    Raises: InvalidRequest for a key that says it is of the other mode, or unknown permissions.
    """
    name = key_name(secret)
    if name.startswith(tuple(f"sk_{mode}_" for mode in Mode if mode is not company.mode)):
        raise InvalidRequest(f"a key of a {company.mode} side begins with sk_{company.mode}_")
    await put_credential(
        core,
        NewCredential(
            lookup=f"key:{name}",
            company=company,
            kind="api_key",
            name=name,
            secret_hash=hash_secret(core, secret),
        ),
        terms,
    )


async def put_orders_client(
    core: Core, company: Company, client_id: str, secret: str, terms: CredentialTerms = _USUAL
) -> None:
    await put_credential(
        core,
        NewCredential(
            lookup=f"client:{client_id}",
            company=company,
            kind="orders_client",
            name=client_id,
            secret_hash=hash_secret(core, secret),
        ),
        terms,
    )


async def put_credential(core: Core, new: NewCredential, terms: CredentialTerms) -> None:
    """Store it with its terms; of one that there is only what proves it is replaced.

    Raises: InvalidRequest.
    """
    new = replace(
        new,
        permissions=words_of(new.kind, terms.permissions),
        networks=read_networks(terms.networks),
        created_by=audit.ACTING.get().who,
        expires_at=terms.expires_at,
    )
    async with core.db.transaction() as connection:
        await credentials.put(connection, new)
        said = {
            "business": new.company.business_id,
            "keys": list(new.public_keys or {}),
            "permissions": list(new.permissions),
            "networks": list(new.networks),
            "expires_at": new.expires_at.isoformat() if new.expires_at else None,
        }
        await audit.note(
            core, connection, Act.CREDENTIAL_PUT, new.company.id, new.lookup, after=said
        )


async def put_wallet_client(
    core: Core,
    company: Company,
    client_id: str,
    keys: dict[str, str],
    terms: CredentialTerms = _USUAL,
) -> None:
    """`keys`: key version to PEM public key, newest last."""
    new = NewCredential(
        lookup=f"wallet:{client_id}",
        company=company,
        kind="wallet_client",
        name=client_id,
        public_keys=keys,
    )
    await put_credential(core, new, terms)


async def set_wallet_client(core: Core, client_id: str, wanted: ClientSettings) -> None:
    """How the client is spoken to from now on, everywhere within a second.

    Raises: InvalidRequest, NotFound.
    """
    tolerance = wanted.time_tolerance_seconds
    if wanted.path_prefix and not _PREFIX.fullmatch(wanted.path_prefix):
        raise InvalidRequest(
            "a prefix is one to four parts of letters, digits, _, . and -, such as /acl/api",
            field="path_prefix",
        )
    if tolerance is not None and not 1 <= tolerance <= _WIDEST_TOLERANCE:
        raise InvalidRequest(
            f"a tolerance has 1 to {_WIDEST_TOLERANCE} seconds", field="time_tolerance_seconds"
        )
    lookup, settings = f"wallet:{client_id}", asdict(wanted)
    async with core.db.transaction() as connection:
        known = await credentials.find(connection, lookup)
        if known is None or not await credentials.set_settings(
            connection, lookup, "wallet_client", settings
        ):
            raise NotFound(f"no such wallet client: {client_id!r}")
        await audit.note(
            core,
            connection,
            Act.CREDENTIAL_CHANGED,
            known.company_id,
            lookup,
            before=known.settings,
            after=settings,
        )


async def put_jwt_key(
    core: Core,
    company: Company,
    key_id: str,
    public_pem: str,
    terms: CredentialTerms = _USUAL,
    token_terms: Mapping[str, Any] | None = None,
) -> None:
    """Register the P-256 public key that signs the company's customer tokens. `token_terms`: as
    they are kept."""
    new = NewCredential(
        lookup=f"jwt:{key_id}",
        company=company,
        kind="jwt_key",
        name=key_id,
        public_keys={key_id: public_pem},
        key_terms=token_terms,
    )
    await put_credential(core, new, terms)
