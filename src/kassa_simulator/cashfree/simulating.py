"""POST /simulate: what a tester does in place of a payer.

Source: https://www.cashfree.com/docs/api-reference/payments/latest/simulation/simulate-payment
"""

from kassa_simulator.cashfree.orders import own_order
from kassa_simulator.cashfree.paying import drop, fail, pay
from kassa_simulator.cashfree.wire import (
    NAME,
    Case,
    body_of,
    invalid,
    not_found,
    object_in,
    refusal,
    reply,
)
from kassa_simulator.frame import Answer

_ACTS = {"SUCCESS": pay, "FAILED": fail, "USER_DROPPED": drop, "PENDING": None}


def create(case: Case) -> Answer:
    fields = body_of(case.call)
    if fields.get("entity") != "PAYMENTS":
        raise invalid("entity", "should be PAYMENTS")
    charge_id = str(fields.get("entity_id") or "")
    charge = case.books.charge(NAME, charge_id)
    if charge is None or charge.merchant != case.merchant.name:
        raise not_found("payment", "payment with this id does not exist")
    wanted = object_in(fields, "entity_simulation")
    status = wanted.get("payment_status")
    if status not in _ACTS:
        raise invalid("payment_status", "is no status that can be simulated")
    own_order(case, charge.data["order_id"])  # it may have ended meanwhile
    charge = case.books.charge(NAME, charge_id) or charge
    if charge.status != "waiting" or not charge.data.get("attempted_at"):
        raise refusal(400, "transaction_status_invalid", "transaction is already over")
    if act := _ACTS[str(status)]:
        act(case.books, charge, now=case.now)
    simulation = {
        "simulation_id": case.books.new_id("sim_", NAME, charge_id, str(status)),
        "entity": "PAYMENTS",
        "entity_id": charge_id,
        "entity_simulation": {
            "payment_status": status,
            "payment_error_code": wanted.get("payment_error_code"),
        },
    }
    owned = {**simulation, "merchant": case.merchant.name}
    case.books.put(NAME, "simulation", str(simulation["simulation_id"]), owned)
    return reply(simulation)


def fetch(case: Case, simulation_id: str) -> Answer:
    kept = case.books.get(NAME, "simulation", simulation_id)
    if kept is None or kept.pop("merchant") != case.merchant.name:
        raise not_found("simulation", "simulation with this id does not exist")
    return reply(kept)
