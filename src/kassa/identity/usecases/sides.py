"""Test and live: which side of a company is served, and how an answer comes to say so."""

from contextvars import ContextVar

from kassa.base.domain.errors import PermissionDenied
from kassa.base.usecases.admission import ASKED
from kassa.base.usecases.core import Core
from kassa.identity.domain.permissions import Permission, demand
from kassa.identity.domain.principals import Company

MODE: ContextVar[str] = ContextVar("mode", default="")
"""Of whoever has proven to be asking in this request: test or live; "" while nobody has."""
MODE_HEADER = "kassa-mode"
"""Stands on every answer to them, on every gRPC call and on every letter."""

_NOT_LIVE = (
    "this is a live credential, and this installation moves no real money:"
    " it has to be started with live = true"
)


def is_served(core: Core, company: Company) -> bool:
    """Live sides are served by an installation that may take real money, and by no other."""
    return core.policy.live or not company.is_live


def admit(
    core: Core,
    company: Company,
    credential: str,
    may: frozenset[Permission],
    *,
    caller: str = "",
    shown: str = "",
) -> None:
    """Whoever asks has proved to be `credential`, which has a rate of its own, of that side, and
    `may` do that; the answer will say test or live. `caller`: who of the credential's many bearers;
    `shown`: as it was tried.

    Every credential passes here, whatever the transport, before anything of its request is looked
    at: so this is where the permission that the route names is asked for.

    Raises: RateLimited, Overloaded; PermissionDenied for what the credential may not do, and when
    this installation serves no live side.
    """
    MODE.set(company.mode)
    core.admission.admit(
        credential, company.id, test=not company.is_live, caller=caller, shown=shown
    )
    if not is_served(core, company):
        raise PermissionDenied(_NOT_LIVE, reason="live_not_served")
    asked = ASKED.get()
    if asked is not None and asked.needed:
        demand(may, asked.needed)
