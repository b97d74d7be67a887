"""The settlement report of a day, put together from the payouts that Stripe made on it.

Stripe lists what each automatic payout is made of, and writes the same as the itemized payout
reconciliation, which can only be had from its Dashboard or after a wait. The file has that
report's columns, so that one reader reads both. A movement, or a whole payout, that cannot be
understood is a line that says so; the others are as they are.
Source: https://docs.stripe.com/payouts/reconciliation and
https://docs.stripe.com/reports/report-types/payout-reconciliation
"""

import csv
import io
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import stripe

from kassa.connectors.base import InDoubt, NotSent, Report, Unknown
from kassa.connectors.reports.fetched import SAID, TROUBLE, Odd
from kassa.connectors.stripe.objects import KEY, ORDER, Garbled, Thing
from kassa.connectors.stripe.transport import StripeRefusal, ask

_PAGE_SIZE = 50  # with what each movement came from inside, a page stays well below a megabyte
_MOST_PAGES = 2000
_TOLD = frozenset(
    "id object status amount currency fee net type created reporting_category exchange_rate"
    " reconciliation_status".split()
)
"""What is kept of an object that cannot be understood: nothing of a payer's."""
_BOOKED = frozenset({"available", "pending", ""})
_MADE = frozenset({"pending", "in_transit", "paid", "failed", "canceled"})

COLUMNS = (
    "automatic_payout_id",
    "payout_id",
    "balance_transaction_id",
    "created_utc",
    "reporting_category",
    "currency",
    "gross",
    "fee",
    "net",
    "source_id",
    "customer_facing_amount",
    "customer_facing_currency",
    "exchange_rate",
    "charge_id",
    "payment_intent_id",
    "refund_id",
    "dispute_id",
    f"payment_metadata[{KEY}]",
    f"refund_metadata[{KEY}]",
    f"payment_metadata[{ORDER}]",
    TROUBLE,
    SAID,
)

_Page = Callable[[str], Awaitable[stripe.StripeObject]]
_Failure = NotSent | InDoubt


async def payouts_of(
    client: stripe.StripeClient, day: date
) -> Report | NotSent | InDoubt | Unknown:
    """The report of everything that was paid out on `day`, which is one of UTC."""
    try:
        payouts = await _all(lambda after: client.v1.payouts.list_async(_on(day, after)))
    except Garbled as error:
        return InDoubt(reason=f"Stripe's payouts cannot be read: {error}")
    if not isinstance(payouts, list):
        return payouts
    if not payouts:
        return Unknown(reason="Stripe made no payout on that day")
    rows: list[Mapping[str, str]] = []
    unfinished: Unknown | None = None
    for payout in payouts:
        try:
            entries = await _entries(client, payout)
        except Garbled as error:
            rows.append(_odd(payout, payout, str(error)))
            continue
        if isinstance(entries, list):
            rows.extend(_readable(entry, payout) for entry in entries)
        elif isinstance(entries, Unknown):
            unfinished = entries
            rows.append(_odd(payout, payout, f"{entries.reason}: fetch the report again later"))
        else:
            return entries
    if unfinished is not None and all(row.get(TROUBLE) for row in rows):
        return unfinished
    return Report(format="stripe", name=f"stripe-{day:%Y-%m-%d}.csv", content=_written(rows))


async def _entries(client: stripe.StripeClient, payout: Thing) -> list[Thing] | _Failure | Unknown:
    """What a payout is made of; one that was made by hand is made of nothing but itself.

    Raises: Garbled.
    """
    name = payout.word("id")
    if payout.word("status") not in _MADE:
        raise Garbled("a payout has a status that we do not know")
    state = payout.word("reconciliation_status")
    if state == "in_progress":
        return Unknown(reason="Stripe has not finished a payout of that day")
    if state not in ("completed", "not_applicable"):
        raise Garbled("a payout does not say whether it can be taken apart")
    if state == "completed":
        return await _all(lambda after: client.v1.balance_transactions.list_async(_in(name, after)))
    return await _own(client, payout)


def _readable(entry: Thing, payout: Thing) -> Mapping[str, str]:
    try:
        return _row(entry, payout)
    except Garbled as error:
        return _odd(entry, payout, str(error))


def _odd(thing: Thing, payout: Thing, reason: str) -> Mapping[str, str]:
    """A line that is put aside: of an object that cannot be understood."""
    names = {
        column: value
        for column, value in (
            ("payout_id", payout.fields.get("id")),
            ("balance_transaction_id", _entry_id(thing)),
            ("reporting_category", thing.fields.get("reporting_category")),
        )
        if isinstance(value, str)
    }
    told = {name: value for name, value in thing.fields.items() if name in _TOLD}
    return names | Odd(reason, told).cells()


def _entry_id(thing: Thing) -> object:
    return thing.fields.get("id") if thing.fields.get("object") != "payout" else ""


async def _own(client: stripe.StripeClient, payout: Thing) -> list[Thing] | _Failure | Unknown:
    entry = payout.id_of("balance_transaction")
    if not entry:
        return Unknown(reason="Stripe has not booked a payout of that day")
    said = await ask(client.v1.balance_transactions.retrieve_async(entry))
    match said:
        case Thing():
            return [said]
        case StripeRefusal():
            return InDoubt(reason=said.reason)
        case _:
            return said


def _on(day: date, after: str) -> Any:
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    created = {"gte": int(start.timestamp()), "lt": int(end.timestamp())}
    return _after({"created": created, "limit": _PAGE_SIZE}, after)


def _in(payout: str, after: str) -> Any:
    return _after({"payout": payout, "limit": _PAGE_SIZE, "expand": ["data.source"]}, after)


def _after(parameters: dict[str, Any], after: str) -> dict[str, Any]:
    return {**parameters, "starting_after": after} if after else parameters


async def _all(page: _Page) -> list[Thing] | _Failure:
    """Every object of a list, over all its pages. Raises: Garbled."""
    things: list[Thing] = []
    for _ in range(_MOST_PAGES):
        said = await ask(page(things[-1].word("id") if things else ""))
        match said:
            case Thing():
                found = said.things("data")
                things.extend(found)
                if not said.flag("has_more") or not found:
                    return things
            case StripeRefusal():
                return InDoubt(reason=said.reason)
            case _:
                return said
    return InDoubt(reason="Stripe's list has no end")


def _row(entry: Thing, payout: Thing) -> Mapping[str, str]:
    """One movement. Raises: Garbled."""
    if entry.word("status") not in _BOOKED:
        raise Garbled("a movement has a status that we do not know")
    source = entry.thing("source")
    kind = "" if source is None else source.word("object")
    name = payout.word("id")
    automatic = payout.word("reconciliation_status") == "completed"
    gross, fee, net = entry.money("amount"), entry.money("fee"), entry.money("net")
    created = entry.moment("created")
    row = {
        "automatic_payout_id": name if automatic else "",
        "payout_id": name,
        "balance_transaction_id": entry.word("id"),
        "created_utc": "" if created is None else f"{created:%Y-%m-%d %H:%M:%S}",
        "reporting_category": entry.word("reporting_category"),
        "currency": entry.word("currency"),
        "gross": f"{gross.major:f}",
        "fee": f"{fee.major:f}",
        "net": f"{net.major:f}",
        "source_id": entry.id_of("source"),
    }
    if source is not None and kind in ("charge", "refund", "dispute"):
        notes = "refund" if kind == "refund" else "payment"
        row |= {
            f"{kind}_id": source.word("id"),
            "charge_id": source.word("id") if kind == "charge" else source.id_of("charge"),
            "payment_intent_id": source.id_of("payment_intent"),
            f"{notes}_metadata[{KEY}]": source.noted(KEY),
        }
        paid_in, is_all = source.word("currency"), entry.word("reporting_category") == kind
        if is_all and kind != "dispute" and paid_in not in ("", entry.word("currency")):
            row |= {
                "customer_facing_amount": f"{source.money('amount').major:f}",
                "customer_facing_currency": paid_in,
                "exchange_rate": str(entry.fields.get("exchange_rate") or ""),
            }
        if kind == "charge":
            row[f"payment_metadata[{ORDER}]"] = source.noted(ORDER)
    return row


def _written(rows: list[Mapping[str, str]]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode()
