"""A route of pages: whatever goes wrong behind it, a person reads a page about it."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa import criticality
from kassa.base.domain.errors import KassaError
from kassa.cashier.dead_ends import dead_end, is_ours
from kassa.cashier.visits import core_of

_log = structlog.get_logger("kassa.cashier")

Handler = Callable[[Request], Awaitable[Response]]


def page_route(
    path: str, handler: Handler, methods: Sequence[str], *, home: str = "/pay", of: str = ""
) -> Route:
    """`handler`, with every failure told as a page and our own bugs logged without being told.

    `home`: where all such pages are, each under its token. `of`: what their texts begin with.
    """
    traits = criticality.of_route(methods, path)

    async def endpoint(request: Request) -> Response:
        try:
            core_of(request).admission.enter(traits)
            return await handler(request)
        except KassaError as error:
            if is_ours(error):
                _log.error("cashier_failed", code=error.code, reason=error.reason)
            end = error
        except Exception:  # noqa: BLE001 - our own bug: logged whole, told in no words
            _log.exception("unexpected", page=handler.__name__)
            end = KassaError("internal error")
        token = request.path_params.get("token", "")
        return dead_end(request, end, place=f"{home}/{token}" if token else "", of=of, home=home)

    return Route(path, endpoint, methods=list(methods))
