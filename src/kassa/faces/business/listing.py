"""ListPayments: what was asked for, whose it is, and the token of the page that follows."""

import base64
import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from kassa.base.domain.errors import InvalidRequest, PermissionDenied
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.faces import edge
from kassa.faces.business import contract, filters
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.businesses import known_businesses
from kassa.payments.domain.payments import PaymentFilter
from kassa.payments.domain.summaries import Summary
from kassa.payments.usecases import find_payments
from moego.business.payment.v1 import payment_pb2

PAGE_SIZE_DEFAULT = 100
PAGE_SIZE_MAX = 500
ORDER_IDS_MAX = 500
_FIRST_PAGE = frozenset({"", "1"})
_TOKEN_LIMIT = 64
_MAC_BYTES = 16
_INT32 = 2**31
_SHOWN = 40  # characters of a caller's own words that are said back
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,18}+)(\.[0-9]{1,18}+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_REQUEST = {
    "pagination": "pagination",
    "companyId": "company_id",
    "company_id": "company_id",
    "filter": "filter",
}
_PAGINATION = {
    "pageSize": "page_size",
    "page_size": "page_size",
    "pageToken": "page_token",
    "page_token": "page_token",
}
_FILTER = {
    "orderIds": "order_ids",
    "order_ids": "order_ids",
    **filters.NAMES,
    **{name: name for name in filters.NAMES.values()},
}
_PUBLISHED = {"order_ids"}
_INTERVAL = {**filters.INTERVAL, **{name: name for name in filters.INTERVAL.values()}}
_NAMES = _REQUEST | _PAGINATION | _FILTER | _INTERVAL


_ALL = filters.Narrowed()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """`page_token` is "" for the first page. No `order_ids`: payments of all orders."""

    company_id: str
    order_ids: tuple[str, ...]
    page_size: int
    page_token: str
    narrowed: filters.Narrowed = _ALL


def read_message(request: payment_pb2.ListPaymentsRequest) -> ListQuery:
    """Raises: InvalidRequest."""
    if not request.HasField("pagination"):
        raise _wrong("pagination", "is required")
    return _checked(
        company_id=request.company_id,
        order_ids=request.filter.order_ids,
        page_size=request.pagination.page_size,
        page_token=request.pagination.page_token,
        narrowed=filters.of_message(request.filter, _wrong) if request.HasField("filter") else _ALL,
    )


def parse_json(body: bytes) -> Any:
    """Exact JSON; a field that is at fault is named as the proto spells it, as everywhere here.

    Raises: InvalidRequest.
    """
    try:
        return edge.parse_json(body)
    except InvalidRequest as error:
        if error.field is None:
            raise
        field = re.sub(r"\w++", lambda name: _NAMES.get(name[0], name[0]), error.field)
        raise _wrong(field, "holds NUL or half a character") from None


def read_json(value: Any) -> ListQuery:
    """The same from JSON by protobuf's rules, except that a member may stand in one form only.

    Raises: InvalidRequest.
    """
    request = _members(value, "", _REQUEST)
    if "pagination" not in request:
        raise _wrong("pagination", "is required")
    pagination = _members(request["pagination"], "pagination", _PAGINATION)
    filtered = _members(request.get("filter", {}), "filter", _FILTER)
    span = _members(filtered.get("created_time", {}), "filter.created_time", _INTERVAL)
    order_ids = filtered.get("order_ids", [])
    if not isinstance(order_ids, list):
        raise _wrong("filter.order_ids", "must be an array of strings")
    return _checked(
        company_id=_text(request.get("company_id", ""), "company_id"),
        order_ids=[
            _text(item, f"filter.order_ids[{index}]") for index, item in enumerate(order_ids)
        ],
        page_size=_int32(pagination.get("page_size", 0), "pagination.page_size"),
        page_token=_text(pagination.get("page_token", ""), "pagination.page_token"),
        narrowed=filters.of_json(filtered, span, _wrong) if filtered.keys() - _PUBLISHED else _ALL,
    )


def _checked(
    *,
    company_id: str,
    order_ids: Sequence[str],
    page_size: int,
    page_token: str,
    narrowed: filters.Narrowed,
) -> ListQuery:
    if not company_id:
        raise _wrong("company_id", "is required")
    contract.read_id(company_id, "company_id")
    if not 0 <= page_size <= PAGE_SIZE_MAX:
        raise InvalidRequest(
            f"pagination.page_size must be 1..{PAGE_SIZE_MAX}, got {page_size}",
            field="pagination.page_size",
            reason="page_size_invalid",
        )
    if len(order_ids) > ORDER_IDS_MAX:
        raise _wrong("filter.order_ids", f"takes at most {ORDER_IDS_MAX} ids, got {len(order_ids)}")
    for index, order_id in enumerate(order_ids):
        contract.read_id(order_id, f"filter.order_ids[{index}]")
    return ListQuery(
        company_id=company_id,
        order_ids=tuple(sorted(set(order_ids))),
        page_size=page_size or PAGE_SIZE_DEFAULT,
        page_token="" if page_token in _FIRST_PAGE else page_token,
        narrowed=narrowed,
    )


def _members(value: Any, path: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The object's members by their proto names; null means unset."""
    if not isinstance(value, dict):
        raise _wrong(path, "must be an object")
    members: dict[str, Any] = {}
    for name, member in value.items():
        if name not in names:
            raise _wrong(f"{path}.{name[:_SHOWN]}".lstrip("."), "is not a known member")
        if names[name] in members:
            raise _wrong(f"{path}.{names[name]}".lstrip("."), "stands twice")
        members[names[name]] = member
    return {name: member for name, member in members.items() if member is not None}


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str):
        raise _wrong(field, "must be a string")
    return value


def _int32(value: Any, field: str) -> int:
    """A 32-bit integer as protobuf's JSON has it: 5, 5.0 and "5" alike."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = Decimal(value)
    if type(value) not in (int, Decimal) or not -_INT32 <= value < _INT32 or value % 1 != 0:
        raise _wrong(field, "must be a whole number of 32 bits")
    return int(value)


def _wrong(field: str, text: str) -> InvalidRequest:
    return InvalidRequest(f"{field or 'the body'} {text}", field=field or None, reason="schema")


async def payment_of(core: Core, principal: Principal, payment_id: str) -> Summary:
    """One payment with all that happened to its money. Raises: NotFound."""
    found = await find_payments.get_summary(core, principal.company.id, payment_id)
    [whole] = await find_payments.with_money_afterwards(core, [found])
    return whole


async def page_of(core: Core, principal: Principal, wanted: ListQuery) -> contract.ListedPayments:
    """The payments of one page, newest first, and the token of the next; or what changed.

    Raises: PermissionDenied for any company but the principal's own, whether it exists or not;
    InvalidRequest for a token that was not given out for this very list.
    """
    if wanted.company_id != principal.company.public_id:
        raise PermissionDenied("Permission denied: the API key is not of this company")
    await _know_businesses(core, principal, wanted)
    if wanted.narrowed.changes:
        return await _changes_of(core, principal, wanted)
    keys = page_keys(core)
    page = await find_payments.list_payments(
        core,
        principal.company.id,
        order_ids=wanted.order_ids,
        wanted=wanted.narrowed.wanted,
        before=position(keys, wanted),
        limit=wanted.page_size,
    )
    payments = await find_payments.with_money_afterwards(core, page.payments)
    token = next_token(keys[0], wanted, page.next) if page.next else ""
    return contract.ListedPayments(payments, token)


async def _know_businesses(core: Core, principal: Principal, wanted: ListQuery) -> None:
    """Raises: InvalidRequest for one that the company has not."""
    asked = wanted.narrowed.wanted
    if asked is not None:
        await known_businesses(core, principal, asked.business_ids, field="filter.business_ids")


async def _changes_of(
    core: Core, principal: Principal, wanted: ListQuery
) -> contract.ListedPayments:
    """The payments that changed behind a place, and the tokens to go on there: at once, where there
    is more, and whenever one asks again."""
    keys, company_id, asked = page_keys(core), principal.company.id, wanted.narrowed
    place = _place(keys, wanted)
    if place is None:
        moment = asked.updated_after or datetime.now(UTC)
        place = await find_payments.changes_since(core, company_id, moment)
    narrowing = replace(asked.wanted or PaymentFilter(), order_ids=wanted.order_ids)
    try:
        found = await find_payments.list_changes(
            core, company_id, wanted=narrowing, after=place, limit=wanted.page_size
        )
    except InvalidRequest:
        raise InvalidRequest(
            "filter.changes_token is of a later state than this database has (was it restored from"
            " a backup?): begin anew, with updated_after",
            field="filter.changes_token",
            reason="changes_token_invalid",
        ) from None
    payments = await find_payments.with_money_afterwards(core, found.payments)
    token = next_token(keys[0], wanted, str(found.place))
    more = found.complete_until is None
    return contract.ListedPayments(payments, token if more else "", token, found.complete_until)


def next_token(key: bytes, wanted: ListQuery, place: str) -> str:
    """Where the next page starts, sealed: good for the same company and filter only.

    `place`: a payment's id, or of a list of changes how far it has come; where that began is not
    sealed, so that it goes on for ever.
    Url-safe, at most 64 characters, as the published contract bounds it.
    """
    kind = "business.list_changes" if wanted.narrowed.changes else "business.list_payments"
    content: list[Any] = [kind, wanted.company_id, wanted.order_ids, place]
    if wanted.narrowed.wanted is not None:
        content.append(wanted.narrowed.wanted)
    seal = hmac.digest(key, msgspec.json.encode(content), "sha256")[:_MAC_BYTES]
    return base64.urlsafe_b64encode(place.encode() + seal).decode().rstrip("=")


def page_keys(core: Core) -> list[bytes]:
    """What seals tokens: new ones by the first."""
    return [one.secret.reveal() for one in core.secrets.of(Purpose.PAGE_TOKENS).every]


def position(keys: Sequence[bytes], wanted: ListQuery) -> str | None:
    """What the page's token hides; None for the first page."""
    return _position(keys, wanted, wanted.page_token, "pagination.page_token")


def _place(keys: Sequence[bytes], wanted: ListQuery) -> int | None:
    """Where a list of changes goes on; None where it begins."""
    told = position(keys, wanted)
    if told is None:
        told = _position(keys, wanted, wanted.narrowed.changes_token, "filter.changes_token")
    return None if told is None else int(told)


def _position(keys: Sequence[bytes], wanted: ListQuery, token: str, field: str) -> str | None:
    if not token:
        return None
    place = _unsealed(token)
    shown = token.encode("utf-8", "replace")
    fitting = [hmac.compare_digest(next_token(key, wanted, place).encode(), shown) for key in keys]
    if not any(fitting):
        raise InvalidRequest(
            f"{field} was not given out for this request",
            field=field,
            reason=f"{field.rpartition('.')[2]}_invalid",
        )
    return place


def _unsealed(token: str) -> str:
    """What is in a token of any origin: "" where there is none, which no seal fits."""
    if len(token) > _TOKEN_LIMIT or not token.isascii():
        return ""
    try:
        content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        return content[:-_MAC_BYTES].decode("ascii")
    except (binascii.Error, ValueError):
        return ""
