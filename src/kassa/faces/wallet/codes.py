"""The wallet user's side of the wallet face: their app gets a code to show to a merchant, or to
agree with, and shows and ends what they agreed to."""

from datetime import UTC

from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import KassaError, Unauthenticated
from kassa.base.domain.lifecycle import AgreementStatus
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge
from kassa.faces.peer import address_of
from kassa.faces.wallet import own_keys
from kassa.faces.wallet.contract import write_time
from kassa.wallet.domain.wallet_codes import CodeKind
from kassa.wallet.usecases.agreements import OwnAgreement, end_own_agreement, own_agreements
from kassa.wallet.usecases.wallet_codes import pay_code_for

PATH, CONSENT_PATH = "/wallet/pay-codes", "/wallet/consent-codes"
AGREEMENTS_PATH = "/wallet/agreements"
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


async def agreements(request: Request) -> Response:
    """What the user agreed to, newest first: who may charge them, and until when."""
    core, address = edge.core_of(request), address_of(request.scope)
    found = await own_agreements(core, _secret(request), address=address)
    return edge.answer({"agreements": [_write(one) for one in found]}, 200, _NO_STORE)


async def end(request: Request) -> Response:
    """The agreement is over, with all its tokens; also where it was before."""
    core, address = edge.core_of(request), address_of(request.scope)
    agreement_id = request.path_params["agreement_id"]
    await end_own_agreement(core, _secret(request), agreement_id, address=address)
    written = {"agreementId": agreement_id, "status": AgreementStatus.ENDED.value}
    return edge.answer(written, 200, _NO_STORE)


def _write(own: OwnAgreement) -> dict[str, object]:
    one = own.agreement
    times = {
        "agreedTime": one.answered_at,
        "accessTokenExpiryTime": one.access_expires_at,
        "endTime": one.ended_at,
    }
    written: dict[str, object] = {
        "agreementId": one.id,
        "merchantName": own.merchant,
        "scopes": one.scopes.split(),
        "status": one.status.value,
    }
    told = {name: write_time(moment) for name, moment in times.items() if moment is not None}
    return written | told


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
    edge.route("GET", AGREEMENTS_PATH, agreements, write_error),
    edge.route("GET", own_keys.PATH, own_keys.published, write_error),
    edge.route("POST", f"{AGREEMENTS_PATH}/{{agreement_id}}/end", end, write_error),
]
