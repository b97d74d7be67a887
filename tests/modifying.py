"""A provider that can also claim, let go and give back, and the asking for it in short words."""

from datetime import timedelta
from typing import Any, ClassVar

from tests.shop import Scripted, Shop

from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    Authorized,
    ChargeRequest,
    Done,
    ModificationOutcome,
    ModificationRequest,
    Outcome,
)
from kassa.modifications.usecases.modify_payment import (
    ModifiedPayment,
    ModifyPayment,
    modify_payment,
)
from kassa.payments.domain.payments import CaptureMethod, Payment

CAPTURE, VOID, REFUND = ModificationKind.CAPTURE, ModificationKind.VOID, ModificationKind.REFUND


class Obedient(Scripted):
    """Does what it is asked, unless it is told what to say. `moved`: what it did, by key."""

    captures_in_parts: ClassVar[bool] = True

    def __init__(self, *says: ModificationOutcome | None, lives: timedelta = timedelta(7)) -> None:
        super().__init__()
        self.says = list(says)
        self.says_to_queries: list[ModificationOutcome] = []
        self.moved: dict[str, Money] = {}
        self.lives = lives

    async def charge(self, request: ChargeRequest) -> Outcome:
        if request.capture or self.answers:
            return await super().charge(request)
        self.charged.append(request.key)
        return Authorized(
            reference=f"ref of {request.key}",
            amount=request.amount,
            expires_at=request.now + self.lives,
        )

    async def _do(self, request: ModificationRequest) -> ModificationOutcome:
        told = self.says.pop(0) if self.says else None
        if told is not None:
            return told
        self.moved[request.key] = request.amount
        return Done(reference=f"ref of {request.key}", amount=request.amount)

    capture = void = refund = _do

    async def query_modification(self, request: ModificationRequest) -> ModificationOutcome:
        self.queried.append(request.key)
        return self.says_to_queries.pop(0)


async def reserved(shop: Shop, provider: Obedient, **changes: Any) -> Payment:
    """A payment whose funds the provider has reserved."""
    payment = await shop.payment(capture_method=CaptureMethod.MANUAL, **changes)
    return await shop.play(payment, provider)


async def modify(
    shop: Shop,
    payment: Payment,
    kind: ModificationKind,
    minor: int | None = None,
    request_id: str | None = None,
    **changes: Any,
) -> ModifiedPayment:
    core = changes.pop("core", shop.core)
    return await modify_payment(
        core,
        ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=kind,
            amount=None if minor is None else Money(minor, payment.amount.currency),
            actor="test",
            request_scope="test",
            request_id=request_id,
            **changes,
        ),
    )


async def soon(shop: Shop, payment: Payment) -> None:
    """Let every pause of the payment's modifications be over."""
    await shop.sql(
        "update modification set next_query_at = now(), last_query_at = null"
        " where payment_id = $1 and next_query_at is not null",
        payment.id,
    )


async def balance_of_account(shop: Shop, account: str) -> int:
    """Signed minor units, debits positive."""
    rows = await shop.sql(
        "select coalesce(sum(amount_minor), 0)::bigint as total from entry where account = $1",
        account,
    )
    total: int = rows[0]["total"]
    return total
