"""Stripe's own SDK over our HTTP client: one try, one answer, and whether anything was sent."""

import json
import logging
from collections.abc import Awaitable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import stripe

from kassa.connectors.base import InDoubt, NotSent
from kassa.connectors.http import Answered, NoAnswer, ProviderHttp
from kassa.connectors.jsontext import text_of
from kassa.connectors.stripe.objects import Garbled, Thing

API_VERSION = "2026-10-28.endive"
"""What answers look like; a newer SDK does not change it, and neither does the Dashboard."""

# The SDK has these for a whole process. It would time our calls and describe this machine.
stripe.enable_telemetry = False
# It writes requests and answers, payers and all, into its log.
logging.getLogger("stripe").setLevel(logging.WARNING)

_REFUSALS = frozenset({"invalid_request_error", "card_error"})
_NOT_DONE: Mapping[int, str] = {
    401: "Stripe does not accept the secret key",
    403: "the secret key is not allowed to do that at Stripe",
    429: "Stripe takes no more requests at the moment",
}
"""Answers by which Stripe has done nothing. Source: https://docs.stripe.com/error-low-level"""


class _Unanswered(Exception):
    """Passes through the SDK, which knows nothing of it."""

    def __init__(self, outcome: NotSent | InDoubt):
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeRefusal:
    """Stripe read the request and did not do it. `reason`: why, in its words, for our log.

    `code`, `decline_code`, `param`: as in its error object, "" where it says none.
    `intent`: the payment intent that it is about, as it is now.
    """

    status: int
    code: str
    decline_code: str
    param: str
    intent: Thing | None

    @property
    def reason(self) -> str:
        return f"Stripe refused: {self.decline_code or self.code or self.param or self.status}"

    @property
    def is_missing(self) -> bool:
        """Whether what the address names is not there."""
        return self.status == 404


Said = Thing | StripeRefusal | NotSent | InDoubt


class Transport(stripe.HTTPClient):
    """Carries the SDK's requests. The SDK's own retries are passed by: a doubt stays one."""

    name = "kassa"

    def __init__(self, http: ProviderHttp, *, live: bool):
        super().__init__()
        self._http = http
        self._live = live

    async def request_with_retries_async(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        post_data: Any = None,
        max_network_retries: int | None = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[Any, int, Any]:
        return await self.request_async(method, url, headers, post_data)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Raises: _Unanswered unless Stripe answered with an object of its own."""
        if method == "get":
            answer = await self._http.get(url, headers=headers)
        elif method == "post":
            answer = await self._http.post(url, headers=headers, body=(post_data or "").encode())
        else:
            raise _Unanswered(NotSent(reason=f"{method} is not carried"))
        match answer:
            case NotSent():
                raise _Unanswered(answer)
            case NoAnswer():
                raise _Unanswered(answer.doubt)
            case Answered(status=status, body=body):
                text = text_of(body)
                _check(status, text, live=self._live)
                return text.encode(errors="replace"), status, answer.headers

    async def close_async(self) -> None:
        await self._http.close()


def _check(status: int, body: str, *, live: bool) -> None:
    """The SDK trips over what is not one object, and shows it in its message. And an object of the
    other mode is about no payment of ours.

    Raises: _Unanswered.
    """
    if status == 429:  # whoever stands before Stripe may say it, in whatever words
        raise _Unanswered(NotSent(reason=_NOT_DONE[status]))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    is_object = isinstance(answer, dict)
    if is_object and _is_of_mode(answer, not live):
        raise _Unanswered(InDoubt(reason="Stripe's answer is of the other mode, test or live"))
    if is_object and (200 <= status < 300 or isinstance(answer.get("error"), dict)):
        return
    reason = f"Stripe answered with HTTP status {status} and something that is not its JSON"
    raise _Unanswered(InDoubt(reason=reason))


def _is_of_mode(answer: Mapping[str, Any], live: bool) -> bool:
    """Whether it, or an object of the list that it is, says so."""
    items = answer.get("data")
    listed = items if isinstance(items, list) else []
    return any(one.get("livemode") is live for one in (answer, *listed) if isinstance(one, Mapping))


def open_client(
    secret_key: str, base_url: str, http: ProviderHttp, *, live: bool
) -> stripe.StripeClient:
    """`base_url`: "https://api.stripe.com", or another address, which may have a path. The SDK
    begins every path with /v1, so one at the end is left out. `live`: the mode of the key."""
    return stripe.StripeClient(
        secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": base_url.rstrip("/").removesuffix("/v1")},
        max_network_retries=0,
        http_client=Transport(http, live=live),
    )


def post(
    client: stripe.StripeClient, path: str, asked: Mapping[str, Any], key: str
) -> Coroutine[Any, Any, stripe.StripeResponse]:
    """A request without the SDK's own objects of the answer, each of whose members costs: for what
    is done all the time. `key`: the idempotency key."""
    return client.raw_request_async("post", path, **asked, idempotency_key=key)


async def ask(call: Awaitable[stripe.StripeObject | stripe.StripeResponse]) -> Said:
    """What Stripe says to one call of the SDK."""
    try:
        said = await call
        fields = said.to_dict() if isinstance(said, stripe.StripeObject) else said.data
        assert isinstance(fields, dict)  # see `_check`
        return Thing(fields)
    except _Unanswered as error:
        return error.outcome
    except stripe.StripeError as error:
        return _failed(error)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError, ArithmeticError):
        # JSON, but not an object of Stripe's: the SDK fails over it in one way or another.
        return InDoubt(reason="Stripe's answer cannot be read")


def _failed(error: stripe.StripeError) -> StripeRefusal | NotSent | InDoubt:
    status = error.http_status or 0
    if isinstance(error, stripe.RateLimitError):
        status = 429  # Stripe once said this with another status
    if status in _NOT_DONE:
        return NotSent(reason=_NOT_DONE[status])
    body = error.json_body if isinstance(error.json_body, dict) else {}
    said = Thing(body).thing("error")
    try:
        if said is not None and status in (400, 402, 404) and said.word("type") in _REFUSALS:
            return StripeRefusal(
                status=status,
                code=said.word("code"),
                decline_code=said.word("decline_code"),
                param=said.word("param"),
                intent=said.thing("payment_intent"),
            )
    except Garbled:
        return InDoubt(reason="Stripe's refusal cannot be read")
    # Among them: another request under the same idempotency key, running or different (409, 400).
    return InDoubt(reason=f"Stripe answered with HTTP status {status}")
