"""The wallet user's side of the wallet face: their app gets a pay code to show to a merchant."""

from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import KassaError, Unauthenticated
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.faces.peer import address_of
from kassa.wallet.usecases.wallet_codes import pay_code_for

PATH = "/wallet/pay-codes"
_NO_STORE = {"Cache-Control": "no-store"}
_NO_SECRET = "the wallet user's secret is needed: Authorization: Bearer <secret>"


async def create(request: Request) -> Response:
    """Another code each time; nothing in the body is looked at."""
    made = await pay_code_for(
        edge.core_of(request), _secret(request), address=address_of(request.scope)
    )
    code = made.code
    ends = code.expires_at.astimezone(UTC).isoformat(timespec="seconds") if code.expires_at else ""
    written = {
        "paymentAuthCode": made.text,
        "codeId": code.id,
        "userId": code.user_id,
        "expiryTime": ends,
    }
    return edge.answer(written, 201, _NO_STORE)


def _secret(request: Request) -> str:
    """Raises: Unauthenticated."""
    sent = request.headers.getlist("authorization")
    scheme, _, secret = (sent[0] if len(sent) == 1 else "").strip().partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise Unauthenticated(_NO_SECRET)
    return secret.strip()


def write_error(_request: Request, error: KassaError) -> Response:
    """`error` with the stable code and a sentence; not signed, for no client asks."""
    headers = dict(_NO_STORE)
    pause = pause_of(error)
    if pause is not None:
        headers["Retry-After"] = str(pause)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="kassa"'
    body = {"error": {"code": error.code, "message": error.message}}
    return edge.answer(body, edge.HTTP_STATUS[error.code], headers)


routes = [edge.route("POST", PATH, create, write_error)]
