"""Balance transactions, their fees, and the payout of each day.

Source: https://docs.stripe.com/api/balance_transactions, https://docs.stripe.com/api/payouts
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

from kassa_simulator.frame import Books, Merchant
from kassa_simulator.stripe.asked import NAME, Asked, seconds, tell

DISPUTE_FEE = 1500
_AVAILABLE_AFTER = timedelta(days=2)
_PER_MILLE, _FIXED = 29, 30


def fee_of(amount: int) -> int:
    """2.9 % and 30 of the smallest unit."""
    return (amount * _PER_MILLE + 500) // 1000 + _FIXED


def transaction_id(books: Books, source: str, category: str, nth: str = "") -> str:
    return books.new_id("txn_", source, category, *([nth] if nth else []))


def enter(
    books: Books,
    merchant: str,
    source: str,
    category: str,
    amount: int,
    currency: str,
    *,
    fee: int,
    at: datetime,
    nth: str = "",
) -> str:
    """Book it on the account's balance; its id. `nth`: tells further ones of a source apart."""
    name = transaction_id(books, source, category, nth)
    kinds = {"dispute": "adjustment", "dispute_reversal": "adjustment"}
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": currency.lower(),
            "description": "Dispute fee" if category == "dispute" else "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    shown = {
        "id": name,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": seconds(at + _AVAILABLE_AFTER),
        "created": seconds(at),
        "currency": currency.lower(),
        "description": None,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": kinds.get(category, category),
    }
    books.put(NAME, "txn", name, {"merchant": merchant, "payout": "", "shown": shown})
    return name


def transaction(books: Books, merchant: Merchant, name: str, now: datetime) -> Any:
    kept = books.get(NAME, "txn", name)
    if kept is None or kept["merchant"] != merchant.name:
        return None
    return _aged(kept["shown"], now)


def transactions(asked: Asked, payout: str = "") -> list[dict[str, Any]]:
    """Of the account, or of one payout, newest first."""
    kept = [
        each
        for each in asked.books.listed(NAME, "txn")
        if each["merchant"] == asked.merchant.name and payout in ("", each["payout"])
    ]
    return [_aged(each["shown"], asked.now) for each in reversed(kept)]


def _aged(shown: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {
        **shown,
        "status": "available" if shown["available_on"] <= seconds(now) else "pending",
    }


def pay_out(asked: Asked) -> None:
    """Make the payouts of the days that are over, one for each currency of a day."""
    today = asked.now.astimezone(UTC).date()
    days: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for kept in asked.books.listed(NAME, "txn"):
        if kept["merchant"] != asked.merchant.name or kept["payout"]:
            continue
        day = datetime.fromtimestamp(kept["shown"]["created"], UTC).date()
        if day < today:
            days[day.isoformat(), kept["shown"]["currency"]].append(kept)
    for (over, currency), entries in sorted(days.items()):
        _make(asked, over, currency, entries)


def _make(asked: Asked, day: str, currency: str, entries: list[dict[str, Any]]) -> None:
    books, merchant = asked.books, asked.merchant
    count = str(len(entries)) + entries[0]["shown"]["id"]
    name = books.new_id("po_", merchant.name, day, currency, count)
    end = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1)
    net = sum(each["shown"]["net"] for each in entries)
    of_payout = enter(books, merchant.name, name, "payout", -net, currency, fee=0, at=end)
    for each in [*entries, books.get(NAME, "txn", of_payout) or {}]:
        books.put(NAME, "txn", each["shown"]["id"], {**each, "payout": name})
    payout = {
        "id": name,
        "object": "payout",
        "amount": net,
        "arrival_date": seconds(end + _AVAILABLE_AFTER),
        "automatic": True,
        "balance_transaction": of_payout,
        "created": seconds(end),
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": None,
        "failure_code": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "completed",
        "source_type": "card",
        "statement_descriptor": None,
        "status": "paid",
        "type": "bank_account",
    }
    books.put(NAME, "payout", name, {"merchant": merchant.name, "shown": payout})
    tell(books, merchant, "payout.paid", name, payout)


def payout_of(books: Books, source: str, category: str) -> str:
    """The payout that holds what `source` came to, "" before there is one."""
    kept = books.get(NAME, "txn", transaction_id(books, source, category))
    return "" if kept is None else str(kept["payout"])
