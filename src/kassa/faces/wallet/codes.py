"""The wallet user's side of the wallet face: their app gets a code to show to a merchant, or to
agree with."""

from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import KassaError, Unauthenticated
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.faces.peer import address_of
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.wallet_codes import pay_code_for

PATH, CONSENT_PATH = "/wallet/pay-codes", "/wallet/consent-codes"
_NO_STORE = {"Cache-Control": "no-store"}
_NO_SECRET = "the wallet user's secret is needed: Authorization: Bearer <secret>"


async def pay_code(request: Request) -> Response:
    """Another code each time; nothing in the body is looked at."""
    return await _create(request, CodeKind.PAY_CODE, "paymentAuthCode")


async def consent_code(request: Request) -> Response:
    """As `pay_code`: a code with which the user agrees, once, and which pays nothing."""
    return await _create(request, CodeKind.CONSENT_CODE, "consentCode")


async def _create(request: Request, kind: CodeKind, called: str) -> Response:
    made = await pay_code_for(
        edge.core_of(request), _secret(request), address=address_of(request.scope), kind=kind
    )
    code = made.code
    ends = code.expires_at.astimezone(UTC).isoformat(timespec="seconds") if code.expires_at else ""
    written = {
        called: made.text,
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


routes = [
    edge.route("POST", PATH, pay_code, write_error),
    edge.route("POST", CONSENT_PATH, consent_code, write_error),
]
