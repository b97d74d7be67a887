"""The admin interface's routes: who asks, the use case, its answer."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from kassa.base.domain.errors import NotFound, UnsupportedOperation
from kassa.base.usecases.core import Core
from kassa.base.usecases.ids import new_id
from kassa.faces import edge
from kassa.faces.admin import contract
from kassa.faces.api_keys import principal_of
from kassa.faces.peer import host_of
from kassa.identity.domain.audit import Acting
from kassa.identity.domain.principals import Business, Principal
from kassa.identity.usecases.audit import ACTING
from kassa.identity.usecases.businesses import add_business, list_businesses
from kassa.identity.usecases.client_keys import add_client_key
from kassa.identity.usecases.credentials import (
    list_credentials,
    make_credential,
    rotate_secret,
    show_credential,
    switch_credential,
)
from kassa.providers.usecases.payees import requires_payees

Verb = Callable[[Core, Principal, Request], Awaitable[Any]]


async def companies(core: Core, principal: Principal, _: Request) -> Any:
    """What the caller answers for: one side of one company."""
    required = await requires_payees(core, principal.company.id)
    return {"companies": [contract.write_company(principal.company, payees_required=required)]}


async def company(core: Core, principal: Principal, request: Request) -> Any:
    if request.path_params["company_id"] != principal.company.public_id:
        raise NotFound("no such company of yours")
    required = await requires_payees(core, principal.company.id)
    return contract.write_company(principal.company, payees_required=required)


async def businesses(core: Core, principal: Principal, _: Request) -> Any:
    found = await list_businesses(core, principal.company)
    return {"businesses": [contract.write_business(one) for one in found]}


async def put_business(core: Core, principal: Principal, request: Request) -> Any:
    wanted = await edge.read_json(request, contract.PutBusiness)
    business = Business(wanted.id or new_id("biz"), wanted.name)
    return contract.write_business(await add_business(core, principal.company, business))


async def credentials(core: Core, principal: Principal, request: Request) -> Any:
    after, limit = contract.read_page(request.query_params)
    found = await list_credentials(core, principal.company, after=after, limit=limit)
    return contract.write_credentials(found, limit)


async def add(core: Core, principal: Principal, request: Request) -> Any:
    wanted = contract.read_credential(await edge.read_json(request, contract.AddCredential))
    made = await make_credential(core, principal.company, wanted, giver=principal.permissions)
    return contract.write_secret(made)


async def show(core: Core, principal: Principal, request: Request) -> Any:
    found = await show_credential(core, _named(request), principal.company)
    return contract.write_credential(found)


async def disable(core: Core, principal: Principal, request: Request) -> Any:
    return await _switched(core, principal, request, active=False)


async def enable(core: Core, principal: Principal, request: Request) -> Any:
    return await _switched(core, principal, request, active=True)


async def _switched(core: Core, principal: Principal, request: Request, *, active: bool) -> Any:
    found = await switch_credential(core, _named(request), active=active, company=principal.company)
    return contract.write_credential(found)


async def rotate(core: Core, principal: Principal, request: Request) -> Any:
    body = await edge.read_bytes(request) or b"{}"
    wanted = edge.convert(edge.parse_json(body), contract.RotateCredential)
    overlap = timedelta(hours=wanted.overlap_hours)
    if wanted.public_key is not None:
        await add_client_key(
            core,
            _named(request),
            wanted.public_key,
            wanted.key_version or "",
            overlap=overlap,
            company=principal.company,
        )
        return await show(core, principal, request)
    made = await rotate_secret(
        core,
        _named(request),
        overlap,
        principal.company,
        giver=principal.permissions,
    )
    return contract.write_secret(made)


def _named(request: Request) -> str:
    named: str = request.path_params["credential_id"]
    return named


def _known(verb: Verb, status: int = 200) -> edge.Handler:
    """`verb` for a caller who is known, whose acts are written down under their name."""

    async def handler(request: Request) -> Response:
        core, principal = edge.core_of(request), await principal_of(request)
        acting = Acting(principal.actor, host_of(request.scope), edge.REQUEST_ID.get())
        token = ACTING.set(acting)
        try:
            return edge.answer(await verb(core, principal, request), status, contract.NO_STORE)
        finally:
            ACTING.reset(token)

    return handler


async def refuse(request: Request) -> Response:
    """Whatever else is asked for here: a verb that the address does not take, or no address.

    Raises: NotFound.
    """
    takes = [one.methods or () for one in served if one.matches(request.scope)[0] is Match.PARTIAL]
    if not takes:
        raise NotFound("there is nothing here")
    allowed = ", ".join(sorted(set().union(*takes)))
    error = UnsupportedOperation(f"this address takes {allowed}", reason="method_not_allowed")
    answer = contract.write_error(request, error)
    answer.headers["Allow"] = allowed
    return answer


_ALL = "/admin/v1/credentials"
_ONE = f"{_ALL}/{{credential_id}}"


def _route(method: str, path: str, verb: Verb, status: int = 200) -> edge.SafeRoute:
    return edge.route(method, path, _known(verb, status), contract.write_error)


served = [
    _route("GET", "/admin/v1/companies", companies),
    _route("GET", "/admin/v1/companies/{company_id}", company),
    _route("GET", "/admin/v1/businesses", businesses),
    _route("POST", "/admin/v1/businesses", put_business),
    _route("GET", _ALL, credentials),
    _route("POST", _ALL, add, 201),
    _route("GET", _ONE, show),
    _route("POST", f"{_ONE}/disable", disable),
    _route("POST", f"{_ONE}/enable", enable),
    _route("POST", f"{_ONE}/rotate", rotate),
]
# Last, for every verb, and known by its beginning: {:path} would end at a line break.
elsewhere = edge.route((), "/admin/", refuse, contract.write_error)
elsewhere.path_regex = re.compile("/admin/")

routes = [*served, elsewhere]
