"""Settlements: what moved at a provider account, gathered into one sum that is paid out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from kassa.base.domain.errors import IllegalTransition, InvalidRequest
from kassa.base.domain.lifecycle import PayoutStatus, SettlementStatus, next_settlement_status
from kassa.base.domain.money import Money
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Entry, PostingKind

_S = SettlementStatus
_LONGEST_REFERENCE = 200
_LONGEST_WORDS = 500


class SettlementPart(StrEnum):
    """The sums that a settlement shows."""

    PAYMENTS = "payments"
    REFUNDS = "refunds"
    DISPUTES = "disputes"  # what banks took back, be it disputed or returned
    FEES = "fees"
    OTHER = "other"


PART_OF: Mapping[str, SettlementPart] = {
    PostingKind.CAPTURE: SettlementPart.PAYMENTS,
    PostingKind.REFUND: SettlementPart.REFUNDS,
    PostingKind.REFUND_REVERSAL: SettlementPart.REFUNDS,
    PostingKind.DISPUTE: SettlementPart.DISPUTES,
    PostingKind.DISPUTE_REVERSAL: SettlementPart.DISPUTES,
    PostingKind.CHARGE_RETURN: SettlementPart.DISPUTES,
    PostingKind.FEE: SettlementPart.FEES,
    PostingKind.FEE_ADJUSTMENT: SettlementPart.FEES,
}
"""All else is OTHER: surplus that came and went, and what a person put right."""


def part_of(kind: str) -> SettlementPart:
    """Where a movement of this kind is counted."""
    return PART_OF.get(kind, SettlementPart.OTHER)


@dataclass(frozen=True, slots=True)
class Sums:
    """Signed minor units at the provider account: positive came in, negative went out."""

    payments: int = 0
    refunds: int = 0
    disputes: int = 0
    fees: int = 0
    other: int = 0

    @property
    def total(self) -> int:
        return self.payments + self.refunds + self.disputes + self.fees + self.other


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """One per company, provider account and currency is open at a time.

    `number`: counts the company's settlements, for people. `carried_over_minor`: what an earlier
    one came to below zero; this one begins with it. `payout_reference`: the provider's name of
    the payout. What is closed with nothing to pay out is `paid` at once, without a posting and
    without a reference.
    """

    company_id: str
    id: str
    number: int
    connector: str
    currency: str
    status: SettlementStatus = _S.OPEN
    sums: Sums = Sums()
    carried_over_minor: int = 0
    payout_reference: str = ""
    opened_at: datetime
    closed_at: datetime | None = None
    paid_at: datetime | None = None

    @property
    def net(self) -> Money:
        """What the payout must come to."""
        return Money(self.sums.total + self.carried_over_minor, self.currency)

    def become(self, status: SettlementStatus) -> "Settlement":
        """Raises: IllegalTransition."""
        return replace(self, status=next_settlement_status(self.status, status))

    def close(self, sums: Sums, *, at: datetime) -> "Settlement":
        """With its lines fixed. Less than nothing is carried over; nothing at all is paid."""
        full = replace(self, sums=sums)
        if full.net.minor < 0:
            return replace(full.become(_S.CARRIED), closed_at=at)
        closed = replace(full.become(_S.CLOSED), closed_at=at)
        return closed if closed.net.minor else replace(closed.become(_S.PAID), paid_at=at)

    def pay(self, reference: str, *, at: datetime) -> "Settlement":
        """Its payout has arrived at the bank.

        Raises: IllegalTransition, InvalidRequest.
        """
        check_reference(reference)
        if self.status is _S.OPEN:
            raise IllegalTransition("it is still open: close it first with kassa settle")
        if self.status is _S.CARRIED:
            raise IllegalTransition(
                "it came to less than nothing and was carried over: nothing is paid out for it"
            )
        if self.status is _S.PAID:
            raise IllegalTransition(
                f"it was paid already, by {self.payout_reference or 'nothing, as its net is 0'};"
                " a payout that the bank sent back is recorded first, with kassa settlement failed"
            )
        if self.payout_reference not in ("", reference) and self.status is _S.CLOSED:
            raise IllegalTransition(
                f"its payout is {self.payout_reference}, not {reference}",
                reason="payout_reference_differs",
            )
        return replace(self.become(_S.PAID), payout_reference=reference, paid_at=at)

    def fail(self) -> "Settlement":
        """Its payout did not arrive, or the bank sent it back.

        Raises: IllegalTransition.
        """
        if self.net.minor == 0 and self.status is _S.PAID:
            raise IllegalTransition("its net is 0: nothing was paid out that could fail")
        if self.status not in (_S.CLOSED, _S.PAID):
            raise IllegalTransition(f"a settlement that is {self.status} has no payout to fail")
        return replace(self.become(_S.FAILED), paid_at=None)

    def payout_entries(self) -> tuple[Entry, ...]:
        """From the provider to the bank; the other way round where the provider takes money in.

        Empty where nothing moves.
        """
        if self.net.minor == 0:
            return ()
        account, bank = ledger.provider_account(self.connector), ledger.BANK_ACCOUNT
        if self.net.minor > 0:
            return ledger.move(bank, account, self.net)
        return ledger.move(account, bank, -self.net)

    def return_entries(self) -> tuple[Entry, ...]:
        """The reverse of `payout_entries`."""
        return tuple(replace(entry, minor=-entry.minor) for entry in self.payout_entries())


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutTry:
    """One payout for a settlement: the next one after it failed is another.

    `amount`: as it comes to the bank; below zero where the provider takes it. `posting_id`: what
    was booked when it arrived, `return_posting_id`: when it went back. `why`: in whose words.
    """

    company_id: str
    id: str
    settlement_id: str
    number: int
    reference: str
    amount: Money
    status: PayoutStatus
    begun_at: datetime
    ended_at: datetime | None = None
    posting_id: str = ""
    return_posting_id: str = ""
    why: str = ""

    def end(self, at: datetime, *, returned_by: str, why: str) -> "PayoutTry":
        """`returned_by`: the posting of its return; "" where it never was at the bank."""
        status = PayoutStatus.RETURNED if returned_by else PayoutStatus.FAILED
        return replace(
            self,
            status=status,
            ended_at=at,
            return_posting_id=returned_by,
            why=why[:_LONGEST_WORDS],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One movement at a provider account. `kind`: of its posting; `amount`: positive came in.

    `settlement_id` is None while it waits for a settlement.
    """

    posting_id: str
    leg: int
    settlement_id: str | None
    payment_id: str
    kind: str
    at: datetime
    amount: Money

    @property
    def part(self) -> SettlementPart:
        return part_of(self.kind)


def check_reference(reference: str) -> str:
    """Raises: InvalidRequest unless it can be a provider's name of a payout."""
    if not reference or not reference.isprintable() or len(reference) > _LONGEST_REFERENCE:
        raise InvalidRequest(
            f"a payout reference is 1 to {_LONGEST_REFERENCE} printable characters: what the"
            " provider calls the payout"
        )
    return reference


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentShare:
    """A payment's part of one settlement, and of the payout that brought it."""

    payment_id: str
    settlement: Settlement
    lines: tuple[Line, ...]

    def _sum(self, *parts: SettlementPart) -> Money:
        fitting = (line.amount.minor for line in self.lines if not parts or line.part in parts)
        return Money(sum(fitting), self.settlement.currency)

    @property
    def captured(self) -> Money:
        """What it brought, before refunds, disputes and fees."""
        return self._sum(SettlementPart.PAYMENTS)

    @property
    def service_charge(self) -> Money:
        """What the provider kept for its work."""
        return -self._sum(SettlementPart.FEES)

    @property
    def amount(self) -> Money:
        """What it comes to within the payout."""
        return self._sum()

    @property
    def transfer_reference(self) -> str:
        return self.settlement.payout_reference

    @property
    def transferred_at(self) -> datetime | None:
        """When the payout was at the bank; None before, and after it bounced."""
        return self.settlement.paid_at
