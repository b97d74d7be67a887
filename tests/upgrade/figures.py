"""What a story says of a payment, in plain JSON: alike for a release of before and for this one.

It names no class of either, since the classes move and what was told must not.
"""

from datetime import UTC, datetime
from typing import Any

_TEXTS = "status method connector instrument provider_reference failure_code failure_message"
_MONEY = "authorized captured refunded refund_reserved fee surplus_amount"
_MINOR = (
    "released_minor surplus_returned_minor surplus_reserved_minor disputed_minor"
    " double_paid_minor settled_minor modifications disputes"
)


def time(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat() if moment else ""


def figures(story: Any) -> dict[str, Any]:
    """States and amounts of the payment and of all that belongs to it, and what was booked."""
    payment = story.payment
    return {
        "payment": {
            **{name: str(getattr(payment, name) or "") for name in _TEXTS.split()},
            **{name: getattr(payment, name).minor for name in _MONEY.split()},
            **{name: getattr(payment, name) for name in _MINOR.split()},
            "version": payment.version,
            "surplus": payment.surplus,
            "captured_at": time(payment.captured_at),
        },
        "fee": [story.fee.booked.minor, story.fee.expected and story.fee.expected.minor],
        "attempts": {
            one.id: [
                str(one.status),
                one.amount.minor,
                str(one.method),
                one.connector,
                one.surplus,
                one.provider_reference,
                one.failure_code,
                one.failure_message,
            ]
            for one in story.attempts
        },
        "modifications": {
            one.id: [
                str(one.kind),
                str(one.status),
                one.amount.minor,
                one.fee_minor,
                one.provider_reference,
                one.failure_code,
                one.failure_message,
                time(one.completed_at),
            ]
            for one in story.modifications
        },
        "disputes": {
            one.id: [
                str(one.stage),
                str(one.status),
                one.withdrawn,
                one.amount.minor,
                one.fee.minor,
                one.double_paid_minor,
                time(one.closed_at),
            ]
            for one in story.disputes
        },
        "steps": [
            [step.event.seq, str(step.event.event), str(step.event.to_status), step.event.actor]
            for step in story.steps
        ],
        "faults": [step.fault for step in story.steps if step.fault],
        "bookings": [
            [one.id, str(one.kind), [[leg.account, leg.side, leg.amount.minor] for leg in one.legs]]
            for one in story.bookings
        ],
        "settlements": [[one.kind, str(one.status)] for one in story.settlements],
        "reports": [[one.file_name, one.number, str(one.state)] for one in story.reports],
        "breaks": [[one.id, str(one.kind), str(one.status)] for one in story.breaks],
        "sent": [[one.event_type, one.state] for one in story.notifications],
    }
