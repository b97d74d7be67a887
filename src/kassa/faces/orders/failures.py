"""The name of each failure on the orders interface: HTTP status, `type` and `code`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from kassa.base.domain.errors import InvalidRequest, KassaError
from kassa.base.usecases.admission import pause_of
from kassa.faces import edge


@dataclass(frozen=True, slots=True)
class Failure:
    status: int
    type: str
    code: str


FAILURES: Mapping[str, Failure] = {
    "invalid_request": Failure(400, "invalid_request_error", "request_invalid"),
    "unauthenticated": Failure(401, "authentication_error", "request_failed"),
    "permission_denied": Failure(403, "authentication_error", "permission_denied"),
    "not_found": Failure(404, "invalid_request_error", "order_not_found"),
    "idempotency_mismatch": Failure(422, "idempotency_error", "request_invalid"),
    "in_progress": Failure(409, "idempotency_error", "request_in_progress"),
    "illegal_transition": Failure(409, "invalid_request_error", "order_inactive"),
    "amount_too_large": Failure(422, "invalid_request_error", "order_amount_invalid"),
    "unsupported": Failure(422, "invalid_request_error", "feature_not_enabled"),
    "rate_limited": Failure(429, "rate_limit_error", "request_failed"),
    "overloaded": Failure(503, "api_error", "request_failed"),
    "provider_unavailable": Failure(503, "api_error", "provider_unavailable"),
    "ambiguous_commit": Failure(503, "api_error", "request_failed"),
    "internal": Failure(500, "api_error", "internal_error"),
}
"""Every code of `base/domain/errors.py`. Source of the names: Cashfree PG, whose order the seed
copies."""

FAILURE_OF_REASON: Mapping[str, Failure] = {
    "order_id_taken": Failure(409, "invalid_request_error", "order_already_exists"),
    "refund_id_taken": Failure(409, "invalid_request_error", "refund_already_exists"),
    "refund_not_found": Failure(404, "invalid_request_error", "refund_not_found"),
    "payment_not_found": Failure(404, "invalid_request_error", "payment_not_found"),
    "settlement_not_found": Failure(404, "invalid_request_error", "settlement_not_found"),
    "version_missing": Failure(400, "invalid_request_error", "request_failed"),
    "version_invalid": Failure(400, "invalid_request_error", "version_invalid"),
    "order_ended": Failure(409, "invalid_request_error", "order_inactive"),
    "order_inactive": Failure(400, "invalid_request_error", "order_inactive"),
    "order_paid": Failure(400, "invalid_request_error", "order_already_paid"),
    "session_unknown": Failure(400, "invalid_request_error", "payment_session_id_invalid"),
    "provider_refused": Failure(502, "api_error", "bank_processing_failure"),
    "claim_in_progress": Failure(409, "invalid_request_error", "request_in_progress"),
    "not_authorized": Failure(400, "invalid_request_error", "order_not_authorized"),
    "authorization_expired": Failure(400, "invalid_request_error", "authorization_expired"),
    "already_captured": Failure(400, "invalid_request_error", "order_already_captured"),
    "already_voided": Failure(400, "invalid_request_error", "order_id_voided"),
    "capture_amount": Failure(400, "invalid_request_error", "amount_invalid"),
    "not_paid": Failure(400, "invalid_request_error", "order_not_paid"),
    "surplus": Failure(400, "invalid_request_error", "order_not_paid"),
    "refund_amount": Failure(400, "invalid_request_error", "refund_amount_invalid"),
}
"""By a refusal's reason, where that has a name of its own."""

_CODE_OF_REASON: Mapping[str, str] = {
    "amount_invalid": "order_amount_invalid",
    "amount_not_positive": "order_amount_invalid",
    "amount_out_of_range": "order_amount_invalid",
    "amount_precision": "order_amount_invalid",
    "currency_unknown": "order_currency_invalid",
    "expiry_invalid": "order_expiry_time_invalid",
    "url_refused": "notify_url_invalid",
}

_FIELD_OF_REASON: Mapping[str, str] = {
    "amount_invalid": "order_amount",
    "amount_not_positive": "order_amount",
    "amount_out_of_range": "order_amount",
    "amount_precision": "order_amount",
    "currency_unknown": "order_currency",
    "expiry_invalid": "order_expiry_time",
    "url_refused": "order_meta.notify_url",
}
_OUR_NAME: Mapping[str, str] = {
    "amount": "order_amount",
    "currency": "order_currency",
    "expires_at": "order_expiry_time",
    "notify_url": "order_meta.notify_url",
    "return_url": "order_meta.return_url",
    "payment_methods": "order_meta.payment_methods",
    "request_id": "idempotency-key",
    "note": "order_note",
    "tags": "order_tags",
}
"""What use cases call otherwise than the documents of this interface."""

_MESSAGE_OF_REASON: Mapping[str, str] = {
    "idempotency_mismatch": "this Idempotency-Key was used for another request before",
}
"""Where rules speak of a request's id, and what was sent is this header."""

_INSIDE = re.compile(r"\[[^\[\]]{0,99}+\]")
_LONGEST_MESSAGE = 500  # an unknown member is named, and its name may be as long as a body


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    message: str
    code: str
    type: str
    help: str = ""


def failure_of(error: KassaError) -> Failure:
    """The finest name there is: order_amount_missing rather than request_invalid."""
    if error.reason in FAILURE_OF_REASON:
        return FAILURE_OF_REASON[error.reason]
    failure = FAILURES[error.code]
    if not isinstance(error, InvalidRequest):
        return failure
    if error.reason in _CODE_OF_REASON:
        code = _CODE_OF_REASON[error.reason]
    elif error.reason == edge.MISSING and error.field:
        code = f"{name_of(error.field)}_missing"
    elif error.field:
        code = f"{name_of(error.field)}_invalid"
    else:
        code = failure.code
    return Failure(failure.status, failure.type, code)


def field_of(error: KassaError) -> str | None:
    """The member of our own requests that is at fault, where one is: rules know it by others."""
    if error.reason in _CODE_OF_REASON and error.field not in _OUR_NAME.values():
        return _FIELD_OF_REASON[error.reason]
    return _OUR_NAME.get(error.field or "", error.field)


def message_of(error: KassaError) -> str:
    """What is said of it, in the words of this interface."""
    return _MESSAGE_OF_REASON.get(error.reason, error.message)


def name_of(field: str) -> str:
    """A member's own name: what is wrong inside a list or map is wrong with that."""
    return _INSIDE.sub("", field).rpartition(".")[2]


def write_error(_: Request, error: KassaError) -> Response:
    return tell(error, message_of(error))


def tell(error: KassaError, message: str) -> Response:
    """The failure as HTTP; with Retry-After wherever the same request may be sent again."""
    failure = failure_of(error)
    headers, advice = None, ""
    pause = pause_of(error)
    if pause is not None:
        headers = {"retry-after": str(pause)}
        advice = f"Send the same request again after {pause} s, with the same Idempotency-Key."
    # A member's name may hold half a character ("\ud800"), which no answer can.
    message = message[:_LONGEST_MESSAGE].encode("utf-8", "replace").decode("utf-8")
    body = ErrorBody(message, failure.code, failure.type, advice)
    return edge.answer(body, failure.status, headers)
