"""Balance transactions, their fees, and the payout of each day.

Source: https://docs.stripe.com/api/balance_transactions, https://docs.stripe.com/api/payouts
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from kassa_simulator.frame import Books, Charge, Merchant
from kassa_simulator.payouts import Payout, keep_returned, returned_at
from kassa_simulator.stripe.asked import NAME, Asked, seconds, tell
from kassa_simulator.stripe.cards import decimals

DISPUTE_FEE = 1500
PAYOUT_BACK = "payout_reversal"
_AVAILABLE_AFTER = timedelta(days=2)
_PER_MILLE, _FIXED = 29, 30
_RATE = "0.92"
"""Of each currency in another one."""


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
    days: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for kept in asked.books.listed(NAME, "txn"):
        if kept["merchant"] != asked.merchant.name or kept["payout"]:
            continue
        day = datetime.fromtimestamp(kept["shown"]["created"], UTC).date()
        if day < today:
            entry = _settled(asked.books, kept)
            shown = entry["shown"]
            alone = shown["source"] if shown["reporting_category"] == PAYOUT_BACK else ""
            days[day.isoformat(), shown["currency"], alone].append(entry)
    for (over, currency, _), entries in sorted(days.items()):
        _make(asked, over, currency, entries)


def _settled(books: Books, kept: dict[str, Any]) -> dict[str, Any]:
    """What it comes to in the currency that its charge is settled in."""
    shown = kept["shown"]
    charge = _charge_of(books, str(shown["source"]))
    settled = charge.data.get("settled", "") if charge else ""
    if not settled or shown["currency"] != (charge.currency.lower() if charge else ""):
        return kept
    digits = decimals(settled) - decimals(shown["currency"].upper())
    rate = Decimal(_RATE).scaleb(digits)
    amount, fee = (int((shown[name] * rate).to_integral_value()) for name in ("amount", "fee"))
    changed = {
        **shown,
        "amount": amount,
        "fee": fee,
        "net": amount - fee,
        "currency": settled.lower(),
        "exchange_rate": float(_RATE),
    }
    return {**kept, "shown": changed}


def _charge_of(books: Books, source: str) -> Charge | None:
    match source.partition("_")[0]:
        case "ch":
            found = (books.get(NAME, "charge", source) or {}).get("intent", "")
        case "re":
            change = books.change(NAME, source)
            found = change.charge_id if change else ""
        case "du":
            found = (books.get(NAME, "dispute", source) or {}).get("shown", {})["payment_intent"]
        case _:
            found = ""
    return books.charge(NAME, found) if found else None


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


def payouts(books: Books, merchant: str) -> list[Payout]:
    """Those that have been made, the oldest first."""
    return [
        Payout(
            reference=shown["id"],
            currency=shown["currency"].upper(),
            amount_minor=shown["amount"],
            at=datetime.fromtimestamp(shown["arrival_date"], UTC),
            returned_at=returned_at(books, NAME, shown["id"]),
        )
        for kept in books.listed(NAME, "payout")
        if kept["merchant"] == merchant
        for shown in (kept["shown"],)
    ]


def send_back(books: Books, merchant: Merchant, name: str, now: datetime) -> bool:
    """The bank returns a payout: its money is on the balance again, and is paid out alone."""
    kept = books.get(NAME, "payout", name)
    if kept is None or kept["merchant"] != merchant.name or kept["shown"]["status"] != "paid":
        return False
    amount, currency = kept["shown"]["amount"], kept["shown"]["currency"].upper()
    entry = enter(books, merchant.name, name, PAYOUT_BACK, amount, currency, fee=0, at=now)
    failure = {
        "status": "failed",
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed",
        "failure_balance_transaction": entry,
    }
    payout = {**kept["shown"], **failure}
    books.put(NAME, "payout", name, {**kept, "shown": payout})
    keep_returned(books, NAME, name, now)
    tell(books, merchant, "payout.failed", name, payout)
    return True


def entry_of(books: Books, source: str, category: str) -> dict[str, Any] | None:
    """What `source` came to, as it is told."""
    kept = books.get(NAME, "txn", transaction_id(books, source, category))
    return None if kept is None else dict(kept["shown"])


def payout_of(books: Books, source: str, category: str) -> str:
    """The payout that holds what `source` came to, "" before there is one."""
    kept = books.get(NAME, "txn", transaction_id(books, source, category))
    return "" if kept is None else str(kept["payout"])
