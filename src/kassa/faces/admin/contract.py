"""The admin interface's shapes and words. What is not named here is refused, and not told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.identity.domain.client_keys import ClientKey
from kassa.identity.domain.principals import Business, Company
from kassa.identity.usecases.credentials import (
    PAGE,
    CredentialView,
    MadeCredential,
    WantedCredential,
)

NO_STORE = {"Cache-Control": "no-store"}
_STATUS_OF_REASON = {"method_not_allowed": 405}
_HOURS = 24
_LONGEST_ID = 300

Word = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Words = Annotated[list[Word], msgspec.Meta(min_length=1, max_length=50)]


class CompanyJson(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a company. `payees_required`: whether a payment may name registered payees
    alone."""

    company_id: str
    mode: str
    name: str
    currency: str
    business_id: str
    org_id: int
    sandbox: bool
    payees_required: bool


class BusinessJson(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    name: str


class PutBusiness(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`id`: made where it is absent; the business of that id gets the name."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    id: Word | None = None


class KeyJson(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a wallet client's public key."""

    version: str
    state: str
    not_before: str | None
    not_after: str | None


class CredentialJson(msgspec.Struct, frozen=True, kw_only=True):
    """Whatever is secret is not in it."""

    id: str
    kind: str
    mode: str
    business_id: str
    status: str
    permissions: list[str]
    networks: list[str]
    keys: list[KeyJson]
    created_at: str
    created_by: str
    expires_at: str | None
    earlier_until: str | None
    last_used_at: str | None


class AddCredential(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`permissions`: a preset's name, or permissions. `days`: for so many it is good. `public_key`:
    PEM, of a wallet client and of a customers' key."""

    kind: str
    permissions: Words
    business_id: Word | None = None
    networks: Annotated[list[Word], msgspec.Meta(max_length=50)] = []
    days: int | None = None
    public_key: str | None = None
    key_version: Word | None = None


class RotateCredential(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`overlap_hours`: how long what proved it before is good as well. `public_key` (PEM) and
    `key_version`: the next key of a wallet client, which has no secret."""

    overlap_hours: Annotated[int, msgspec.Meta(ge=0, le=720)] = _HOURS
    public_key: str | None = None
    key_version: Word | None = None


class SecretJson(msgspec.Struct, frozen=True, kw_only=True):
    """A new credential, or a new secret of one: told here, and never again. `secret`: null where
    the holder has a private key of its own."""

    id: str
    kind: str
    name: str
    secret: str | None
    earlier_until: str | None


def read_credential(wanted: AddCredential) -> WantedCredential:
    return WantedCredential(
        kind=wanted.kind,
        business_id=wanted.business_id or "",
        permissions=wanted.permissions,
        networks=wanted.networks,
        days=wanted.days,
        public_key=wanted.public_key or "",
        key_version=wanted.key_version or "1",
    )


def read_page(query: QueryParams) -> tuple[str, int]:
    """Behind which credential the page begins, and how many are wanted.

    Raises: InvalidRequest.
    """
    after, limit = query.get("after", ""), query.get("limit", str(PAGE))
    if not (limit.isascii() and limit.isdigit() and len(limit) <= 3 and 1 <= int(limit) <= PAGE):
        raise InvalidRequest(f"limit: 1 to {PAGE} is needed", field="limit")
    if len(after) > _LONGEST_ID or not after.isprintable():
        raise InvalidRequest("after: the id of a credential is needed", field="after")
    return after, int(limit)


def write_company(company: Company, *, payees_required: bool) -> CompanyJson:
    return CompanyJson(
        company_id=company.public_id,
        mode=company.mode.value,
        name=company.name,
        currency=company.currency,
        business_id=company.business_id,
        org_id=company.number,
        sandbox=company.sandbox,
        payees_required=payees_required,
    )


def write_business(business: Business) -> BusinessJson:
    return BusinessJson(id=business.id, name=business.name)


def write_credential(one: CredentialView) -> CredentialJson:
    return CredentialJson(
        id=one.id,
        kind=one.kind,
        mode=one.company.mode.value,
        business_id=one.business_id,
        status=one.status.replace(" ", "_"),
        permissions=list(one.permissions),
        networks=list(one.networks),
        keys=[_key(key) for key in one.keys],
        created_at=edge.utc_text(one.created_at),
        created_by=one.created_by,
        expires_at=_moment(one.expires_at),
        earlier_until=_moment(one.earlier_until),
        last_used_at=_moment(one.last_used_at),
    )


def _key(key: ClientKey) -> KeyJson:
    return KeyJson(
        version=key.version,
        state=key.state.value,
        not_before=_moment(key.not_before),
        not_after=_moment(key.not_after),
    )


def write_credentials(found: Sequence[CredentialView], limit: int) -> dict[str, object]:
    """A page; `next` is where the next one begins, null behind the last."""
    more = found[-1].id if len(found) == limit else None
    return {"credentials": [write_credential(one) for one in found], "next": more}


def write_secret(made: MadeCredential) -> SecretJson:
    return SecretJson(
        id=made.id,
        kind=made.kind,
        name=made.name,
        secret=made.secret or None,
        earlier_until=_moment(made.earlier_until),
    )


def _moment(at: datetime | None) -> str | None:
    return None if at is None else edge.utc_text(at)


def write_error(_: Request, error: KassaError) -> Response:
    """`error` with the stable code, a sentence, and the member at fault."""
    status = _STATUS_OF_REASON.get(error.reason, edge.HTTP_STATUS[error.code])
    headers = dict(NO_STORE)
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="kassa"'
    pause = pause_of(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    body = {"code": error.code, "reason": error.reason, "message": error.message}
    return edge.answer({"error": {**body, "field": error.field}}, status, headers)
