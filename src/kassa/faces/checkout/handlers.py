"""The checkout face's routes: read the request, call the use case, write its answer."""

import re

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from kassa.base.domain.errors import (
    NotFound,
    PermissionDenied,
    Unauthenticated,
    UnsupportedOperation,
)
from kassa.checkout.usecases.open_payment import get_customer_payment, open_payment, renew_redirect
from kassa.faces import edge
from kassa.faces.checkout import contract
from kassa.faces.once import RepeatingCaller, anew, read_key
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.authenticate import authenticate_customer
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.find_taken_back import taken_of
from kassa.payments.usecases.sync_payment import sync_payment

CREATOR_ROLE = "CUSTOMER"
_NO_TOKEN = "a customer's token is needed: Authorization: Bearer <JWT>"


async def create(request: Request) -> Response:
    principal = await _customer(request)
    if CREATOR_ROLE not in principal.roles:
        raise PermissionDenied(f"the role {CREATOR_ROLE} is needed to create a payment")
    wanted = contract.check_create(await edge.read_json(request, contract.CreatePayment))
    proof = f"{principal.credential} {principal.name}"
    caller = RepeatingCaller(principal.company.id, proof, read_key(request.headers))

    async def work() -> Payment:
        return await open_payment(
            edge.core_of(request),
            principal,
            order_id=wanted.orderId,
            subject=wanted.subject,
            description=wanted.description or "",
            channel=wanted.channel,
        )

    payment = await anew(request, caller, msgspec.json.encode(wanted), work)
    return await _told(request, payment)


async def show(request: Request) -> Response:
    principal = await _customer(request)
    number = contract.read_number(request.path_params["id"])
    view = await get_customer_payment(edge.core_of(request), principal, number)
    return await _told(request, view.payment)


async def retry(request: Request) -> Response:
    _refuse_unmeant(request)
    principal = await _customer(request)
    number = contract.read_number(request.path_params["id"])
    payment = await renew_redirect(edge.core_of(request), principal, number)
    return await _told(request, payment)


async def verify(request: Request) -> Response:
    _refuse_unmeant(request)
    core, principal = edge.core_of(request), await _customer(request)
    number = contract.read_number(request.path_params["id"])
    found = (await get_customer_payment(core, principal, number)).payment
    payment = await sync_payment(core, found.company_id, found.id, actor=principal.actor)
    return contract.write_data(contract.is_confirmed(payment, await taken_of(core, payment)))


async def _told(request: Request, payment: Payment) -> Response:
    taken = await taken_of(edge.core_of(request), payment)
    return contract.write_data(contract.write_payment(payment, taken))


async def _customer(request: Request) -> Principal:
    """The caller by the Authorization header alone; cookies are never looked at, so that no other
    site's page can act in a customer's name.

    Raises: Unauthenticated.
    """
    sent = request.headers.getlist("authorization")
    scheme, _, token = (sent[0] if len(sent) == 1 else "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated(_NO_TOKEN)
    principal = await authenticate_customer(edge.core_of(request), token.strip())
    if not contract.is_username(principal.name):
        raise Unauthenticated("the token's sub is no username: 1 to 255 printable characters")
    return principal


def _refuse_unmeant(request: Request) -> None:
    """Let a GET that acts pass only when somebody meant it.

    The seed made these two GETs, so browsers and proxies think that they may send them on their
    own: to warm a cache, to look at the headers, because a foreign page linked here.
    Raises: PermissionDenied.
    """
    headers = request.headers
    if request.method != "GET":
        raise PermissionDenied("this address acts; ask with GET, or read the payment itself")
    if headers.get("sec-fetch-site", "").lower() == "cross-site":
        raise PermissionDenied("this address acts; it cannot be called from another site")
    for name in ("purpose", "sec-purpose", "x-purpose", "x-moz"):
        sent = headers.get(name, "").lower()
        if any(word in sent for word in ("prefetch", "prerender", "preview")):
            raise PermissionDenied("this address acts; it cannot be fetched ahead of time")


async def refuse(request: Request) -> Response:
    """Whatever else is asked for here: a verb that the address does not take, or no address.

    Raises: NotFound.
    """
    takes = [one.methods or () for one in served if one.matches(request.scope)[0] is Match.PARTIAL]
    if not takes:
        raise NotFound(contract.NOT_YOURS)
    allowed = ", ".join(sorted(set().union(*takes)))
    error = UnsupportedOperation(f"this address takes {allowed}", reason="method_not_allowed")
    answer = contract.write_error(request, error)
    answer.headers["Allow"] = allowed
    return answer


served = [
    edge.route("POST", "/api/v1/payments", create, contract.write_error),
    edge.route("GET", "/api/v1/payments/retry/{id}", retry, contract.write_error),
    edge.route("GET", "/api/v1/payments/verify/{id}", verify, contract.write_error),
    edge.route("GET", "/api/v1/payments/{id}", show, contract.write_error),
]
# Last, for every verb, and known by its beginning: {:path} would end at a line break.
elsewhere = edge.route((), "/api/v1/payments", refuse, contract.write_error)
elsewhere.path_regex = re.compile(r"/api/v1/payments(?:/|\Z)")

routes = [*served, elsewhere]
