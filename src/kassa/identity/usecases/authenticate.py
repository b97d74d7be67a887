"""Who is asking: API keys, client secrets, customers' tokens and wallet clients."""

import asyncio
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import structlog

from kassa.base.domain.errors import KassaError, Unauthenticated
from kassa.base.domain.lifecycle import CompanyStatus, CredentialStatus
from kassa.base.usecases import keyed
from kassa.base.usecases.admission import VISIT
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.identity.domain.client_keys import believed
from kassa.identity.domain.networks import is_from
from kassa.identity.domain.permissions import granted
from kassa.identity.domain.principals import (
    ClientSettings,
    Company,
    Mode,
    Principal,
    WalletClient,
)
from kassa.identity.domain.token_terms import read_terms
from kassa.identity.store import companies, credentials
from kassa.identity.store.credentials import Credential
from kassa.identity.usecases.sides import admit
from kassa.identity.usecases.uses import note_use
from kassa.orders.domain.ownership import EVERY_ORDER

_log = structlog.get_logger("kassa.keys")
# Two memories stand in a row, so a revoked credential is dead on every node within a second.
_FRESH_SECONDS = 0.5  # seconds, not money
_REMEMBERED = 10_000
_LONGEST_NAME = 200
_LARGEST_NUMBER = 2**31 - 1  # of a company; anybody may write down a larger one
_REFUSED = "the credentials are missing, wrong or no longer valid"

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class _Known:
    """Who showed a secret: `proof` is a digest of it."""

    proof: bytes
    principal: Principal
    networks: Sequence[str]


class _Memory:
    """What was looked up within the last second; negative answers are not remembered."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, Any]] = OrderedDict()  # seconds, not money
        self._under_way: dict[str, asyncio.Future[Any]] = {}

    def get(self, key: str) -> Any:
        kept = self._kept.get(key)
        return kept[1] if kept and time.monotonic() - kept[0] < _FRESH_SECONDS else None

    def put(self, key: str, value: Any) -> None:
        self._kept[key] = (time.monotonic(), value)
        self._kept.move_to_end(key)
        while len(self._kept) > _REMEMBERED:
            self._kept.popitem(last=False)

    def drop(self, key: str) -> None:
        self._kept.pop(key, None)
        self._under_way.pop(key, None)

    async def found(self, key: str, look: Callable[[], Coroutine[Any, Any, _Found | None]]) -> Any:
        """What `look` finds; whoever asks for the same meanwhile gets the same answer."""
        looking = self._under_way.get(key)
        if looking is None:
            looking = self._under_way[key] = asyncio.create_task(look())
            looking.add_done_callback(lambda ended: self._ended(key, ended))
        return await asyncio.shield(looking)

    def _ended(self, key: str, looking: "asyncio.Future[Any]") -> None:
        if self._under_way.get(key) is not looking:  # it has changed meanwhile
            return
        del self._under_way[key]
        if not looking.cancelled() and looking.exception() is None and looking.result() is not None:
            self.put(key, looking.result())


def _memory(core: Core) -> _Memory:
    memory: _Memory = core.gatherers.setdefault("credentials", _Memory())
    return memory


async def remembered(
    core: Core, key: str, look: Callable[[], Coroutine[Any, Any, _Found | None]]
) -> _Found | None:
    """What `look` finds, at most half a second old; that there is nothing is not remembered."""
    memory = _memory(core)
    known: _Found | None = memory.get(key)
    if known is None:
        known = await memory.found(key, look)
    return known


def forget(core: Core, key: str) -> None:
    """This process has just changed what it remembers."""
    _memory(core).drop(key)


async def _credential(core: Core, lookup: str) -> Credential | None:
    if len(lookup) > 200 or not lookup.isprintable():
        return None

    async def look() -> Credential | None:
        async with core.db.connection() as connection:
            return await credentials.find(connection, lookup)

    return await remembered(core, lookup, look)


def hash_secret(core: Core, secret: str) -> bytes:
    """How a secret is kept: HMAC-SHA256 under the newest pepper, which the database does not
    hold."""
    return keyed.make(core.secrets.of(Purpose.CREDENTIALS), _bytes(secret), keyed.hmac_sha256)


def secret_hashes(core: Core, secret: str) -> list[bytes]:
    """All that it may be kept as, by any version of the pepper."""
    return keyed.every(core.secrets.of(Purpose.CREDENTIALS), _bytes(secret), keyed.hmac_sha256)


def _bytes(secret: str) -> bytes:
    return secret.encode("utf-8", "surrogatepass")


async def _prove(core: Core, lookup: str, kind: str, secret: str) -> Principal:
    pepper = core.secrets.current(Purpose.CREDENTIALS).reveal()
    proof = keyed.blake2b(pepper, _bytes(secret))
    shown = f"{lookup} {proof.hex()}"
    core.admission.try_credential(shown)
    principal = await _proved(core, lookup, kind, secret, proof)
    note_use(core, lookup)
    admit(core, principal.company, lookup, principal.permissions, shown=shown)
    return principal


async def _proved(core: Core, lookup: str, kind: str, secret: str, proof: bytes) -> Principal:
    memory = _memory(core)
    known: _Known | None = memory.get(f"{kind}|{lookup}")
    if known is not None and hmac.compare_digest(known.proof, proof):
        if known.networks and not _is_here(known.networks):
            raise Unauthenticated(_REFUSED)
        return known.principal
    credential = await _credential(core, lookup)
    of_kind = credential if credential and credential.kind == kind else None
    right = _fitting(core, secret, of_kind)
    if of_kind is None or right is None or not _is_active(of_kind):
        raise Unauthenticated(_REFUSED)
    principal = Principal(
        company=of_kind.company,
        business_id=of_kind.business_id,
        kind=kind,
        credential=of_kind.name,
        permissions=granted(kind, of_kind.permissions),
    )
    memory.put(f"{kind}|{lookup}", _Known(proof, principal, of_kind.networks))
    newest = core.secrets.of(Purpose.CREDENTIALS).current.number
    if right == of_kind.secret_hash and keyed.version_of(right) != newest:
        _hash_anew(core, lookup, right, secret)
    return principal


def _fitting(core: Core, secret: str, credential: Credential | None) -> bytes | None:
    """The hash that this is the secret of: the credential's, or the one of before while that is
    still good. It takes as long for who has neither."""
    peppers, shown, nothing = core.secrets.of(Purpose.CREDENTIALS), _bytes(secret), bytes(32)
    current = credential.secret_hash if credential else None
    until = credential.earlier_until if credential else None
    earlier = (
        credential.earlier_hash if credential and until and datetime.now(UTC) < until else None
    )
    is_current = keyed.fits(peppers, shown, current or nothing, keyed.hmac_sha256)
    is_earlier = keyed.fits(peppers, shown, earlier or nothing, keyed.hmac_sha256)
    if is_current and current is not None:
        return current
    return earlier if is_earlier else None


def _hash_anew(core: Core, lookup: str, kept: bytes, secret: str) -> None:
    """Under the newest pepper: only now is the secret known. Nobody waits for it, and where it
    fails the next use does it."""

    async def work() -> None:
        try:
            async with core.db.transaction() as connection:
                await credentials.set_secret_hash(
                    connection, lookup, kept, hash_secret(core, secret)
                )
        except KassaError as error:
            _log.warning("a credential keeps its older pepper", why=error.message)

    task = asyncio.create_task(work())
    core.running.add(task)
    task.add_done_callback(core.running.discard)


def _is_active(credential: Credential) -> bool:
    return (
        credential.status == CredentialStatus.ACTIVE
        and credential.company_status == CompanyStatus.ACTIVE
        and not _is_over(credential)
        and _is_here(credential.networks)
    )


def _is_over(credential: Credential) -> bool:
    return credential.expires_at is not None and datetime.now(UTC) >= credential.expires_at


def _is_here(networks: Sequence[str]) -> bool:
    """Whether the request comes from where its credential may be used."""
    if not networks:
        return True
    visit = VISIT.get()
    return visit is not None and is_from(visit.host, networks)


async def authenticate_api_key(core: Core, secret: str) -> Principal:
    """The holder of an API key: its name finds it, the whole proves it.

    Raises: Unauthenticated, in the same words whatever was wrong; PermissionDenied for a live key
    where no real money is moved.
    """
    return await _prove(core, f"key:{key_name(secret)}", "api_key", secret)


def key_name(secret: str) -> str:
    """The public half of an API key: of "sk_test_<id>_<secret>" and "sk_live_<id>_<secret>" all
    but the secret, and so of "sk_<id>_<secret>", as keys looked before they said their mode."""
    parts = secret.split("_", 3)
    named = len(parts) == 4 and parts[1] in tuple(Mode)
    return "_".join(parts[: 3 if named else 2])


async def authenticate_client(core: Core, client_id: str, client_secret: str) -> Principal:
    """A client of the orders face.

    Raises: Unauthenticated, in the same words whatever was wrong; PermissionDenied for a live
    client where no real money is moved.
    """
    return await _prove(core, f"client:{client_id}", "orders_client", client_secret)


async def authenticate_customer(core: Core, token: str) -> Principal:
    """A shopper, by a JWT that one of the company's registered keys signed (ES256 only).

    Claims: `sub` the username, `roles` a list, `aud` "kassa", `exp` required; where its key says
    so, another `aud`, an `iss`, and a longest time from `iat` to `exp`. For what an order belongs
    to: `customer_id`, `email` with `email_verified`, `orders` a list or "*".
    Raises: Unauthenticated, in the same words whatever was wrong; PermissionDenied for a customer
    of a live side where no real money is moved.
    """
    from kassa.identity.usecases import tokens  # noqa: PLC0415 - see there

    try:
        key_id = tokens.key_id_of(token)
    except ValueError:
        raise Unauthenticated(_REFUSED) from None
    core.admission.try_credential(f"jwt:{key_id}")
    credential = await _credential(core, f"jwt:{key_id}")
    if credential is None or credential.kind != "jwt_key" or not _is_active(credential):
        raise Unauthenticated(_REFUSED)
    try:
        terms = read_terms(credential.key_terms)
        claims = tokens.claims_of(token, credential.public_keys[key_id], terms)
    except (ValueError, KeyError):
        raise Unauthenticated(_REFUSED) from None
    name = str(claims["sub"])
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Unauthenticated(_REFUSED)
    note_use(core, credential.lookup)
    permissions = granted(credential.kind, credential.permissions)
    admit(core, credential.company, f"jwt:{key_id}", permissions, caller=name)
    return Principal(
        company=credential.company,
        business_id=credential.business_id,
        kind="customer",
        credential=key_id,
        name=name,
        roles=_words(claims.get("roles")),
        customer_id=_text(claims.get("customer_id")),
        email=_text(claims.get("email")) if claims.get("email_verified") is True else "",
        orders=_words(
            [EVERY_ORDER] if claims.get("orders") == EVERY_ORDER else claims.get("orders")
        ),
        permissions=permissions,
    )


def _words(claim: Any) -> frozenset[str]:
    return frozenset(map(str, claim)) if isinstance(claim, list) else frozenset()


def _text(claim: Any) -> str:
    """A number is as good as its digits: the orders interface numbers its customers."""
    return str(claim) if isinstance(claim, str | int) and not isinstance(claim, bool) else ""


async def find_wallet_client(core: Core, client_id: str) -> WalletClient | None:
    """The wallet client and its public keys; None when nobody has that id, or not here.

    `status`: active, disabled (also for one that has expired), or no_partner when its company is
    closed.
    Raises: RateLimited.
    """
    core.admission.try_credential(f"wallet:{client_id}")
    credential = await _credential(core, f"wallet:{client_id}")
    if credential is None or credential.kind != "wallet_client":
        return None
    if not _is_here(credential.networks):
        return None
    serves = credential.company_status == CompanyStatus.ACTIVE
    status = credential.status if serves else "no_partner"
    if _is_over(credential):
        status = CredentialStatus.DISABLED
    return WalletClient(
        company=credential.company,
        business_id=credential.business_id,
        client_id=client_id,
        status=status,
        keys=believed(credential.public_keys, credential.key_terms, datetime.now(UTC)),
        settings=msgspec.convert(credential.settings, ClientSettings),
        permissions=granted(credential.kind, credential.permissions),
    )


def admit_wallet_client(core: Core, client: WalletClient) -> None:
    """The request has proved to be the client's.

    Raises: as `admit`.
    """
    lookup = f"wallet:{client.client_id}"
    note_use(core, lookup)
    admit(core, client.company, lookup, client.permissions)


async def company_by_id(core: Core, company_id: str) -> Company | None:
    """The side of a company that has this id, at most half a second old."""
    if not company_id.isprintable():
        return None

    async def look() -> Company | None:
        async with core.db.connection() as connection:
            return await companies.find_company(connection, company_id)

    return await remembered(core, f"id:{company_id}", look)


async def company_by_number(core: Core, number: int) -> Company | None:
    """The company whose number stands in a session token or an attempt id."""
    if not 0 < number <= _LARGEST_NUMBER:
        return None

    async def look() -> Company | None:
        async with core.db.connection() as connection:
            return await companies.find_company_by_number(connection, number)

    return await remembered(core, f"number:{number}", look)
