"""What a payer reads when there is no payment page to show, and when to come again."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import KassaError
from kassa.base.usecases.admission import pause_of
from kassa.cashier import answers, screens
from kassa.cashier.visits import speech_of
from kassa.payments.domain.payer_limits import FOR_GOOD, TOO_OFTEN

_BY_CODE: Mapping[str, tuple[int, str]] = {
    "not_found": (404, "not_found"),
    "rate_limited": (429, "too_many"),
    "overloaded": (503, "busy"),
    "permission_denied": (403, "forbidden"),
    "invalid_request": (400, "unreadable"),
    "internal": (500, "broken"),
}
_BY_REASON: Mapping[str, tuple[int, str]] = {
    FOR_GOOD: (429, "used_up"),
    TOO_OFTEN: (429, "too_often"),
}
_OTHER = (503, "broken")
_NOWHERE_TO_GO = frozenset({"not_found", "too_many", "used_up"})


def is_ours(error: KassaError) -> bool:
    """Whether it is trouble of ours, which the log should know of."""
    return error.code != "internal" and error.code not in _BY_CODE


def dead_end(
    request: Request, error: KassaError, *, place: str = "", of: str = "", home: str = "/pay"
) -> Response:
    """`place`: the page's own address, where there is one to go back to. `of`: what the texts begin
    with, where they are not of a payment; `home`: where all such pages are."""
    status, key = _BY_REASON.get(error.reason) or _BY_CODE.get(error.code, _OTHER)
    speech, wait = speech_of(request), pause_of(error)
    back = "" if key in _NOWHERE_TO_GO else place
    page = screens.message_screen(
        speech,
        of + key,
        here=back or home,
        reopen=back and f"{back}{speech.query}",
        reopen_said=f"{of}reopen",
        wait=speech.wait(wait or 1),
    )
    headers = None if wait is None else {"Retry-After": str(wait)}
    return answers.html(speech, page, status, headers)
