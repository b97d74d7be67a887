"""The account itself, its charges, its balance and its payouts."""

from typing import Any

from kassa_simulator.odd_rows import Names, kept, spoiled
from kassa_simulator.stripe import balance, checkout, intents
from kassa_simulator.stripe.asked import NAME, Asked
from kassa_simulator.stripe.errors import no_such
from kassa_simulator.stripe.forms import check_known, text_of
from kassa_simulator.stripe.rendering import charge_json

_ODD = Names("reporting_category", "amount", "currency", "description")
_LISTING = ("limit", "starting_after", "ending_before", "expand", "created")


def retrieve(asked: Asked) -> dict[str, Any]:
    name = asked.merchant.name
    return {
        "id": asked.books.new_id("acct_", name)[:21],
        "object": "account",
        "business_profile": {"name": name, "url": None},
        "business_type": "company",
        "capabilities": {"card_payments": "active", "transfers": "active"},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": name, "timezone": "Etc/UTC"}},
        "type": "standard",
    }


def charge(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    kept = asked.books.get(NAME, "charge", name)
    if kept is None or kept["merchant"] != asked.merchant.name:
        raise no_such("charge", name)
    return charge_json(asked.books, intents.find(asked, kept["intent"]), kept)


def charges(asked: Asked) -> list[dict[str, Any]]:
    check_known(asked.params, (*_LISTING, "payment_intent", "customer"))
    wanted = text_of(asked.params, "payment_intent", "")
    by_id = {each.id: each for each in intents.every(asked) if wanted in ("", each.id)}
    return [
        charge_json(asked.books, by_id[kept["intent"]], kept)
        for kept in reversed(asked.books.listed(NAME, "charge"))
        if kept["intent"] in by_id
    ]


def line_items(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("limit", "starting_after", "ending_before", "expand"))
    kept = checkout.find(asked, name)
    currency = kept["shown"]["currency"]
    items = [
        {
            "id": asked.books.new_id("li_", name, str(place)),
            "object": "item",
            "amount_subtotal": line["quantity"] * line["unit_amount"],
            "amount_total": line["quantity"] * line["unit_amount"],
            "currency": currency,
            "description": line["name"],
            "quantity": line["quantity"],
        }
        for place, line in enumerate(kept["lines"])
    ]
    url = f"/v1/checkout/sessions/{name}/line_items"
    return {"object": "list", "data": items, "has_more": False, "url": url}


def payouts(asked: Asked) -> list[dict[str, Any]]:
    """Newest first."""
    check_known(asked.params, (*_LISTING, "arrival_date", "status", "destination"))
    balance.pay_out(asked)
    return [
        kept["shown"]
        for kept in reversed(asked.books.listed(NAME, "payout"))
        if kept["merchant"] == asked.merchant.name
    ]


def payout(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    balance.pay_out(asked)
    kept = asked.books.get(NAME, "payout", name)
    if kept is None or kept["merchant"] != asked.merchant.name:
        raise no_such("payout", name)
    return dict(kept["shown"])


def transactions(asked: Asked) -> list[dict[str, Any]]:
    check_known(asked.params, (*_LISTING, "payout", "type", "source", "currency"))
    balance.pay_out(asked)
    found = balance.transactions(asked, text_of(asked.params, "payout", ""))
    wanted = {
        name: asked.params[name] for name in ("type", "source", "currency") if name in asked.params
    }
    chosen = [each for each in found if all(each[name] == value for name, value in wanted.items())]
    if "payout" not in asked.params:
        return chosen
    odd = kept(asked.books, NAME, asked.merchant.name)
    rows = spoiled(asked.books, chosen, _ODD, odd)
    # Also a cut one has its place in a page, and can be unfolded.
    return [
        {"id": each["id"], "created": each["created"], "source": None, **row}
        for each, row in zip(chosen, rows, strict=True)
    ]


def transaction(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    found = balance.transaction(asked.books, asked.merchant, name, asked.now)
    if found is None:
        raise no_such("balance_transaction", name)
    return dict(found)
