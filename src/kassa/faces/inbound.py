"""The door for providers' notifications: raw bytes in, the provider's acknowledgement out."""

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from kassa import observe
from kassa.base.domain.errors import KassaError
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.webhooks_in.usecases.receive import receive_notification

_LIMIT = 256 * 1024
_A_WHILE = 5  # seconds: for what is our own trouble
_STATUS = {"invalid_request": 400, "not_found": 404, "provider_unavailable": 503}


async def notify(request: Request) -> Response:
    body = await edge.read_bytes(request, _LIMIT)
    # Of two signatures none is taken: what stands twice is not there.
    sent = Counter(request.headers.keys())
    headers = {name: request.headers[name] for name, times in sent.items() if times == 1}
    account = request.path_params["account"]
    received = await receive_notification(
        edge.core_of(request), account, headers, body, target=edge.target_of(request)
    )
    observe.count_notification(received.account, received.outcome)
    return Response(received.body, received.status, media_type=received.content_type)


def write_error(_: Request, error: KassaError) -> Response:
    """Anything but success makes the provider send again; it needs no reasons."""
    status = _STATUS.get(error.code, 503)
    pause = pause_of(error) or _A_WHILE
    headers = {"Retry-After": str(pause)} if status == 503 else None
    return Response(error.code, status, headers, media_type="text/plain")


routes = [edge.route("POST", "/providers/{account}", notify, write_error)]
