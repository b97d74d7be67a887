"""Stripe's itemized payout reconciliation report (and the like-named ending balance report).

Amounts are decimal major units with their sign; gross less fee must be net. `fee` is negative where
Stripe gives a fee back. Our reference is the first of the metadata columns of REFERENCES that has
something in it: the operation's own before the payment's, our attempt before the order. Stripe's
reference is the refund or dispute for those, else the payment intent, which is what a connector is
told when it charges, else the charge, else whatever object the movement came from. Whatever else
may name the movement is in the line's texts.

Several categories change what a payment or refund came to, and are lines of that kind with the
opposite sign: the part of an authorization that was not captured, a charge or refund that
failed after it was booked. What a category means is in CATEGORIES; others are put aside.
"""

from collections.abc import Mapping
from typing import BinaryIO

from kassa.base.domain.errors import InvalidRequest
from kassa.base.domain.money import Money
from kassa.connectors.reports.declaration import Declaration, Lines
from kassa.connectors.reports.fetched import TROUBLE
from kassa.connectors.reports.table import ReportRows, ReportTable
from kassa.connectors.reports.words import (
    amounts_with,
    check_direction,
    check_net,
    moment_of,
    presented_of,
    shown,
    zone_of,
)
from kassa.reconciliation.domain.reports import LineKind, ReportLine, Unreadable

_EXPECTED = "Stripe's itemized payout reconciliation"
_NEEDED = ("balance_transaction_id", "reporting_category", "currency", "gross", "fee", "net")

CATEGORIES: Mapping[str, tuple[LineKind, int]] = {
    "charge": (LineKind.PAYMENT, 1),
    "charge_failure": (LineKind.DISPUTE, -1),  # the bank took it back
    "partial_capture_reversal": (LineKind.PAYMENT, -1),
    "refund": (LineKind.REFUND, -1),
    "refund_failure": (LineKind.REFUND_REVERSAL, 1),  # it came back
    "dispute": (LineKind.DISPUTE, -1),
    "dispute_reversal": (LineKind.DISPUTE_REVERSAL, 1),
    "fee": (LineKind.FEE, 0),
    "network_cost": (LineKind.FEE, 0),
    "tax": (LineKind.FEE, 0),
    "payout": (LineKind.PAYOUT, 0),  # a balance below zero is collected from the bank account
    "payout_reversal": (LineKind.PAYOUT, 0),
    "other_adjustment": (LineKind.ADJUSTMENT, 0),
    "connect_reserved_funds": (LineKind.ADJUSTMENT, 0),
    "risk_reserved_funds": (LineKind.ADJUSTMENT, 0),
    "topup": (LineKind.ADJUSTMENT, 0),
    "topup_reversal": (LineKind.ADJUSTMENT, 0),
    "transfer": (LineKind.ADJUSTMENT, 0),
    "transfer_reversal": (LineKind.ADJUSTMENT, 0),
}
"""Each reporting category: what it is, and the sign that its money must have (0: either)."""

_OF_REFUNDS = (
    "refund_metadata[kassa_key]",
    "refund_metadata[kassa_attempt]",
    "refund_metadata[refund_id]",
)
REFERENCES = (
    "payment_metadata[kassa_key]",
    "payment_metadata[kassa_attempt]",
    "payment_metadata[order_id]",
)
_PAYMENT_IDS = ("payment_intent_id", "charge_id", "source_id", "balance_transaction_id")
_THEIR_IDS = {
    LineKind.PAYMENT: _PAYMENT_IDS,
    LineKind.REFUND: ("refund_id", "source_id", "balance_transaction_id"),
    LineKind.DISPUTE: ("dispute_id", "source_id", "balance_transaction_id"),
    LineKind.DISPUTE_REVERSAL: ("dispute_id", "source_id", "balance_transaction_id"),
}
_OTHER_IDS = ("source_id", "balance_transaction_id")
_PAYOUT_IDS = ("automatic_payout_id", "payout_id")
# Those that end in _utc are; the others are in the zone that the report was asked for in.
_TIMES_UTC = ("created_utc",)
_TIMES = ("created",)
_PRESENTED = ("customer_facing_amount", "customer_facing_currency")
"""What the payer paid: it is another currency where Stripe settles in one of its own choice."""
_MOST_WRONG = 10


def read_stripe(file: BinaryIO, declaration: Declaration) -> Lines:
    """Raises: NotThatFormat, before any line."""
    amount_of = amounts_with(declaration.decimal)
    zones = (zone_of("UTC"), zone_of(declaration.time_zone))
    rows = ReportRows(file, encoding=declaration.encoding, delimiter=declaration.delimiter)
    table = ReportTable(rows, expected=_EXPECTED)
    _, category_at, currency_at, gross_at, fee_at, net_at = table.places(_NEEDED)
    ours = {
        kind: _present(
            table, (*_OF_REFUNDS, *REFERENCES) if kind is LineKind.REFUND else REFERENCES
        )
        for kind in LineKind
    }
    theirs = {kind: _present(table, _THEIR_IDS.get(kind, _OTHER_IDS)) for kind in LineKind}
    payouts = _present(table, _PAYOUT_IDS)
    times = _present(table, _TIMES_UTC), _present(table, _TIMES)
    names = _present(table, (*_OF_REFUNDS, *REFERENCES, *_PAYMENT_IDS, "refund_id", "dispute_id"))
    paid = tuple(_present(table, (name,)) for name in _PRESENTED)
    troubles = _present(table, (TROUBLE,))

    def line(number: int, row: list[str], raw: Mapping[str, str]) -> ReportLine:
        if trouble := _first(row, troubles):
            raise InvalidRequest(trouble)
        category = row[category_at].strip()
        known = CATEGORIES.get(category)
        if known is None:
            raise InvalidRequest(f"unknown reporting_category {shown(category, 60)!r}")
        kind, direction = known
        currency = row[currency_at].strip().upper()
        amount = amount_of(row[gross_at].strip(), currency)
        fee = amount_of(row[fee_at].strip(), currency)
        check_direction(direction, amount, category)
        check_net(amount, fee, amount_of(row[net_at].strip(), currency))
        reference = _first(row, theirs[kind])
        texts = dict.fromkeys(cell for place in names if (cell := row[place].strip()))
        payout = _first(row, payouts)
        return ReportLine(
            number=number,
            kind=kind,
            amount=amount,
            fee=fee,
            our_reference=_first(row, ours[kind]),
            provider_reference=reference,
            payout_reference=payout or (reference if kind is LineKind.PAYOUT else ""),
            texts=tuple(texts),
            presented=presented_of(_first(row, paid[0]), _first(row, paid[1]), amount, amount_of),
            occurred_at=moment_of(_first(row, times[0]), zones[0])
            or moment_of(_first(row, times[1]), zones[1]),
            raw=dict(raw),
        )

    is_money = table.header[-1] in ("gross", "fee", "net")
    automatic = table.place("automatic_payout_id")
    return _checked(
        table.lines(line, last_may_be_cut=not is_money),
        "" if automatic is None else "automatic_payout_id",
    )


class _Payout:
    """Sums of one automatic payout, in minor units; None where no line tells of them."""

    __slots__ = ("made_of", "paid")

    def __init__(self) -> None:
        self.made_of: int | None = None
        self.paid: int | None = None


def _checked(lines: Lines, automatic: str) -> Lines:
    """The lines, and then which payouts are not what their lines come to.

    Only of those that are in the file with what they are made of: Stripe's own file leaves the
    payouts themselves out.
    """
    payouts: dict[tuple[str, str], _Payout] = {}
    unreadable = 0
    for line in lines:
        yield line
        if isinstance(line, Unreadable):
            unreadable += 1
        elif automatic and (name := line.raw[automatic].strip()):
            payout = payouts.setdefault((name, line.amount.currency), _Payout())
            net = line.amount.minor - line.fee.minor
            if line.kind is LineKind.PAYOUT:
                payout.paid = (payout.paid or 0) - net
            else:
                payout.made_of = (payout.made_of or 0) + net
    wrong = [
        f"payout {name} is {Money(payout.paid, currency)}, and its lines come to"
        f" {Money(payout.made_of, currency)}"
        for (name, currency), payout in payouts.items()
        if payout.paid is not None and payout.made_of is not None
        if payout.paid != payout.made_of
    ]
    if wrong:
        more = [f"and {len(wrong) - _MOST_WRONG} more"] if len(wrong) > _MOST_WRONG else []
        aside = [f"{unreadable} unreadable lines are not counted"] if unreadable else []
        yield Unreadable(number=0, reason="; ".join((*wrong[:_MOST_WRONG], *more, *aside)))


def _present(table: ReportTable, names: tuple[str, ...]) -> tuple[int, ...]:
    places = (table.place(name) for name in names)
    return tuple(place for place in places if place is not None)


def _first(row: list[str], places: tuple[int, ...]) -> str:
    for place in places:
        if cell := row[place].strip():
            return cell
    return ""
