"""What the commands of money afterwards do: each opens the database, runs one use case, tells."""

import json

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.base.usecases.core import Core
from kassa.cli import recording, running
from kassa.disputes.usecases.disputes import list_disputes
from kassa.identity.domain.principals import Company
from kassa.modifications.usecases.modify_payment import (
    ModifiedPayment,
    ModifyPayment,
    modify_payment,
)
from kassa.modifications.usecases.return_unapplied import return_unapplied
from kassa.payments.domain.disputes import Dispute
from kassa.payments.usecases.find_payments import get_payment
from kassa.settings import Settings

_SCOPE = "operator"
_MOST = 1_000  # disputes shown at once


def modify(
    settings: Settings,
    company: str,
    payment_id: str,
    kind: str,
    amount: str | None,
    because: str,
    request_id: str | None,
    is_last: bool,
) -> str:
    async def work(core: Core, side: Company) -> str:
        payment = (await get_payment(core, side.id, payment_id)).payment
        money = None if amount is None else Money.from_major(amount, payment.amount.currency)
        done = await modify_payment(
            core,
            ModifyPayment(
                company_id=side.id,
                payment_id=payment_id,
                kind=ModificationKind(kind),
                amount=money,
                actor=running.whoever_asks(),
                request_scope=_SCOPE,
                request_id=request_id,
                reason=because,
                is_last=is_last,
            ),
        )
        return _told(done)

    return running.told(settings, company, work)


def unapplied(
    settings: Settings, company: str, payment_id: str, because: str, *, plain: bool
) -> str:
    """`plain`: without an amount or an id, which it takes none of."""
    if not plain:
        raise InvalidRequest(
            "--unapplied gives back all of it, once: it takes no --amount and no id"
        )

    async def work(core: Core, side: Company) -> str:
        actor = running.whoever_asks()
        done = await return_unapplied(core, side.id, payment_id, actor=actor, reason=because)
        payment = (await get_payment(core, side.id, payment_id)).payment
        lines = [f"{one.id}: {one.amount} went back, by transfer" for one in done]
        return "\n".join([*lines, recording.transferred(payment)])

    return running.told(settings, company, work)


def _told(done: ModifiedPayment) -> str:
    one, payment = done.modification, done.payment
    said = f"{one.id}: {one.kind} of {one.amount} {one.status}"
    if one.failure_code:
        said += f" ({one.failure_code}: {one.failure_message})"
    if one.is_open:
        said += "; the worker goes on with it"
    return (
        f"{said}\n{payment.id} {payment.status}: captured {payment.captured},"
        f" refunded {payment.refunded}, still reserved {payment.held},"
        f" can be refunded {payment.refundable}"
    )


def disputes(settings: Settings, company: str, *, only_open: bool, as_json: bool) -> str:
    """For people a line each, the nearest deadline first."""

    async def work(core: Core, side: Company) -> str:
        found = await list_disputes(core, side.id, only_open=only_open, limit=_MOST)
        if as_json:
            return json.dumps(
                [{"mode": side.mode, **dispute_members(one)} for one in found], indent=2
            )
        lines = [dispute_line(one) for one in found]
        if only_open:
            lines = lines or ["no open disputes"]
            lines.append("what was decided, and charges that a bank returned: --all")
        return "\n".join([running.heading(side), *(lines or ["no disputes"])])

    return running.with_side(settings, company, work)


def dispute_line(one: Dispute) -> str:
    """As `kassa dispute list` shows it to people."""
    until = f"respond by {one.respond_by:%Y-%m-%d %H:%M} UTC" if one.respond_by else ""
    stage, status = ("return", "") if one.is_return else (one.stage, one.status)
    said = f"{stage:<15} {status:<14} {one.reason:<20} {until}"
    return f"{one.id}  {one.payment_id}  {one.amount!s:>16}  {said}".rstrip()


def dispute_members(one: Dispute) -> dict[str, object]:
    """The same for machines."""
    return {
        "id": one.id,
        "kind": one.kind,
        "payment_id": one.payment_id,
        "amount": f"{one.amount.major:f}",
        "currency": one.amount.currency,
        "taken": f"{one.taken.major:f}",
        "fee": f"{one.fee.major:f}",
        "booked_currency": one.taken.currency,
        "stage": None if one.is_return else one.stage,
        "status": None if one.is_return else one.status,
        "reason": one.reason,
        "provider_reference": one.named_there,
        "respond_by": one.respond_by.isoformat() if one.respond_by else None,
        "opened_at": one.opened_at.isoformat(),
        "closed_at": one.closed_at.isoformat() if one.closed_at else None,
    }
