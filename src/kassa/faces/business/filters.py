"""What ListPayments may be narrowed by, beyond the published order ids: from message and JSON."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf import timestamp_pb2
from google.type import interval_pb2

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.faces.business import contract
from kassa.payments.domain.payments import PaymentFilter
from moego.business.payment.v1 import payment_pb2

BUSINESS_IDS_MAX = 100
NAMES: Mapping[str, str] = {
    "updatedAfter": "updated_after",
    "changesToken": "changes_token",
    "statuses": "statuses",
    "businessIds": "business_ids",
    "createdTime": "created_time",
}
"""The members of a filter in JSON, beside the published ones; each by its proto name."""

INTERVAL = {"startTime": "start_time", "endTime": "end_time"}
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?>\.[0-9]{1,9}+)?"
    r"(?>Z|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)
_INSIDE: Mapping[str, tuple[PaymentStatus, ...]] = {
    word: tuple(status for status, said in contract.STATUS.items() if said == word)
    for word in contract.STATUS.values()
}

Wrong = Callable[[str, str], InvalidRequest]


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What is asked for beside order ids. `wanted` None: all. `changes`: those since a moment
    (`updated_after`) or behind a place (`changes_token`)."""

    wanted: PaymentFilter | None = None
    updated_after: datetime | None = None
    changes_token: str = ""

    @property
    def changes(self) -> bool:
        return self.updated_after is not None or bool(self.changes_token)


def of_message(asked: payment_pb2.ListPaymentsRequest.Filter, wrong: Wrong) -> Narrowed:
    """Raises: InvalidRequest."""
    start = end = None
    if asked.HasField("created_time"):
        span: interval_pb2.Interval = asked.created_time
        start = (
            _moment(span.start_time, "filter.created_time.start_time", wrong)
            if (span.HasField("start_time"))
            else None
        )
        end = (
            _moment(span.end_time, "filter.created_time.end_time", wrong)
            if (span.HasField("end_time"))
            else None
        )
    after = None
    if asked.HasField("updated_after"):
        after = _moment(asked.updated_after, "filter.updated_after", wrong)
    return _narrowed(
        updated_after=after,
        changes_token=asked.changes_token,
        statuses=[_status(number, at, wrong) for at, number in enumerate(asked.statuses)],
        business_ids=asked.business_ids,
        span=(start, end),
        wrong=wrong,
    )


def of_json(asked: Mapping[str, Any], span: Mapping[str, Any], wrong: Wrong) -> Narrowed:
    """`asked`: the filter's members by their proto names; `span`: those of its created_time.

    Raises: InvalidRequest.
    """
    for name in ("statuses", "business_ids"):
        if not isinstance(asked.get(name, []), list):
            raise wrong(f"filter.{name}", "must be an array")
    businesses = asked.get("business_ids", [])
    for at, one in enumerate(businesses):
        if not isinstance(one, str):
            raise wrong(f"filter.business_ids[{at}]", "must be a string")
    token = asked.get("changes_token", "")
    if not isinstance(token, str):
        raise wrong("filter.changes_token", "must be a string")
    return _narrowed(
        updated_after=_time(asked.get("updated_after"), "filter.updated_after", wrong),
        changes_token=token,
        statuses=[_status(one, at, wrong) for at, one in enumerate(asked.get("statuses", []))],
        business_ids=businesses,
        span=(
            _time(span.get("start_time"), "filter.created_time.start_time", wrong),
            _time(span.get("end_time"), "filter.created_time.end_time", wrong),
        ),
        wrong=wrong,
    )


def _narrowed(
    *,
    updated_after: datetime | None,
    changes_token: str,
    statuses: Sequence[tuple[PaymentStatus, ...]],
    business_ids: Sequence[str],
    span: tuple[datetime | None, datetime | None],
    wrong: Wrong,
) -> Narrowed:
    if updated_after is not None and changes_token:
        raise wrong("filter.changes_token", "stands instead of updated_after: give one of them")
    if len(business_ids) > BUSINESS_IDS_MAX:
        raise wrong("filter.business_ids", f"takes at most {BUSINESS_IDS_MAX} ids")
    for at, one in enumerate(business_ids):
        contract.read_id(one, f"filter.business_ids[{at}]")
    start, end = span
    if start is not None and end is not None and end <= start:
        raise wrong("filter.created_time", "ends after it begins")
    wanted = PaymentFilter(
        statuses=sorted({inside for word in statuses for inside in word}),
        business_ids=sorted(set(business_ids)),
        created_from=start,
        created_until=end,
    )
    return Narrowed(
        wanted=None if wanted == PaymentFilter(statuses=[], business_ids=[]) else wanted,
        updated_after=updated_after,
        changes_token=changes_token,
    )


def _status(said: Any, at: int, wrong: Wrong) -> tuple[PaymentStatus, ...]:
    """By its name or its number, as protobuf's JSON has enums."""
    known = payment_pb2.Payment.Status
    numbers = {number: name for name, number in known.items()}
    word = numbers.get(said, "") if type(said) is int else said
    if not isinstance(word, str) or word not in _INSIDE:
        raise wrong(f"filter.statuses[{at}]", f"must be one of {', '.join(_INSIDE)}")
    return _INSIDE[word]


def _moment(said: timestamp_pb2.Timestamp, field: str, wrong: Wrong) -> datetime:
    try:
        return said.ToDatetime(UTC)
    except (ValueError, OverflowError):
        raise wrong(field, "must be a moment of the years 1 to 9999") from None


def _time(said: Any, field: str, wrong: Wrong) -> datetime | None:
    """RFC 3339; what is finer than a microsecond is left off, which begins a little earlier."""
    if said is None:
        return None
    if not isinstance(said, str) or not _TIME.fullmatch(said):
        raise wrong(field, "must be a time of RFC 3339, such as 2026-11-22T02:20:02Z")
    try:
        return datetime.fromisoformat(said).astimezone(UTC)
    except (ValueError, OverflowError):
        raise wrong(field, "must be a moment of the years 1 to 9999") from None
