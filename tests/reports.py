"""Reports for a shop's payments: what a provider would write, and a way to import it."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.shop import Scripted, Shop

from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Payment
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.reconciliation.usecases.reconcile import Outcome, reconcile

CNY = "CNY"


def line(
    kind: LineKind = LineKind.PAYMENT, minor: int = 10_000, fee: int = 0, **said: Any
) -> ReportLine:
    """Numbered when the file is put together."""
    currency = said.pop("currency", CNY)
    return ReportLine(
        number=said.pop("number", 0),
        kind=kind,
        amount=Money(minor, currency),
        fee=Money(fee, currency),
        raw={"type": kind.value, **said.pop("raw", {})},
        **said,
    )


@dataclass
class Reporter:
    """Writes reports of one provider account, and imports them."""

    shop: Shop
    account: str = "scripted"
    provider: Scripted = field(default_factory=Scripted)

    async def paid(self, **changes: Any) -> Payment:
        """A payment of 100.00 CNY, captured at the account; its attempt's id is in `at`."""
        payment = await self.shop.payment(**changes)
        return await self.shop.play(payment, self.provider)

    async def key(self, payment: Payment) -> str:
        """What the provider heard."""
        return str((await self.shop.attempts(payment))[-1]["id"])

    async def line_of(self, payment: Payment, **said: Any) -> ReportLine:
        members: dict[str, Any] = {
            "minor": payment.captured.minor,
            "fee": payment.fee.minor,
            "our_reference": await self.key(payment),
            "occurred_at": datetime.now(UTC),
        }
        return line(**{**members, **said})

    async def send(
        self,
        *lines: ReportLine | Unreadable,
        name: str = "report.csv",
        company: str | None = None,
        account: str | None = None,
        **how: Any,
    ) -> Outcome:
        """Import a file of these lines; the same lines are the same file."""
        items = numbered(lines)
        return await reconcile(
            self.shop.core,
            company or self.shop.company.id,
            account or self.account,
            name,
            iter(items),
            sha_of(items),
            **how,
        )

    async def breaks(self, **how: Any) -> list[str]:
        """ "class cause-or-payment" of each open break."""
        found = await list_breaks(self.shop.core, self.shop.company.id, **how)
        return [one.problem.value for one in found]


def numbered(lines: Iterable[ReportLine | Unreadable]) -> Sequence[ReportLine | Unreadable]:
    """With the numbers of their places."""
    found: list[ReportLine | Unreadable] = []
    for number, one in enumerate(lines, 1):
        members = {name: getattr(one, name) for name in type(one).__slots__}
        found.append(type(one)(**{**members, "number": number}))
    return found


def sha_of(items: Sequence[ReportLine | Unreadable]) -> str:
    return hashlib.sha256(repr(items).encode()).hexdigest()
