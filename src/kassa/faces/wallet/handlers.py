"""The wallet face's routes: who calls, does the signature hold, the use case, a signed answer."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.base.domain.errors import (
    IdempotencyMismatch,
    InvalidRequest,
    KassaError,
    NotFound,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases import keyed
from kassa.base.usecases.admission import pause_of
from kassa.base.usecases.bounds import named
from kassa.base.usecases.core import Core
from kassa.base.usecases.keyring import Purpose
from kassa.faces import edge
from kassa.faces.once import RepeatingCaller, anew, read_key
from kassa.faces.peer import address_of
from kassa.faces.wallet import (
    agreements,
    changes,
    changes_contract,
    codes,
    contract,
    own_keys,
    reading,
    signature,
)
from kassa.faces.wallet.notify import KIND
from kassa.faces.wallet.reach import find_payment, scope, synced
from kassa.faces.wallet.reading import Members
from kassa.identity.domain.principals import WalletClient
from kassa.identity.usecases.authenticate import admit_wallet_client, find_wallet_client
from kassa.orders.usecases.begin_payment import begin_payment
from kassa.orders.usecases.create_order import CreatedOrder, NewOrder, check_order, create_order
from kassa.payments.domain.payments import CaptureMethod
from kassa.payments.usecases.find_taken_back import taken_of
from kassa.wallet.usecases.pay_from_wallet import WalletPay, evaluate_wallet_pay, pay_from_wallet
from kassa.wallet.usecases.wallet_codes import Presented

_log = structlog.get_logger("kassa.wallet")
# In the scope, which no two requests share: a client's id, and what stands before its paths.
_SIGNED_FOR, _PREFIX = "kassa.wallet_signed_for", "kassa.wallet_prefix"

_SOME_PREFIX = r"(?:/[A-Za-z0-9_.-]{1,32}+){1,4}"

Verb = Callable[[Core, WalletClient, Members], Awaitable[contract.Answer]]


async def pay(core: Core, client: WalletClient, members: Members) -> contract.Answer:
    wanted = reading.read_pay(members)
    if wanted.is_evaluation:
        return await _evaluate(core, client, wanted)
    newest, *older = _auth_marks(core, wanted.auth_code)
    try:
        return await _pay(core, client, wanted, newest)
    except IdempotencyMismatch:
        for mark in older:  # the same code, from before the key was renewed
            with suppress(IdempotencyMismatch):
                return await _pay(core, client, wanted, mark)
        raise


async def _pay(core: Core, client: WalletClient, wanted: reading.Pay, mark: str) -> contract.Answer:
    new = _new_order(core, client, wanted, mark)
    by_code = _by_code(client, wanted) if wanted.auth_code else None
    begun = await begin_payment(core, new, pay=by_code) if by_code else None
    if begun is not None:
        return _answer(core, client, wanted, CreatedOrder(begun.order, begun.payment, False))
    made = await create_order(core, new)
    if by_code and made.payment.status is PaymentStatus.CREATED:
        payment = await pay_from_wallet(core, replace(by_code, payment_id=made.payment.id))
    else:
        payment = await synced(core, client, made.payment)
    return _answer(core, client, wanted, replace(made, payment=payment))


def _by_code(client: WalletClient, wanted: reading.Pay) -> WalletPay:
    """By a code, of a payment that is still to be made."""
    return WalletPay(
        company_id=client.company.id,
        payment_id="",
        auth_code=wanted.auth_code,
        actor=client.actor,
        client_id=client.client_id,
        by=_tried_by(client),
        address=client.address,
    )


def _answer(
    core: Core, client: WalletClient, wanted: reading.Pay, made: CreatedOrder
) -> contract.Answer:
    return contract.write_pay(
        made.payment,
        request_id=wanted.request_id,
        cashier_url=f"{core.policy.base_url}/pay/{made.order.session_token}",
        replayed=made.replayed,
        at_once=bool(wanted.auth_code),
        accepts=client.settings.says_accepted,
    )


async def _evaluate(core: Core, client: WalletClient, wanted: reading.Pay) -> contract.Answer:
    """What pay would answer now. It makes nothing, and the request id is still unused; a wrong code
    is counted as one."""
    await check_order(core, _new_order(core, client, wanted, ""))
    refusal = ""
    if wanted.auth_code:
        shown = Presented(
            company_id=client.company.id,
            code=wanted.auth_code,
            client_id=client.client_id,
            by=_tried_by(client),
            address=client.address,
        )
        refusal = await evaluate_wallet_pay(core, shown, wanted.amount)
    return contract.write_evaluation(refusal)


def _tried_by(client: WalletClient) -> str:
    """Who is counted when the code is wrong."""
    return f"client:{client.client_id}"


def _new_order(core: Core, client: WalletClient, wanted: reading.Pay, mark: str) -> NewOrder:
    """`mark`: of the payer's code."""
    return NewOrder(
        company=client.company,
        business_id=client.business_id,
        actor=client.actor,
        face=contract.FACE,
        amount=wanted.amount,
        request_scope=scope(client),
        request_id=wanted.request_id,
        customer_id=wanted.buyer_id,
        description=wanted.description,
        return_url=wanted.return_url,
        notify_url=wanted.notify_url,
        notify_kind=KIND,
        expires_at=wanted.expires_at,
        retry_allowed=False,
        capture_method=CaptureMethod.MANUAL if wanted.reserves else CaptureMethod.AUTOMATIC,
        extra={"productCode": wanted.product_code, "order": wanted.order},
        payment_extra={"client_id": client.client_id, "auth": mark},
    )


def _auth_marks(core: Core, auth_code: str) -> list[str]:
    """What tells a repeat from another payer's request, without keeping the code itself: the newest
    first, then what would have been kept of it under older keys."""
    if not auth_code:
        return [""]
    message = b"wallet.paymentAuthCode:" + auth_code.encode()
    keys = core.secrets.of(Purpose.FINGERPRINTS)
    return [one.hex() for one in keyed.every(keys, message, keyed.hmac_sha256)]


async def inquire(core: Core, client: WalletClient, members: Members) -> contract.Answer:
    asked = reading.read_inquiry(members)
    found = await find_payment(core, client, asked.payment_id, asked.request_id)
    payment = await synced(core, client, found)
    done = await changes.transactions(core, client, payment)
    return contract.write_inquiry(payment, done, await taken_of(core, payment))


def _signed(
    verb: Verb,
    own: Mapping[str, str] = contract.NO_REASONS,
    called: Mapping[str, str] = contract.NO_REASONS,
) -> edge.Handler:
    """The way of every request: from its raw bytes to `verb`, and back to a signed answer.

    `own`: the API's result codes by a refusal's reason. `called`: what it calls a member.
    """

    async def handler(request: Request) -> Response:
        core = edge.core_of(request)
        client = await _find_client(request)
        if client is None:
            raise Unauthenticated("no client has this Client-Id", reason="unknown_client")
        if not _is_at_home(client, request):
            return await _no_interface(request)
        client, pause = replace(client, address=address_of(request.scope)), None
        try:
            members = await _members(client, request)
            caller = RepeatingCaller(
                client.company.id, f"wallet:{client.client_id}", read_key(request.headers)
            )
            asked = partial(verb, core, client, members)
            answer = await anew(request, caller, _content(members) if caller.key else b"", asked)
        except KassaError as error:  # here, and not in _write_error: the API has words of its own
            if isinstance(error, Unauthenticated):
                core.admission.unproved()
            answer, pause = contract.write_error(named(core, error), own, called), pause_of(error)
        return _write(request, answer, pause)

    return handler


def _is_at_home(client: WalletClient, request: Request) -> bool:
    """Whether the path is under no prefix, or under the client's own."""
    before = request.scope["path"].rpartition("/v1/")[0]
    return before in ("", client.settings.path_prefix)


def _content(members: Members) -> bytes:
    """What makes a repeat the same request, in whatever order its members came."""
    return json.dumps(members, sort_keys=True, default=str).encode()


async def _no_interface(request: Request) -> Response:
    said = f"{request.method} {_target(request)} is no API of this wallet"
    await _find_client(request)
    return _write(request, contract.write_error(NotFound(said, reason="no_interface")))


async def _find_client(request: Request) -> WalletClient | None:
    """Who says to be calling. Answers are signed for them unless they prove to be nobody: while the
    database cannot tell, they get a signed U, which is the answer they may not mistake.
    """
    named = request.headers.getlist("client-id")
    if len(named) != 1 or not named[0]:
        return None
    request.scope[_SIGNED_FOR] = named[0]
    try:
        client = await find_wallet_client(edge.core_of(request), named[0])
    except RateLimited:  # a signature costs more than all else here: none for who only guesses
        del request.scope[_SIGNED_FOR]
        raise
    if client is None:
        del request.scope[_SIGNED_FOR]
    else:
        request.scope[_PREFIX] = client.settings.path_prefix
    return client


async def _members(client: WalletClient, request: Request) -> Members:
    """The request's JSON, once it is known to come from `client`.

    Raises: PermissionDenied, Unauthenticated, InvalidRequest.
    """
    if client.status not in ("active", "no_partner"):
        raise PermissionDenied("this client is disabled", reason="client_disabled")
    body = await edge.read_bytes(request)
    _check_signature(client, request, body)
    admit_wallet_client(edge.core_of(request), client)
    if client.status == "no_partner":
        raise PermissionDenied("the partner of this client is closed", reason="no_partner")
    if request.headers.get("content-encoding", "identity") != "identity":
        raise InvalidRequest("a Content-Encoding is not understood here", reason="body_encoded")
    return reading.read_members(body)


def _check_signature(client: WalletClient, request: Request, body: bytes) -> None:
    """Verifying costs 30 µs: less than a trip to another thread."""
    headers, times = (request.headers.getlist(name) for name in ("signature", "request-time"))
    if len(headers) != 1 or len(times) != 1:
        raise _refused("Request-Time and Signature must be given, once each")
    seconds = client.settings.time_tolerance_seconds
    tolerance = None if seconds is None else timedelta(seconds=seconds)
    if not signature.is_fresh(times[0], datetime.now(UTC), tolerance):
        raise _refused("Request-Time is too far from the wallet's clock")
    signed = signature.Signed(request.method, _target(request), client.client_id, times[0], body)
    try:
        signature.verify(signed, headers[0], client.keys)
    except signature.SignatureRefused as refusal:
        raise _refused(str(refusal)) from None


def _refused(why: str) -> Unauthenticated:
    """Which check failed stands in our log alone: it would help whoever tries to forge one."""
    _log.info("wallet request refused", why=why)
    return Unauthenticated("")


def _target(request: Request) -> str:
    """What the client signs: its prefix is there, also where a proxy took it away."""
    path = request.scope.get("raw_path") or request.scope["path"].encode()
    prefix = request.scope.get(_PREFIX, "").encode()
    if prefix and not path.startswith(prefix + b"/"):
        path = prefix + path
    return signature.target_of(path, request.scope["query_string"])


def _write(request: Request, answer: contract.Answer, pause: int | None = None) -> Response:
    """The answer, signed over the request's own method and target; unsigned only when nobody has
    the Client-Id that asks.

    Another thread would need the interpreter back for each signature, and gets it from a busy loop
    late: that costs more than the signature.
    """
    body, client_id = edge.to_json(answer), request.scope.get(_SIGNED_FOR)
    now = contract.write_time(datetime.now(UTC))
    headers = {"response-time": now, "content-type": contract.CONTENT_TYPE}
    if pause is not None:
        headers["retry-after"] = str(pause)
    if client_id is not None:
        signed = signature.Signed(request.method, _target(request), client_id, now, body)
        headers["client-id"] = client_id
        headers["signature"] = own_keys.sign(edge.core_of(request), signed)
    return Response(body, headers=headers)


def _write_error(request: Request, error: KassaError) -> Response:
    return _write(request, contract.write_error(error), pause_of(error))


def _elsewhere(under: str, begins: re.Pattern[str]) -> Route:
    """For every verb: whatever else is asked for there is an API that is not defined. It is known
    by its beginning: {:path} would end at a line break."""
    route = edge.route((), under, _no_interface, _write_error)
    route.path_regex = begins
    return route


elsewhere = [  # last
    _elsewhere("/v1/payments/", re.compile("/v1/payments/")),
    _elsewhere("/v1/authorizations/", re.compile("/v1/authorizations/")),
]


class _Anywhere(Route):
    """Under whatever prefix its client has: a proxy may take that away, or leave it."""

    def __init__(self, route: Route) -> None:
        super().__init__(route.path, route.endpoint, methods=route.methods)
        self.path_regex = re.compile(rf"{_SOME_PREFIX}{re.escape(route.path)}\Z")


def _api(
    path: str,
    verb: Verb,
    own: Mapping[str, str] = contract.NO_REASONS,
    makes: str = "",
) -> Route:
    """`makes`: of what its members are, where rules call them otherwise."""
    handler = _signed(verb, own, contract.MEMBERS.get(makes, contract.NO_REASONS))
    return edge.route("POST", f"/v1/{path}", handler, _write_error)


_apis = [
    _api("payments/pay", pay, makes="payment"),
    _api("payments/inquiryPayment", inquire),
    _api("payments/capture", changes.capture, changes_contract.CAPTURE_RESULT, "capture"),
    _api("payments/void", changes.void, changes_contract.VOID_RESULT, "void"),
    _api("payments/refund", changes.refund, changes_contract.REFUND_RESULT, "refund"),
    _api("payments/refundApply", changes.refund, changes_contract.REFUND_RESULT, "refund"),
    _api("payments/inquiryRefund", changes.inquire_refund, changes_contract.REFUND_INQUIRY_RESULT),
    _api("payments/cancel", changes.cancel, changes_contract.CANCEL_RESULT),
    _api("authorizations/consult", agreements.consult),
    _api("authorizations/applyToken", agreements.apply_token, agreements.TOKEN_RESULT),
    _api("authorizations/revoke", agreements.revoke, agreements.REVOKE_RESULT),
    _api("authorizations/cancelToken", agreements.revoke, agreements.REVOKE_RESULT),
]
routes = [*_apis, *codes.routes, *elsewhere]
under_prefixes = [_Anywhere(one) for one in _apis]
"""To be asked after every other face: a prefix is a client's, and gives way to all of ours."""
