"""The cashier's addresses under /pay: read the request, call a use case, show a screen."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa.base.domain.errors import (
    DATABASE_UNAVAILABLE,
    AmbiguousCommit,
    IdempotencyMismatch,
    IllegalTransition,
    InProgress,
    KassaError,
    PermissionDenied,
    RateLimited,
)
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.usecases.admission import pause_of
from kassa.cashier import answers, form, screens
from kassa.cashier.assets import BY_NAME, PREFIX
from kassa.cashier.form import Filled, Problem
from kassa.cashier.routes import page_route
from kassa.cashier.screens import CashierVisit, TrialCard
from kassa.cashier.speech import Speech
from kassa.cashier.stages import PAYABLE, Stage, why_declined, why_refused
from kassa.cashier.visits import address_of, core_of, open_visit, unknown
from kassa.checkout.usecases.cashier_session import PaymentWay, Session, start_page, way_of
from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet
from kassa.wallet.usecases.wallet_codes import TOO_MANY

_PAYER = "payer"
_COUNTS = frozenset(str(count) for count in range(100))  # beyond which counting changes nothing


async def pay(request: Request) -> Response:
    """The page to pay on. A POST shows it too, reading nothing: wallets send payers by form."""
    visit, _ = await _look(request)
    if visit.stage not in PAYABLE:
        return _to_result(visit)
    return _pay_page(request, visit)


async def confirm(request: Request) -> Response:
    """Pay as the form says. Amounts are the order's; the browser's are never looked at."""
    visit, session = await _look(request)
    if request.method != "POST":
        return answers.redirect(f"{visit.place}{visit.speech.query}")
    filled = await form.read_form(request)
    _refuse_foreign(request, filled)
    if visit.stage not in PAYABLE:
        return _to_result(visit)
    if problems := form.problems_of(filled, visit.methods):
        return _pay_page(request, visit, status=422, filled=filled, problems=problems)
    try:
        paid = await _pay(request, session, filled, visit.speech)
    except (AmbiguousCommit, IdempotencyMismatch, IllegalTransition, InProgress):
        return _to_result(visit)  # which shows what is true by now
    except KassaError as error:
        if not _is_before_all(error):
            raise
        status = {"provider_unavailable": 503, "rate_limited": 429}.get(error.code, 422)
        wait = pause_of(error)
        problems = [Problem(why_refused(error.reason), _field_of(error.reason), wait or 0)]
        page = _pay_page(request, visit, status=status, filled=filled, problems=problems)
        if wait is not None:
            page.headers["Retry-After"] = str(wait)
        return page
    if isinstance(paid, str):
        return _leave(request, visit, paid)
    if paid.status is PaymentStatus.REQUIRES_ACTION and paid.redirect_url:
        return _leave(request, visit, paid.redirect_url)
    if paid.status is PaymentStatus.FAILED and paid.is_open:
        problems = [Problem(why_declined(paid.failure_code), _field_of(paid.failure_code, filled))]
        return _pay_page(request, visit, status=422, filled=filled, problems=problems)
    return _to_result(visit)


async def result(request: Request) -> Response:
    """What became of the payment. It is asked of the provider; nothing in the address decides."""
    visit, _ = await _look(request)
    looks = request.query_params.get("looks", "")
    counted = int(looks) if looks in _COUNTS else 0
    return answers.html(visit.speech, screens.result_screen(visit, looks=counted))


async def static(request: Request) -> Response:
    """A file of the short list; no path is ever opened."""
    asset = BY_NAME.get(request.path_params["name"])
    return answers.file(asset) if asset else answers.no_file()


async def nowhere(request: Request) -> Response:
    """Any other address under /pay is as unknown as an unknown payment, and counts as a guess."""
    raise unknown(request)


async def _look(request: Request) -> tuple[CashierVisit, Session]:
    """The payment as it is now: where the provider may know more than we do, it is asked first.

    So nobody who paid on the provider's page is offered to pay again here.
    Raises: NotFound, RateLimited.
    """
    visit, session = await open_visit(request)
    if visit.stage not in (Stage.PROCESSING, Stage.WAITING):
        return visit, session
    company, payment = session.company, session.payment
    now = await sync_payment(core_of(request), company.id, payment.id, actor=_PAYER)
    return (visit, session) if now.version == payment.version else await open_visit(request)


async def _pay(request: Request, session: Session, filled: Filled, speech: Speech) -> Payment | str:
    """The payment after the try, or an address the payer has to visit."""
    core = core_of(request)
    company, payment, token = session.company, session.payment, session.order.session_token
    way = PaymentWay(filled.method)
    back = f"{core.policy.base_url}/pay/{token}/result{speech.query}"
    if way is PaymentWay.ALIPAY:
        return (await start_page(core, session, way, back=back)).redirect_url
    if way is PaymentWay.WALLET:
        wanted = WalletPay(
            company_id=company.id,
            payment_id=payment.id,
            auth_code=filled.wallet_code.strip(),
            actor=_PAYER,
            user_id=filled.wallet_user.strip(),
            by=f"order:{payment.order_id}",
            address=address_of(request),
            refuse_softly=True,
        )
        return await pay_from_wallet(core, wanted)
    if way is not PaymentWay.CREDIT_CARD:
        return await start_page(core, session, way, back=back)
    route = await way_of(core, session, way, card_digits=filled.card_digits)
    submission = Submission(
        company_id=company.id,
        payment_id=payment.id,
        method=Method.CREDIT_CARD,
        connector=route.accounts[0],
        fallbacks=route.accounts[1:],
        because=route.because,
        instrument=filled.card_digits,
        instrument_shown=filled.card_shown,
        actor=_PAYER,
        return_url=back,
    )
    return await submit_payment(core, submission)


def _is_before_all(error: KassaError) -> bool:
    """Whether nothing was charged, for sure, and the payer may try again here or pay otherwise.

    What is the database's trouble may have come after a provider was asked.
    """
    if isinstance(error, RateLimited):
        return error.reason == TOO_MANY
    return error.code != "internal" and error.reason != DATABASE_UNAVAILABLE


def _refuse_foreign(request: Request, filled: Filled) -> None:
    """Only our own page of this payment may confirm it.

    Raises: PermissionDenied.
    """
    token = request.path_params["token"]
    same = form.is_ours(core_of(request), token, filled.form_token)
    if not same or request.headers.get("sec-fetch-site") == "cross-site":
        raise PermissionDenied("the form did not come from this payment's page")


def _field_of(reason: str, filled: Filled | None = None) -> str:
    """The field that a refusal is about: the payer finds the words right beside it."""
    if reason in ("user_not_exist", TOO_MANY):
        return "wallet_user"
    if filled is not None and filled.method == Method.CREDIT_CARD:
        return "card_number"
    return ""


def _leave(request: Request, visit: CashierVisit, url: str) -> Response:
    """Send the payer on. A form's redirect may not leave the site (CSP form-action), a link may."""
    url = screens.web_address(url)
    there = urlsplit(url)
    if not url:
        return _to_result(visit)
    schemes = ("https", request.url.scheme)
    if there.netloc == request.headers.get("host") and there.scheme in schemes:
        ours = there.path.startswith("/providers/")  # which speaks the payer's language, too
        return answers.redirect(f"{url}{visit.speech.query}" if ours else url)
    page = screens.leaving_screen(visit.speech, url=url, here=visit.place, is_test=visit.is_test)
    return answers.html(visit.speech, page)


def _pay_page(
    request: Request,
    visit: CashierVisit,
    *,
    status: int = 200,
    filled: Filled | None = None,
    problems: list[Problem] | None = None,
) -> Response:
    token = request.path_params["token"]
    cards = getattr(request.app.state, "test_cards", ()) if visit.sandbox else ()
    page = screens.pay_screen(
        visit,
        form_token=form.form_token(core_of(request), token),
        filled=filled,
        problems=problems or (),
        test_cards=[TrialCard(*card) for card in cards],
    )
    return answers.html(visit.speech, page, status)


def _to_result(visit: CashierVisit) -> Response:
    return answers.redirect(f"{visit.place}/result{visit.speech.query}")


routes: list[Route] = [
    Route(PREFIX + "{name}", static, methods=["GET"]),
    page_route("/pay/{token}", pay, ["GET", "POST"]),
    page_route("/pay/{token}/confirm", confirm, ["GET", "POST"]),
    page_route("/pay/{token}/result", result, ["GET"]),
    page_route("/pay", nowhere, ["GET", "POST"]),
    page_route("/pay/{rest:path}", nowhere, ["GET", "POST"]),
]
