"""The page between us and a provider's page that can only be entered by a form."""

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from kassa import criticality
from kassa.base.domain.errors import KassaError, NotFound
from kassa.cashier import answers, screens
from kassa.cashier.dead_ends import dead_end
from kassa.cashier.visits import core_of, speech_of, unknown
from kassa.checkout.usecases.handover import handover, way_back

_MAX_BODY_BYTES = 8 * 1024  # what providers send back is below 1 KB
_MAX_FIELDS = 20
_PAGE, _BACK = "/providers/{account}/pay/{reference}", "/providers/{account}/paid/{reference}"
_LEAVE = criticality.of_route("GET", _PAGE)
_COME_BACK = criticality.of_route(["GET", "POST"], _BACK)


async def leave(request: Request) -> Response:
    """A button to the provider's page: our pages run no script that could press it."""
    account, reference = _place(request)
    try:
        core_of(request).admission.enter(_LEAVE)
        found = await handover(core_of(request), account, reference, query=speech_of(request).query)
    except KassaError as error:
        return _dead_end(request, error)
    page = screens.handover_screen(
        speech_of(request),
        here=request.url.path,
        is_test=found.is_test,
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
        core_of(request).admission.enter(_COME_BACK)
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
    return dead_end(request, error)


routes: list[Route] = [
    Route(_PAGE, leave, methods=["GET"]),
    Route(_BACK, come_back, methods=["GET", "POST"]),
]
