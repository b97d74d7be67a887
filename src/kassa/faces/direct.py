"""The way of a request to its endpoint, without asking each route in turn whether it is meant."""

from collections.abc import Iterable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, Route, compile_path
from starlette.types import Receive, Scope, Send

from kassa.faces.edge import Handler, SafeRoute

_Asked = tuple[str | None, str | None]


class Direct:
    """ASGI application: does what `app` would do. A path that is known beforehand leads to its
    endpoint at once; of one with a part that varies only those routes are asked that begin alike.

    Only for routes that let no error out, as nothing here would catch it. All else goes through
    `app`: pages, and what nobody serves.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._endpoints = _endpoints(app.routes)
        self._beginnings = _beginnings(app.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = None
        if scope["type"] == "http" and not scope.get("root_path"):
            asked = scope["method"], scope["path"]
            endpoint = self._endpoints.get(asked) or self._found(scope)
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    def _found(self, scope: Scope) -> Handler | None:
        for route in self._beginnings.get(_beginning(scope["path"]), ()):
            match, more = route.matches(scope)
            if match is Match.FULL:
                if not isinstance(route, SafeRoute):
                    return None
                scope.update(more)
                return route.endpoint
        return None


def _endpoints(routes: Sequence[BaseRoute]) -> Mapping[_Asked, Handler]:
    """By method and path, as far as the first route that takes both is a safe one."""
    found: dict[_Asked, Handler] = {}
    for route in routes:
        if not isinstance(route, SafeRoute) or route.param_convertors:
            continue
        for method in route.methods or ():
            scope = {"type": "http", "method": method, "path": route.path}
            if _first(routes, scope) is route:
                found[method, route.path] = route.endpoint
    return found


def _first(routes: Iterable[BaseRoute], scope: Scope) -> BaseRoute | None:
    return next((one for one in routes if one.matches(scope)[0] is Match.FULL), None)


def _beginning(path: str) -> str:
    """Its first part, with what ends it."""
    return path[: path.find("/", 1) + 1]


def _beginnings(routes: Sequence[BaseRoute]) -> Mapping[str, list[BaseRoute]]:
    """By the first part of a path all routes that may take it, in their order."""
    known = {_literal(route) for route in routes} - {""}
    return {
        beginning: [route for route in routes if _literal(route) in ("", beginning)]
        for beginning in known
    }


def _literal(route: BaseRoute) -> str:
    """The first part of every path that it takes; "" where that varies, or cannot be told."""
    if not isinstance(route, Route) or route.path_regex != compile_path(route.path)[0]:
        return ""
    return _beginning(route.path.partition("{")[0])
