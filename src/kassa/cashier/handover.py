"""The page between us and a provider's page that can only be entered by a form."""

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.cashier import answers, screens
from kassa.cashier.visits import core_of, speech_of, unknown
from kassa.domain.errors import KassaError, NotFound, RateLimited
from kassa.usecases.handover import handover, way_back

_MAX_BODY_BYTES = 8 * 1024  # what providers send back is below 1 KB
_MAX_FIELDS = 20


async def leave(request: Request) -> Response:
    """A button to the provider's page: our pages run no script that could press it."""
    account, reference = _place(request)
    try:
        found = await handover(core_of(request), account, reference, query=speech_of(request).query)
    except KassaError as error:
        return _dead_end(request, error)
    page = screens.handover_screen(
        speech_of(request),
        here=request.url.path,
        provider=found.provider,
        action=found.action,
        fields=found.fields,
    )
    parts = urlsplit(found.action)
    # A form may be posted to that provider and nowhere else; it leads its payers on by redirects.
    policy = answers.HEADERS["Content-Security-Policy"].replace(
        "form-action 'self'", f"form-action {parts.scheme}://{parts.netloc}"
    )
    return answers.html(speech_of(request), page, headers={"Content-Security-Policy": policy})


async def come_back(request: Request) -> Response:
    """On to where the payer was to come back; what the form says decides nothing."""
    account, reference = _place(request)
    try:
        address = await way_back(
            core_of(request),
            account,
            reference,
            await _fields(request),
            query=speech_of(request).query,
        )
    except KassaError as error:
        return _dead_end(request, error)
    return answers.redirect(address)


def _place(request: Request) -> tuple[str, str]:
    return request.path_params["account"], request.path_params["reference"]


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields; none where it is no form, or far too large."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MAX_BODY_BYTES:
                return {}
        return dict(parse_qsl(body.decode(), max_num_fields=_MAX_FIELDS))
    except (ClientDisconnect, ValueError):
        return {}


def _dead_end(request: Request, error: KassaError) -> Response:
    """Guesses are braked here as anywhere in the cashier."""
    if isinstance(error, NotFound):
        error = unknown(request)
    if isinstance(error, RateLimited):
        status, key = 429, "too_many"
    elif isinstance(error, NotFound):
        status, key = 404, "not_found"
    else:
        status, key = 503, "broken"
    speech = speech_of(request)
    return answers.html(speech, screens.message_screen(speech, key, here="/pay"), status)


routes: list[Route] = [
    Route("/providers/{account}/pay/{reference}", leave, methods=["GET"]),
    Route("/providers/{account}/paid/{reference}", come_back, methods=["GET", "POST"]),
]
