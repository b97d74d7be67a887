"""A path that is known beforehand leads where the routes in their order would lead."""

from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from tests.asgi import Client

from kassa import app
from kassa.base.domain.errors import KassaError
from kassa.faces import direct, edge
from kassa.faces.direct import Direct

pytestmark = pytest.mark.anyio


def served(core: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> list[BaseRoute]:
    """The routes of all that is served."""
    found: list[BaseRoute] = []

    class Seen(Direct):
        def __init__(self, target: Starlette) -> None:
            found.extend(target.routes)
            super().__init__(target)

    monkeypatch.setattr(app, "Direct", Seen)
    app.http_app(core, settings)
    return found


async def test_every_known_path_leads_where_the_routes_would_lead(
    core: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = served(core, settings, monkeypatch)
    known = direct._endpoints(routes)

    assert ("POST", "/v1/orders:create") in known
    assert ("POST", "/v1/payments/pay") in known
    assert ("POST", "/gateway/payment-requests") in known
    for (method, path), endpoint in known.items():
        scope = {"type": "http", "method": method, "path": path}
        first = next(one for one in routes if one.matches(scope)[0] is Match.FULL)
        assert isinstance(first, edge.SafeRoute)
        assert first.endpoint is endpoint


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/payment/py_1"),
        ("GET", "/v1/payments/pay"),
        ("POST", "/some/prefix/v1/payments/pay"),
        ("POST", "/providers/stripe"),
        ("GET", "/gateway/payment-requests/py_1/refunds/r_1"),
        ("PUT", "/gateway/payment-requests"),
        ("DELETE", "/pg/orders/o_1/refunds/r_1"),
        ("GET", "/pay/sess_1"),
        ("GET", "/livez"),
        ("GET", "/"),
        ("GET", "//"),
        ("GET", ""),
        ("GET", "/v1"),
        ("GET", "/v1/"),
    ],
)
async def test_a_path_with_a_part_that_varies_leads_where_the_routes_would_lead(
    core: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    routes = served(core, settings, monkeypatch)
    target = Starlette(routes=routes)
    scope = {"type": "http", "method": method, "path": path}
    first = direct._first(routes, scope)

    found = Direct(target)._found(scope)

    safe = isinstance(first, edge.SafeRoute)
    beginning = direct._beginning(path)
    is_known = any(direct._literal(one) == beginning != "" for one in routes)
    assert found is (first.endpoint if safe and is_known else None)
    if found is not None:
        assert scope["path_params"] == first.matches(dict(scope))[1]["path_params"]


def told(word: str) -> Any:
    async def handler(_: Request) -> Response:
        return PlainTextResponse(word)

    return handler


def write_error(_: Request, error: KassaError) -> Response:
    return PlainTextResponse(error.code, 500)


async def unguarded(_: Request) -> Response:
    return PlainTextResponse("unguarded")


@pytest.fixture
def client(core: Any) -> Client:
    routes = [
        edge.SafeRoute("/things/{name}", told("any"), methods=["POST"]),
        edge.SafeRoute("/things/shadowed", told("shadowed"), methods=["POST"]),
        edge.SafeRoute("/known", told("known"), methods=["POST"]),
        Route("/plain", unguarded),
    ]
    target = Starlette(routes=routes)
    target.state.core = core
    return Client(Direct(target))


@pytest.mark.parametrize(
    ("method", "path", "status", "says"),
    [
        ("POST", "/known", 200, "known"),
        ("POST", "/known?with=query", 200, "known"),
        ("GET", "/known", 405, "Method Not Allowed"),
        ("POST", "/known/", 307, ""),
        ("POST", "/things/shadowed", 200, "any"),
        ("POST", "/things/else", 200, "any"),
        ("GET", "/things/else", 405, "Method Not Allowed"),
        ("GET", "/plain", 200, "unguarded"),
        ("GET", "/nowhere", 404, "Not Found"),
    ],
)
async def test_what_is_asked_is_answered_as_the_routes_answer_it(
    client: Client, method: str, path: str, status: int, says: str
) -> None:
    answer = await client.request(method, path)

    assert (answer.status, answer.text) == (status, says)


def test_only_routes_that_let_no_error_out_are_known() -> None:
    assert direct._endpoints([Route("/plain", unguarded)]) == {}
