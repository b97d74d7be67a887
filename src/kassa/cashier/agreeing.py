"""The page under /agree on which a wallet's user lets a merchant charge them, or does not."""

import re
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.base.domain.errors import IllegalTransition, KassaError, NotFound, PermissionDenied
from kassa.base.domain.lifecycle import AgreementStatus
from kassa.base.usecases.admission import pause_of
from kassa.cashier import answers, form, screens
from kassa.cashier.form import Filled, Problem
from kassa.cashier.routes import page_route
from kassa.cashier.stages import why_refused
from kassa.cashier.visits import address_of, core_of, speech_of, unknown
from kassa.wallet.domain.agreements import Agreement
from kassa.wallet.usecases.agreements import (
    AgreementPage,
    agree,
    auth_code_of,
    open_agreement,
    refuse,
)
from kassa.wallet.usecases.wallet_codes import TOO_MANY, Presented

_HOME, _OF = "/agree", "agree_"
_TOKEN = re.compile(r"agr[0-9]{1,10}+_[A-Za-z0-9_-]{8,64}")
_REFUSED = "ACCESS_DENIED"
_SIGN_IN = frozenset({"user_not_exist", TOO_MANY})
_ENDS = {AgreementStatus.ACTIVE: "agreed", AgreementStatus.ENDED: "ended"}


async def ask(request: Request) -> Response:
    """Who asks, and for what; or what became of it."""
    page = await _open(request)
    if page.agreement.is_open(page.now):
        return _page(request, page)
    return _after(request, page)


async def answer(request: Request) -> Response:
    """The user's yes, for which they sign in, or their no."""
    page = await _open(request)
    speech = speech_of(request)
    if request.method != "POST":
        return answers.redirect(f"{_place(request)}{speech.query}")
    filled = await form.read_form(request)
    _refuse_foreign(request, filled)
    if not page.agreement.is_open(page.now):
        return _after(request, page)
    try:
        if filled.answer == "refuse":
            return _leave(request, page, await refuse(core_of(request), page))
        if problems := form.sign_in_problems(filled):
            return _page(request, page, 422, filled, problems)
        return _leave(request, page, await _agree(request, page, filled))
    except IllegalTransition:  # somebody was faster: the page shows what is true by now
        return answers.redirect(f"{_place(request)}{speech.query}")
    except KassaError as error:
        if error.reason not in _SIGN_IN | {"user_status_abnormal"}:
            raise
        return _try_again(request, page, filled, error)


async def nowhere(request: Request) -> Response:
    """Any other address under /agree counts as a guess."""
    raise unknown(request)


async def _agree(request: Request, page: AgreementPage, filled: Filled) -> Agreement:
    shown = Presented(
        company_id=page.company.id,
        code=filled.wallet_code.strip(),
        user_id=filled.wallet_user.strip(),
        client_id=page.agreement.client_id,
        by=f"agreement:{page.agreement.id}",
        address=address_of(request),
    )
    return await agree(core_of(request), page, shown)


async def _open(request: Request) -> AgreementPage:
    """Raises: NotFound, RateLimited."""
    token = request.path_params["token"]
    if not _TOKEN.fullmatch(token):
        raise unknown(request)
    try:
        return await open_agreement(core_of(request), token)
    except NotFound:
        raise unknown(request) from None


def _refuse_foreign(request: Request, filled: Filled) -> None:
    """Only our own page of this agreement may answer it.

    Raises: PermissionDenied.
    """
    token = request.path_params["token"]
    same = form.is_ours(core_of(request), token, filled.form_token)
    if not same or request.headers.get("sec-fetch-site") == "cross-site":
        raise PermissionDenied("the form did not come from this page")


def _form_token(request: Request) -> str:
    return form.form_token(core_of(request), request.path_params["token"])


def _page(
    request: Request,
    page: AgreementPage,
    status: int = 200,
    filled: Filled | None = None,
    problems: Sequence[Problem] = (),
) -> Response:
    speech, agreement = speech_of(request), page.agreement
    said = [(one.field, screens.told(speech, one.keys, one.wait)) for one in problems]
    shown = screens.render(
        "agree.html",
        speech,
        here=_place(request),
        is_test=not page.company.is_live,
        merchant=page.merchant,
        monogram=page.merchant[:1].upper(),
        scopes=[
            speech.text(f"scope_{one.lower()}", merchant=page.merchant)
            for one in agreement.scopes.split()
        ],
        host=urlsplit(agreement.redirect_url).hostname or "",
        until=speech.moment(agreement.expires_at),
        until_iso=agreement.expires_at.isoformat(timespec="seconds"),
        remaining=speech.remaining(agreement.expires_at, page.now),
        problems=[{"anchor": name, "said": words} for name, words in said],
        errors={"wallet_user": "", "wallet_code": "", **dict(said)},
        wallet_user=filled.wallet_user if filled else "",
        form_token=_form_token(request),
    )
    return answers.html(speech, shown, status)


def _try_again(
    request: Request, page: AgreementPage, filled: Filled, error: KassaError
) -> Response:
    wait = pause_of(error)
    reason, advice = why_refused(error.reason)
    keys = (reason, f"agree_{advice}")
    name = "wallet_user" if error.reason in _SIGN_IN else ""
    status = 429 if wait is not None else 422
    shown = _page(request, page, status, filled, [Problem(keys, name, wait or 0)])
    if wait is not None:
        shown.headers["Retry-After"] = str(wait)
    return shown


def _after(request: Request, page: AgreementPage) -> Response:
    """What became of it. Who comes back to an answer that is not used yet is led on once more."""
    agreement, speech = page.agreement, speech_of(request)
    if agreement.has_code(page.now) or agreement.status is AgreementStatus.REFUSED:
        return _leave(request, page, agreement)
    key = _ENDS.get(agreement.status, "late")
    said = screens.message(
        speech,
        f"agree_{key}",
        "good" if key == "agreed" else "over",
        about={"merchant": page.merchant},
        here=_place(request),
        is_test=not page.company.is_live,
        refresh_url="",
        link_url="",
        link_said="",
    )
    return answers.html(speech, said)


def _leave(request: Request, page: AgreementPage, agreement: Agreement) -> Response:
    """Back to the address that the merchant has signed, and to no other. A form's redirect may not
    leave the site (CSP form-action), a link may."""
    answered = _answered(request, agreement)
    speech = speech_of(request)
    shown = screens.message(
        speech,
        f"agree_{answered[0]}",
        answered[1],
        about={"merchant": page.merchant},
        here=_place(request),
        is_test=not page.company.is_live,
        refresh_url=answered[2],
        link_url=answered[2],
        link_said=speech.text("leaving_go", host=urlsplit(answered[2]).hostname or ""),
    )
    return answers.html(speech, shown)


def _answered(request: Request, agreement: Agreement) -> tuple[str, str, str]:
    """Which words, which picture, and the address with what the merchant has to know."""
    state = quote(agreement.auth_state, safe="")
    if agreement.status is AgreementStatus.REFUSED:
        key, mood, told = "refused", "over", f"resultCode={_REFUSED}"
    else:
        code = auth_code_of(core_of(request), agreement)
        key, mood, told = "done", "good", f"authCode={code}"
    url = agreement.redirect_url
    mark = "&" if "?" in url else "?"
    return key, mood, f"{url}{mark}{told}&authState={state}"


def _place(request: Request) -> str:
    return f"{_HOME}/{request.path_params['token']}"


_route = partial(page_route, home=_HOME, of=_OF)

routes: list[Route] = [
    _route("/agree/{token}", ask, ["GET"]),
    _route("/agree/{token}/answer", answer, ["GET", "POST"]),
    _route("/agree", nowhere, ["GET", "POST"]),
    _route("/agree/{rest:path}", nowhere, ["GET", "POST"]),
]
