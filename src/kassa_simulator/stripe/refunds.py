"""Refunds. Source: https://docs.stripe.com/api/refunds"""

from dataclasses import replace
from typing import Any

from kassa_simulator.frame import Change, Charge
from kassa_simulator.stripe import intents
from kassa_simulator.stripe.asked import NAME, Asked, numbered, reference_in
from kassa_simulator.stripe.balance import enter
from kassa_simulator.stripe.errors import StripeError, missing, no_such
from kassa_simulator.stripe.forms import amount_of, check_known, metadata_of, text_of
from kassa_simulator.stripe.rendering import charge_of, refund_json

_CREATING = "amount charge payment_intent reason metadata instructions_email expand".split()
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")


def create(asked: Asked) -> dict[str, Any]:
    params = asked.params
    check_known(params, _CREATING)
    charge = _charge_of(asked)
    reason = text_of(params, "reason", "") or None
    if reason is not None and reason not in _REASONS:
        raise StripeError(f"Invalid reason: must be one of {', '.join(_REASONS)}", param="reason")
    left = charge.captured_minor - charge.refunded_minor
    amount = amount_of(params, "amount", left) if left or "amount" in params else 0
    _check(charge, amount, left)
    metadata = metadata_of(params)
    key = reference_in(metadata, asked.call.headers.get("idempotency-key", ""))
    nth = numbered(asked.books, "refunds", charge.id)
    name = asked.books.new_id("re_", charge.id, key, nth)
    entry = enter(
        asked.books, charge.merchant, name, "refund", -amount, charge.currency, fee=0, at=asked.now
    )
    change = Change(
        provider=NAME,
        merchant=charge.merchant,
        id=name,
        key=key,
        charge_id=charge.id,
        kind="refund",
        amount_minor=amount,
        status="done",
        created_at=asked.now,
        data={"reason": reason, "metadata": metadata, "balance_transaction": entry},
    )
    asked.books.add_change(change)
    charge = replace(charge, refunded_minor=charge.refunded_minor + amount, updated_at=asked.now)
    asked.books.save_charge(charge)
    asked.books.move(charge, "refund", amount, at=asked.now)
    shown = refund_json(charge, change)
    asked.tell("refund.created", charge.id, shown)
    asked.tell("charge.refunded", charge.id, charge_of(asked.books, charge) or {})
    return shown


def _charge_of(asked: Asked) -> Charge:
    if name := text_of(asked.params, "payment_intent", ""):
        return intents.find(asked, name, param="payment_intent")
    name = text_of(asked.params, "charge", "")
    if not name:
        raise missing("charge")
    kept = asked.books.get(NAME, "charge", name)
    if kept is None or kept["merchant"] != asked.merchant.name:
        raise no_such("charge", name, param="charge")
    return intents.find(asked, kept["intent"])


def _check(charge: Charge, amount: int, left: int) -> None:
    if charge.data["status"] != "succeeded":
        raise StripeError(
            f"This PaymentIntent ({charge.id}) does not have a successful charge to refund.",
            param="payment_intent",
            kept=True,
        )
    latest = charge.data["latest_charge"]
    if charge.data["dispute"] and not charge.data.get("dispute_won"):
        raise StripeError(
            f"Charge {latest} has been charged back; cannot issue a refund.",
            code="charge_disputed",
            kept=True,
        )
    if left == 0:
        raise StripeError(
            f"Charge {latest} has already been refunded.",
            code="charge_already_refunded",
            kept=True,
        )
    if amount > left:
        raise StripeError(
            f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})",
            param="amount",
            kept=True,
        )


def _found(asked: Asked, name: str) -> tuple[Charge, Change]:
    change = asked.books.change(NAME, name)
    if change is None or change.merchant != asked.merchant.name or change.kind != "refund":
        raise no_such("refund", name)
    charge = asked.books.charge(NAME, change.charge_id)
    if charge is None:
        raise no_such("refund", name)
    return charge, change


def retrieve(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("expand",))
    return refund_json(*_found(asked, name))


def update(asked: Asked, name: str) -> dict[str, Any]:
    check_known(asked.params, ("metadata", "expand"))
    charge, change = _found(asked, name)
    metadata = {**change.data["metadata"], **metadata_of(asked.params)}
    change = replace(change, data={**change.data, "metadata": metadata})
    asked.books.save_change(change)
    return refund_json(charge, change)


def list_all(asked: Asked) -> list[dict[str, Any]]:
    check_known(
        asked.params,
        "charge payment_intent created limit starting_after ending_before expand".split(),
    )
    wanted = text_of(asked.params, "payment_intent", "")
    if name := text_of(asked.params, "charge", ""):
        wanted = (asked.books.get(NAME, "charge", name) or {"intent": name})["intent"]
    charges = [each for each in intents.every(asked) if wanted in ("", each.id)]
    found = [
        (change.created_at, refund_json(charge, change))
        for charge in charges
        for change in reversed(asked.books.changes_of(NAME, charge.id))
        if change.kind == "refund"
    ]
    found.sort(key=lambda each: each[0], reverse=True)
    return [shown for _, shown in found]
