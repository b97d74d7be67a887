"""Act on reservations before the provider's deadline passes, so that none ends in the dark."""

import asyncio

import structlog

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.usecases.backoff import backoff_of
from kassa.base.usecases.core import Core
from kassa.modifications.store import modifications
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment
from kassa.payments.usecases.find_payments import get_payment

_log = structlog.get_logger("kassa.deadlines")
_ACTOR = "worker:deadlines"
SCOPE = "deadline"
"""The request scope of what was done because a reservation was about to end."""


async def release_authorizations(core: Core, limit: int = 100) -> int:
    """Void each reservation that ends within `policy.authorization_margin`, or capture it where
    `policy.capture_at_deadline` says so; returns how many were acted upon.

    The rest of a partly captured one is let go.
    """
    resting = backoff_of(core, "deadlines")
    async with core.db.connection() as connection:
        margin = core.policy.authorization_margin
        due = await modifications.to_release(
            connection, margin, limit, resting=resting.keys(), live=core.policy.live
        )
    done = await asyncio.gather(*(_act(core, *key) for key in due))
    # Also what was acted upon: it comes again only where that was refused, and then not first.
    for _, payment_id in due:
        resting.failed(payment_id)
    return sum(done)


async def _act(core: Core, company_id: str, payment_id: str) -> int:
    try:
        return await _release(core, company_id, payment_id)
    except KassaError as error:
        _log.warning("reservation stays", payment=payment_id, reason=error.reason)
    except Exception:  # noqa: BLE001 - one payment's trouble is not the others'
        _log.exception("deadline failed", payment=payment_id)
    return 0


async def _release(core: Core, company_id: str, payment_id: str) -> int:
    payment = (await get_payment(core, company_id, payment_id)).payment
    capture = core.policy.capture_at_deadline and not payment.is_paid
    wanted = ModifyPayment(
        company_id=company_id,
        payment_id=payment_id,
        kind=ModificationKind.CAPTURE if capture else ModificationKind.VOID,
        actor=_ACTOR,
        request_scope=SCOPE,
        request_id=f"{payment_id}:{payment.version}",
        reason="the reservation is about to expire",
        rest=True,
    )
    await modify_payment(core, wanted)
    return 1
