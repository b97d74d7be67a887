"""Who comes to which payment: the address looked up, guesses braked, the language chosen."""

import re

from starlette.requests import Request

from kassa.base.domain.errors import KassaError, NotFound, RateLimited
from kassa.base.usecases.core import Core
from kassa.cashier.guard import MissGuard, network_of
from kassa.cashier.screens import CashierVisit
from kassa.cashier.speech import Speech, choose_speech
from kassa.cashier.stages import stage_of
from kassa.checkout.usecases.cashier_session import Session, open_session

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,128}")


async def open_visit(request: Request) -> tuple[CashierVisit, Session]:
    """The payment behind the address.

    Raises: NotFound, RateLimited.
    """
    token = request.path_params["token"]
    if not _TOKEN.fullmatch(token):
        raise unknown(request)
    try:
        session = await open_session(core_of(request), token)
    except NotFound:
        raise unknown(request) from None
    visit = CashierVisit(
        company=session.company,
        order=session.order,
        payment=session.payment,
        methods=session.ways,
        stage=stage_of(
            session.order,
            session.payment,
            expired=session.expired,
            closed=session.closed,
            taken=session.taken,
        ),
        now=session.now,
        sandbox=session.sandbox,
        place=f"/pay/{token}",
        speech=speech_of(request),
        business_name=session.business_name,
        taken=session.taken,
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


def address_of(request: Request) -> str:
    """Whom a guess is counted for; IPv6 by its /64."""
    return network_of(request.client.host) if request.client else ""


def unknown(request: Request) -> KassaError:
    """What to raise for an address that nobody has: NotFound, or RateLimited after too many.

    Only those who ask for what does not exist are braked. Payers may share their address with a
    guesser: a proxy in front of us lends its own to everybody.
    """
    guard, address = _guard(request), address_of(request)
    if wait := guard.wait_seconds(address):
        return RateLimited(
            f"too many unknown payments; come back in {wait} s",
            retry_after_seconds=wait,
            quota=guard.quota(address),
        )
    guard.missed(address)
    return NotFound("no such payment")
