"""Who comes to which payment: the address looked up, guesses braked, the language chosen."""

import re

from starlette.requests import Request

from kassa.cashier.guard import MissGuard
from kassa.cashier.screens import Visit
from kassa.cashier.speech import Speech, choose_speech
from kassa.cashier.stages import stage_of
from kassa.domain.errors import NotFound, RateLimited
from kassa.domain.payments import Method
from kassa.usecases.cashier_session import Session, open_session
from kassa.usecases.core import Core

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")
_SHOWN = (Method.CREDIT_CARD, Method.WALLET, Method.ALIPAY)


async def open_visit(request: Request) -> tuple[Visit, Session]:
    """The payment behind the address.

    Raises: NotFound, RateLimited.
    """
    brake(request)
    token = request.path_params["token"]
    if not _TOKEN.fullmatch(token):
        raise unknown(request)
    try:
        session = await open_session(core_of(request), token)
    except NotFound:
        raise unknown(request) from None
    visit = Visit(
        company=session.company,
        order=session.order,
        payment=session.payment,
        methods=[method for method in session.methods if method in _SHOWN],
        stage=stage_of(session.order, session.payment, expired=session.expired),
        now=session.now,
        sandbox=session.sandbox,
        place=f"/pay/{token}",
        speech=speech_of(request),
    )
    return visit, session


def core_of(request: Request) -> Core:
    core: Core = request.app.state.core
    return core


def speech_of(request: Request) -> Speech:
    return choose_speech(
        request.query_params.get("lang", ""), request.headers.get("accept-language", "")
    )


def _guard(request: Request) -> MissGuard:
    """One per application; kept with it, so that two in one process do not share their guesses."""
    state = request.app.state
    if not hasattr(state, "cashier_guard"):
        state.cashier_guard = MissGuard()
    guard: MissGuard = state.cashier_guard
    return guard


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def brake(request: Request) -> None:
    if wait := _guard(request).wait_seconds(_address(request)):
        raise RateLimited("too many unknown payments", retry_after_seconds=wait)


def unknown(request: Request) -> NotFound:
    _guard(request).missed(_address(request))
    return NotFound("no such payment")
