"""What the machine believes of money, in plain integers: written without the gateway's own code."""

from dataclasses import dataclass, field

NOT_TAKEN = frozenset({"created", "requires_action", "processing", "canceled", "failed", "expired"})
OVER = frozenset({"canceled", "failed", "expired"})


@dataclass
class Charge:
    """One try to collect. `state`: open, done, refused or left (the payer walked away).

    `late`: what it brought, money or a reservation, nobody owed.
    """

    id: str
    way: str  # card, wallet or cash
    user: str = ""
    state: str = "open"
    late: bool = False


@dataclass
class Change:
    """A capture, void or refund. `state`: open, done or failed."""

    id: str
    kind: str
    amount: int
    charge: str
    last: bool = True
    surplus: bool = False
    state: str = "open"


@dataclass
class Purse:
    """A wallet user's money."""

    balance: int = 0
    spent: int = 0


@dataclass
class Paying:
    """One payment of one order. `retry`: whether another try may follow a refusal.

    `overdue`: the order's time is over; `lapsed`: that of what is reserved.
    """

    id: str
    order_id: str
    amount: int
    manual: bool
    retry: bool = True
    status: str = "created"
    order: str = "active"
    overdue: bool = False
    lapsed: bool = False
    surplus: bool = False
    authorized: int = 0
    captured: int = 0
    released: int = 0
    charges: dict[str, Charge] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    disputed: dict[str, int] = field(default_factory=dict)

    @property
    def holder(self) -> Charge | None:
        """The charge whose money, or reservation, this is."""
        return next((c for c in self.charges.values() if c.state == "done" and not c.late), None)

    @property
    def held(self) -> int:
        return self.authorized - self.captured - self.released

    def total(self, kind: str, state: str, *, surplus: bool = False) -> int:
        return sum(
            change.amount
            for change in self.changes.values()
            if (change.kind, change.state, change.surplus) == (kind, state, surplus)
        )

    @property
    def refundable(self) -> int:
        if self.surplus or self.status != "captured":
            return 0
        gone = self.total("refund", "done") + self.total("refund", "open")
        return max(0, self.captured - gone - sum(self.disputed.values()))

    @property
    def claiming(self) -> bool:
        """Whether a capture or void is on its way."""
        return any(
            change.kind != "refund" and change.state == "open" and not change.surplus
            for change in self.changes.values()
        )

    @property
    def surplus_taken(self) -> int:
        """Money that nobody owed; a late reservation takes none."""
        late = [c for c in self.charges.values() if c.state == "done" and c.late]
        return 0 if self.manual else self.amount * len(late)

    @property
    def in_doubt(self) -> bool:
        return any(charge.state == "open" for charge in self.charges.values())

    @property
    def can_be_paid(self) -> bool:
        """Whether a payer may choose how to pay it now, as far as we know."""
        choosing = self.status in ("created", "requires_action") or (
            self.status == "failed" and self.retry
        )
        return choosing and self.order == "active" and not self.overdue

    @property
    def can_be_claimed(self) -> bool:
        return self.holder is not None and self.held > 0 and not self.claiming

    @property
    def can_be_captured(self) -> bool:
        return self.can_be_claimed and not self.lapsed

    def figures(self) -> dict[str, int]:
        """The counters that the payment's row should show."""
        gone = self.total("refund", "done") + self.total("refund", "open")
        disputed = sum(self.disputed.values())
        return {
            "authorized_minor": self.authorized,
            "captured_minor": self.captured,
            "released_minor": self.released,
            "refunded_minor": self.total("refund", "done"),
            "refund_reserved_minor": self.total("refund", "open"),
            "surplus_minor": self.surplus_taken,
            "surplus_returned_minor": self.total("refund", "done", surplus=True),
            "surplus_reserved_minor": self.total("refund", "open", surplus=True),
            "disputed_minor": disputed,
            "double_paid_minor": max(0, gone + disputed - self.captured) if disputed else 0,
        }


class Model:
    """All payments and purses of one company, and what moves them."""

    def __init__(self) -> None:
        self.payments: dict[str, Paying] = {}
        self.purses: dict[str, Purse] = {}

    def took(self, paying: Paying, charge: Charge) -> None:
        """The charge turned out to have brought money, or a reservation."""
        taken = paying.status not in NOT_TAKEN
        owed = not taken and paying.status not in OVER and paying.order == "active"
        charge.state, charge.late = "done", not owed
        if charge.way == "wallet":
            purse = self.purses[charge.user]
            purse.balance -= paying.amount
            purse.spent += paying.amount
        if paying.manual:
            if owed:
                paying.status, paying.authorized = "authorized", paying.amount
            return
        if not taken:
            paying.status, paying.surplus = "captured", not owed
            paying.authorized = paying.captured = paying.amount
        if owed:
            paying.order = "paid"

    def refused(self, paying: Paying, charge: Charge) -> None:
        charge.state = "refused"
        if paying.status in ("processing", "requires_action"):
            paying.status = "failed"

    def done(self, paying: Paying, change: Change) -> None:
        """A capture, void or refund turned out to be done."""
        change.state = "done"
        if change.kind == "refund":
            self._to_purse(paying, change, change.amount)
        elif change.surplus:
            return
        elif change.kind == "capture":
            paying.captured += change.amount
            paying.status, paying.order = "captured", "paid"
            if change.last:
                self._let_go(paying, change)
        else:
            self._let_go(paying, change)
            if paying.status != "captured":
                self.ended(paying, "canceled")

    def lapsed(self, paying: Paying) -> None:
        """What was reserved at the provider is over."""
        paying.released += paying.held
        if paying.status == "authorized":
            self.ended(paying, "expired")

    def ended(self, paying: Paying, status: str) -> None:
        """It was canceled, or nobody paid in time."""
        if paying.status in ("created", "requires_action", "authorized"):
            paying.status = status
        if paying.order == "active":
            paying.order = status

    def _let_go(self, paying: Paying, change: Change) -> None:
        self._to_purse(paying, change, paying.held)
        paying.released += paying.held

    def _to_purse(self, paying: Paying, change: Change, amount: int) -> None:
        charge = paying.charges[change.charge]
        if charge.way == "wallet":
            self.purses[charge.user].balance += amount
