"""Stories told after each step, to be held against what is told of the same moments later."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from tests.shop import Shop

from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Payment
from kassa.payments.usecases.explain import PaymentHistory, explain


async def told(shop: Shop, payment: Payment, moment: datetime | None = None) -> PaymentHistory:
    return await explain(shop.core, payment.company_id, payment.id, moment)


def gist(story: PaymentHistory) -> dict[str, Any]:
    """What must be the same whether told at the time or in retrospect."""
    payment = story.payment
    return {
        "payment": (payment.status, payment.version, payment.updated_at, payment.surplus),
        "by": (payment.method, payment.connector, payment.instrument, payment.provider_reference),
        "failure": (payment.failure_code, payment.failure_message),
        "captured at": payment.captured_at,
        "amounts": {
            item.name: getattr(payment, item.name)
            for item in fields(payment)
            if isinstance(getattr(payment, item.name), Money)
        },
        "minor": {
            name: getattr(payment, name)
            for name in (
                "released_minor surplus_returned_minor surplus_reserved_minor disputed_minor"
                " double_paid_minor settled_minor modifications disputes"
            ).split()
        },
        "steps": story.steps,
        "bookings": story.bookings,
        "attempts": [
            (a.id, a.status, a.surplus, a.provider_reference, a.failure_code)
            for a in story.attempts
        ],
        "modifications": [
            # What a provider calls it before it is done leaves no trace in the timeline.
            (m.id, m.status, m.completed_at and m.provider_reference, m.fee_minor, m.failure_code)
            for m in story.modifications
        ],
        "disputes": [
            (d.id, d.stage, d.status, d.withdrawn, d.fee, d.double_paid_minor, d.closed_at)
            for d in story.disputes
        ],
        "sent": [(item.id, item.state) for item in story.notifications],
    }


class Diary:
    """The story as it was told after each step, to be held against what is told of it later."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.pages: list[PaymentHistory] = []

    async def write(self, payment: Payment) -> None:
        self.pages.append(await told(self.shop, payment))

    async def compare(self) -> None:
        for page in self.pages:
            moment = page.steps[-1].event.at
            later = await told(self.shop, page.payment, moment)
            assert gist(later) == gist(page), f"as of {moment}"
            assert not list(after(later, moment))


def after(value: Any, moment: datetime, name: str = "") -> Any:
    """Each time in a story that is later than its moment, but for what was to come by then."""
    if isinstance(value, datetime):
        agreed = ("expires_at", "respond_by", "authorization_expires_at")
        if value > moment and name not in (*agreed, "next_query_at"):
            yield name, value
    elif is_dataclass(value):
        for item in fields(value):
            yield from after(getattr(value, item.name), moment, item.name)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from after(one, moment, name)
