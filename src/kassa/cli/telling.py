"""A payment's story in words, and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.cli.common import printable
from kassa.payments.domain.disputes import Dispute
from kassa.payments.domain.facts import ChargeReturned
from kassa.payments.domain.modifications import Modification
from kassa.payments.domain.narration import words
from kassa.payments.domain.payments import Attempt, Payment
from kassa.payments.domain.timeline import TimelineEvent
from kassa.payments.store.history import Discrepancy, ReportedLine, Sent, SettledLine
from kassa.payments.usecases.explain import Booking, FeeStory, PaymentHistory, TimelineStep

_WIDTH = 26  # of a time and the pause behind it
_ACTORS = {
    "payer": "the payer",
    "provider": "provider",
    "worker": "worker",
    "operator": "operator",
    "staff": "staff",
    "customer": "customer",
    "api_key": "API key",
    "orders_client": "orders client",
    "wallet_client": "wallet client",
}
_BY = {
    "charge": "the provider's answer to our call",
    "call": "the provider's answer to our call",
    "query": "the provider's answer to our question",
    "notification": "the provider's notification",
    "ledger": "our own books",
    "recorded": "recorded by hand",
    "clock": "the clock",
}
_ALREADY_TOLD = frozenset({"kind", "v", "text", "note"})  # of a fact, in its first line
_OF_DISPUTES = frozenset({"stage", "status", "respond_by", "said", "tells_taken"})  # not of returns
_HIDDEN = frozenset({"redirect_url"})  # a payer's own address at a provider
_ADDRESSES = frozenset({"url", "notify_url"})  # of a merchant, and maybe with a key in it


def as_json(story: PaymentHistory, mode: str) -> str:
    """Everything, for machines: amounts in the currency's digits and in minor units."""
    shown = {"mode": mode, **_plain(story)}
    shown["fee"]["variance"] = _plain(story.fee.variance)
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, Money):
        return {
            "major": f"{value.major:f}",
            "minor": value.minor,
            "currency": value.currency,
        }
    if isinstance(value, TimelineEvent):
        return _plain_event(value)
    if isinstance(value, Dispute) and value.is_return:
        value = replace(value, provider_reference=value.named_there, said={})
        return {
            item.name: _plain(getattr(value, item.name), item.name)
            for item in fields(value)
            if item.name not in _OF_DISPUTES
        }
    if is_dataclass(value):
        return {
            item.name: _plain(getattr(value, item.name), item.name)
            for item in fields(value)
            if item.name not in _HIDDEN
        }
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return _exact(value)
    return _host(value) if name in _ADDRESSES and value else value


def _plain_event(event: TimelineEvent) -> dict[str, Any]:
    """`evidence` as the database has it, whichever release wrote it; `fact`: how it is read."""
    members = [item.name for item in fields(event) if item.name not in ("fact", "kept")]
    return {
        **{name: _plain(getattr(event, name), name) for name in members},
        "event": event.event,
        "evidence": event.evidence,
        "fact": {"kind": event.fact.kind, **_plain(event.fact)},
    }


def as_text(story: PaymentHistory) -> str:
    """The story as a person reads it."""
    lines = [
        *_heading(story),
        *_fee(story.fee, paid=story.payment.is_paid),
        *_section("What happened", _timeline(story)),
        *_section("Attempts", [_attempt(item, story.disputes) for item in story.attempts]),
        *_section(
            "Captures, voids, refunds", [_modification(item) for item in story.modifications]
        ),
        *_section("Disputes", [_dispute(one) for one in story.disputes if not one.is_return]),
        *_section("Returned charges", [_return(one) for one in story.disputes if one.is_return]),
        *_section("Settlement and payout", [_settled(line) for line in story.settlements]),
        *_section("Lines of reports", [_reported(line) for line in story.reports]),
        *_section("Breaks", [_break(item) for item in story.breaks]),
        *_section("Notifications", [_sent(item) for item in story.notifications]),
    ]
    return "\n".join(printable(line) for line in lines)


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        for line in lines:
            yield f"  {line}"


def _heading(story: PaymentHistory) -> Iterator[str]:
    payment = story.payment
    surplus = ", surplus" if payment.surplus else ""
    yield f"{payment.id}  {payment.amount}  {payment.status}{surplus}"
    order = f"order {payment.order_id}"
    if story.order_status is not None:
        order += f" ({story.order_status})"
    yield f"  {order}, for {payment.business_id}"
    if story.others:
        yield f"  other payments of the order: {', '.join(story.others)}"
    if payment.method is not None:
        at = f" at {payment.connector}" if payment.connector else ""
        yield f"  by {payment.method}{at}" + _tagged(
            ("", payment.instrument), ("reference", payment.provider_reference)
        )
    if payment.failure_code:
        yield f"  failed: {payment.failure_code}: {payment.failure_message}"
    if story.moment is not None:
        yield f"  as it was at {_exact(story.moment)}"
    unowed = {one.id for one in story.attempts if one.surplus}
    back = sum(
        one.taken.minor for one in story.disputes if one.is_return and one.attempt_id not in unowed
    )
    banks = sum(one.taken.minor for one in story.disputes if one.attempt_id in unowed)
    amounts = list(_amounts(payment, back, banks))
    if amounts:
        yield f"  {', '.join(amounts)}"


def _amounts(payment: Payment, charges_returned: int, of_surplus: int) -> Iterator[str]:
    """`charges_returned`, `of_surplus`: what banks have, of what was owed and of what was not."""
    currency = payment.amount.currency
    for word, minor in (
        ("reserved", payment.authorized.minor),
        ("captured", payment.captured.minor),
        ("let go", payment.released_minor),
        ("refunded", payment.refunded.minor),
        ("being refunded", payment.refund_reserved.minor),
        ("disputed", payment.disputed_minor - charges_returned),
        ("returned by the bank", charges_returned),
        ("paid back twice", payment.double_paid_minor),
        ("unapplied", payment.unapplied_minor),
        ("not owed", payment.surplus_amount.minor),
        ("of that given back", payment.surplus_returned_minor - of_surplus),
        ("of that taken back by the bank", of_surplus),
        ("of that being given back", payment.surplus_reserved_minor),
        ("reported as settled", payment.settled_minor),
    ):
        if minor:
            yield f"{word} {_digits(Money(minor, currency))}"


def _fee(fee: FeeStory, *, paid: bool) -> Iterator[str]:
    if not paid and not fee.booked.minor:
        return
    words = f"  fee {fee.booked}"
    if fee.known is not None:
        words += ", the provider's own figure" if fee.known else ", as the schedule has it"
    if fee.expected is not None and fee.variance is not None:
        more = "more" if fee.variance.minor > 0 else "less"
        apart = Money(abs(fee.variance.minor), fee.booked.currency)
        words += f"; expected {fee.expected}"
        words += f": {apart} {more} than that" if apart.minor else ": no difference"
    yield words


def _timeline(story: PaymentHistory) -> list[str]:
    """Steps, and under each what was booked at its time; other bookings in their own place."""
    told: list[tuple[datetime, int, list[str]]] = [
        (step.event.at, step.event.seq, _step(step)) for step in story.steps
    ]
    last = {step.event.at: step.event.seq for step in story.steps}
    for booking in story.bookings:
        lines = list(_booking(booking))
        if booking.at not in last:
            lines.insert(0, f"{_time(booking.at)}booked")
        told.append((booking.at, last.get(booking.at, 0), lines))
    told.sort(key=lambda item: item[:2])
    return [line for _, _, lines in told for line in lines]


def _step(step: TimelineStep) -> list[str]:
    event = step.event
    word = words(event.fact)
    if event.from_status is None:
        state = f"  → {event.to_status}"
    elif event.from_status is event.to_status:
        state = f" ({event.to_status})"
    else:
        state = f"  {event.from_status} → {event.to_status}"
    lines = [f"{_time(event.at)}{word}{state}, by {_actor(event.actor)}"]
    # What an older release kept has members that no fact has: they are told beside it.
    told = {**event.told, **event.evidence}
    if isinstance(event.fact, ChargeReturned):  # kept as a dispute once, which it was not
        told = event.told
        told["kept as"] = told.pop("dispute")
    if evidence := _evidence(told):
        lines.append(f"{'':{_WIDTH}}{evidence}")
    if step.fault:
        lines.append(f"{'':{_WIDTH}}THIS CANNOT BE: {step.fault}; kassa verify tells more")
    return lines


def _actor(actor: str) -> str:
    kind, _, name = actor.partition(":")
    word = _ACTORS.get(kind, kind.replace("_", " "))
    return f"{word} {name}".strip()


def _evidence(evidence: dict[str, Any]) -> str:
    words = []
    for name, value in evidence.items():
        if name in _ALREADY_TOLD or value in ("", None):
            continue
        said = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        words.append(_BY.get(said, said) if name == "by" else f"{name.replace('_', ' ')} {said}")
    return ", ".join(words)


def _booking(booking: Booking) -> Iterator[str]:
    yield f"{'':{_WIDTH}}posted {booking.kind}, {booking.id}"
    wide = max(len(leg.account) for leg in booking.legs)
    for leg in booking.legs:
        yield f"{'':{_WIDTH}}  {leg.side:6} {leg.account:{wide}}  {_digits(leg.amount)}"


def _attempt(item: Attempt, disputes: Sequence[Dispute]) -> str:
    surplus = ", money that nobody owed" if item.surplus else ""
    back = [one.opened_at for one in disputes if one.is_return and one.attempt_id == item.id]
    returned = f", returned by the payer's bank at {_exact(back[0])}" if back else ""
    return f"{item.id}  {item.amount} by {item.method} at {item.connector}: {item.status}" + (
        f"{surplus}{returned}"
        + _tagged(("reference", item.provider_reference))
        + _failed(item.failure_code, item.failure_message)
    )


def _modification(item: Modification) -> str:
    kind = (
        "return of surplus" if item.surplus and item.kind is ModificationKind.REFUND else item.kind
    )
    done = f" at {_exact(item.completed_at)}" if item.completed_at is not None else ""
    fee = _digits(Money(item.fee_minor, item.amount.currency)) if item.fee_minor else ""
    return f"{item.id}  {kind} of {item.amount}: {item.status}{done}" + (
        f", asked by {_actor(item.actor)} at {_exact(item.created_at)}"
        + _tagged(
            ("because", item.reason),
            ("your id", item.request_id or ""),
            ("reference", item.provider_reference),
            ("fee", fee),
        )
        + _failed(item.failure_code, item.failure_message)
    )


def _dispute(item: Dispute) -> str:
    money = "the bank has the money" if item.withdrawn else "the money is with us"
    if item.withdrawn and item.taken != item.amount:
        money = f"the bank has {item.taken}"
    if item.amount.currency != item.taken.currency and not item.withdrawn:
        money = f"nothing of it is booked in {item.taken.currency}"
    twice = _digits(Money(item.double_paid_minor, item.taken.currency))
    return f"{item.id}  {item.stage} of {item.amount}: {item.status}, {money}" + _tagged(
        ("reason", item.reason),
        ("reference", item.provider_reference),
        ("fee", _digits(item.fee) if item.fee.minor else ""),
        ("refunded as well", twice if item.double_paid_minor else ""),
        ("answer by", _exact(item.respond_by) if item.respond_by is not None else ""),
    )


def _return(item: Dispute) -> str:
    twice = _digits(Money(item.double_paid_minor, item.taken.currency))
    return f"{item.id}  {item.taken} of {item.attempt_id}, at {_exact(item.opened_at)}" + _tagged(
        ("reason", item.reason),
        ("reference", item.named_there),
        ("refunded as well", twice if item.double_paid_minor else ""),
    )


def _settled(line: SettledLine) -> str:
    paid = f" at {_exact(line.paid_at)}" if line.paid_at is not None else ""
    return f"settlement {line.number} ({line.settlement_id}) at {line.connector}: " + (
        f"{line.kind} {line.amount}, {line.status}{paid}"
        + _tagged(("payout", line.payout_reference), ("posting", line.posting_id))
    )


def _reported(line: ReportedLine) -> str:
    amount = f" of {line.amount}" if line.amount is not None else ""
    return f"{line.file_name}, line {line.number}: {line.kind}{amount}, {line.state}" + _tagged(
        ("fee", _digits(line.fee) if line.fee is not None and line.fee.minor else ""),
        ("reference", line.provider_reference),
        ("payout", line.payout_reference),
        ("settles", ", ".join(line.posting_ids)),
    )


def _break(item: Discrepancy) -> str:
    return f"{item.id}  {item.kind} at {item.connector}: {item.status}" + _tagged(
        ("", item.details),
        ("owner", item.owner),
        ("resolved by", item.resolved_by),
        ("because", item.resolution),
    )


def _sent(item: Sent) -> str:
    tries = "" if item.tries is None else f", {item.tries} {'try' if item.tries == 1 else 'tries'}"
    status = "" if item.last_status is None else f", last answer {item.last_status}"
    done = f" at {_exact(item.delivered_at)}" if item.delivered_at is not None else ""
    return f"{_time(item.created_at)}{item.event_type} to {_host(item.url)}: " + (
        f"{item.state}{done}{tries}{status}" + _tagged(("", item.last_error))
    )


def _tagged(*pairs: tuple[str, str]) -> str:
    return "".join(f", {name} {value}".replace("  ", " ") for name, value in pairs if value)


def _failed(code: str, message: str) -> str:
    return f", {code}" + (f": {message}" if message else "") if code else ""


def _host(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")


def _digits(money: Money) -> str:
    """Without its currency, where that has been said."""
    return f"{money.major:f}"


def _exact(moment: datetime) -> str:
    """So that it can be given to --as-of again."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def _time(moment: datetime) -> str:
    shown = moment.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds")
    return f"{shown.removesuffix('+00:00')}Z".ljust(_WIDTH)
