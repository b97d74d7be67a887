"""What has been paid out to the merchant, and the events it is made of."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from kassa_simulator.cashfree import letters
from kassa_simulator.cashfree.ledger import lines_of
from kassa_simulator.cashfree.ledger import settlements as paid_out
from kassa_simulator.cashfree.orders import own_order
from kassa_simulator.cashfree.wire import (
    NAME,
    NESTED_RECON_SINCE,
    Case,
    JsonObject,
    body_of,
    cf_id,
    indian,
    invalid,
    money,
    not_found,
    object_in,
    read_time,
    reply,
    seconds,
)
from kassa_simulator.frame import Answer
from kassa_simulator.odd_rows import Names, kept, spoiled

_USUAL_ROWS, _MOST_ROWS = 10, 1000
_ODD = Names("event_type", "event_amount", "event_currency")


def of_order(case: Case, order_id: str) -> Answer:
    """GET /orders/{order_id}/settlements: one object."""
    own_order(case, order_id)
    for settlement in _settlements(case):
        for line in settlement["lines"]:
            if line["order_id"] == order_id and line["event_type"] == "PAYMENT":
                return reply(_settlement_of(case, settlement, line))
    raise not_found("settlement", "settlement is not yet done for this order")


def _settlement_of(case: Case, settlement: JsonObject, line: JsonObject) -> JsonObject:
    currency = line["currency"]
    return {
        "cf_payment_id": cf_id(line["cf_payment_id"], case.version),
        "cf_settlement_id": cf_id(settlement["id"], case.version),
        "settlement_currency": currency,
        "order_id": line["order_id"],
        "entity": "settlement",
        "order_amount": money(line["order_amount"], currency),
        "payment_time": indian(line["payment_time"]),
        "service_charge": money(line["fee"], currency),
        "service_tax": money(line["tax"], currency),
        "settlement_amount": money(line["net"], currency),
        "settlement_id": int(settlement["id"]),
        "transfer_id": int(settlement["transfer"]),
        "transfer_time": indian(settlement["at"]),
        "transfer_utr": settlement["utr"],
    }


def list_all(case: Case) -> Answer:
    """POST /settlements"""
    found = _chosen(case, object_in(body_of(case.call), "filters"))
    return _page(case, [_entity(case, settlement) for settlement in found])


def recon_of_settlements(case: Case) -> Answer:
    """POST /settlement/recon: the events of the settlements asked for."""
    rows: list[JsonObject] = []
    for settlement in _chosen(case, object_in(body_of(case.call), "filters")):
        rows.extend(_event(case, line, settlement) for line in settlement["lines"])
    rows = spoiled(case.books, rows, _ODD, kept(case.books, NAME, case.merchant.name))
    if case.version >= NESTED_RECON_SINCE:
        rows = [_nested(row) for row in rows]
    return _page(case, rows)


def recon(case: Case) -> Answer:
    """POST /recon: all events of a time, settled or not, and the settlements of that time."""
    filters = object_in(body_of(case.call), "filters")
    since, until = _range(filters)
    wanted = filters.get("order_ids") or []
    by_line: dict[str, JsonObject] = {}
    rows: list[tuple[int, JsonObject]] = []
    for settlement in _settlements(case):
        by_line |= {line["event_id"]: settlement for line in settlement["lines"]}
        if not wanted and since <= settlement["at"] <= until:
            rows.append((settlement["at"], _settlement_event(case, settlement)))
    for line in lines_of(case.books, case.merchant.name):
        if since <= line["at"] <= until and (not wanted or line["order_id"] in wanted):
            row = _event(case, line, by_line.get(line["event_id"]))
            rows.append((line["at"], row))
    rows.sort(key=lambda pair: pair[0])
    return _page(case, [row for _, row in rows])


def _settlements(case: Case) -> Sequence[JsonObject]:
    """All there are; of a new one the merchant is told."""
    found = paid_out(case.books, case.merchant.name, now=case.now)
    for settlement in found:
        key = f"{case.merchant.name}/{settlement['id']}"
        if case.books.get(NAME, "told", key) is None:
            case.books.put(NAME, "told", key, {"at": settlement["at"]})
            letters.tell_settlement(case.books, case.merchant, settlement)
    return found


def _chosen(case: Case, filters: Mapping[str, Any]) -> list[JsonObject]:
    """By ids, by references of the transfer, or by time."""
    ids = [str(item) for item in filters.get("cf_settlement_ids") or []]
    utrs = filters.get("settlement_utrs") or []
    found = _settlements(case)
    if ids:
        return [settlement for settlement in found if settlement["id"] in ids]
    if utrs:
        return [settlement for settlement in found if settlement["utr"] in utrs]
    since, until = _range(filters)
    return [settlement for settlement in found if since <= settlement["at"] <= until]


def _range(filters: Mapping[str, Any]) -> tuple[int, int]:
    times: list[datetime] = []
    for name in ("start_date", "end_date"):
        if not filters.get(name):
            raise invalid(f"filters.{name}", "is missing in the request")
        times.append(read_time(f"filters.{name}", filters[name]))
    return seconds(times[0]), seconds(times[1])


def _page(case: Case, rows: Sequence[JsonObject]) -> Answer:
    pagination = object_in(body_of(case.call), "pagination")
    limit = pagination.get("limit", _USUAL_ROWS)
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _MOST_ROWS:
        raise invalid("pagination.limit", "should be from 1 to 1000")
    start = _place(pagination.get("cursor"))
    end = start + limit
    cursor = base64.urlsafe_b64encode(str(end).encode()).decode() if end < len(rows) else None
    return reply({"cursor": cursor, "limit": limit, "data": rows[start:end]})


def _place(cursor: object) -> int:
    if not cursor:
        return 0
    try:
        place = int(base64.urlsafe_b64decode(str(cursor)).decode())
    except (binascii.Error, ValueError):
        raise invalid("pagination.cursor", "is no cursor of an earlier answer") from None
    if place < 0:
        raise invalid("pagination.cursor", "is no cursor of an earlier answer")
    return place


def _entity(case: Case, settlement: JsonObject) -> JsonObject:
    currency = settlement["currency"]
    at = indian(settlement["at"])
    return {
        "cf_settlement_id": cf_id(settlement["id"], case.version),
        "settlement_id": int(settlement["id"]),
        "settlement_utr": settlement["utr"],
        "settlement_type": "NORMAL_SETTLEMENT",
        "settlement_date": at,
        "settlement_initiated_on": at,
        "status": "SUCCESS",
        "entity": "settlement",
        "currency": currency,
        "payment_from": indian(settlement["from"]),
        "payment_till": indian(settlement["till"]),
        "payment_amount": money(settlement["payment_amount"], currency),
        "service_charge": money(settlement["fee"], currency),
        "service_tax": money(settlement["tax"], currency),
        "settlement_amount": money(settlement["settlement_amount"], currency),
        "adjustment": money(settlement["adjustment"], currency),
        "settlement_charge": money(0, currency),
        "settlement_tax": money(0, currency),
        "amount_settled": money(settlement["amount_settled"], currency),
        "reason": None,
        "remarks": "Settled",
    }


def _settlement_event(case: Case, settlement: JsonObject) -> JsonObject:
    currency = settlement["currency"]
    return {
        **_entity(case, settlement),
        "event_id": settlement["id"],
        "event_type": "SETTLEMENT",
        "event_amount": money(settlement["payment_amount"], currency),
        "event_settlement_amount": money(settlement["amount_settled"], currency),
        "event_currency": currency,
        "event_status": "PAID",
        "event_time": indian(settlement["at"]),
        "sale_type": "CREDIT",
        "entity": "recon",
    }


def _event(case: Case, line: JsonObject, settlement: JsonObject | None) -> JsonObject:
    currency, customer = line["currency"], line["customer"]
    number = cf_id(settlement["id"], case.version) if settlement else None
    about = line["about"]
    return {
        "event_id": line["event_id"],
        "event_type": line["event_type"],
        "event_amount": money(line["amount"], currency),
        "event_settlement_amount": money(abs(line["net"]), currency),
        "event_currency": currency,
        "event_status": "SUCCESS",
        "event_time": indian(line["at"]),
        "sale_type": line["sale_type"],
        "entity": "recon",
        "order_id": line["order_id"],
        "order_amount": money(line["order_amount"], currency),
        "customer_name": customer.get("customer_name"),
        "customer_email": customer.get("customer_email"),
        "customer_phone": customer["customer_phone"],
        "cf_payment_id": cf_id(line["cf_payment_id"], case.version),
        "payment_amount": money(line["payment_amount"], currency),
        "payment_time": indian(line["payment_time"]),
        "payment_group": str(line["payment_group"]).upper(),
        "payment_utr": line["bank_reference"],
        "payment_service_charge": money(line["fee"], currency),
        "payment_service_tax": money(line["tax"], currency),
        "cf_settlement_id": number,
        "settlement_date": indian(settlement["at"]) if settlement else None,
        "settlement_utr": settlement["utr"] if settlement else None,
        "refund_id": about.get("refund_id"),
        "refund_arn": about.get("refund_arn"),
        "refund_note": about.get("refund_note"),
        "refund_processed_at": _time(about.get("refund_processed_at")),
        "closed_in_favor_of": about.get("closed_in_favor_of"),
        "resolved_on": _time(about.get("resolved_on")),
    }


def _time(count: int | None) -> str | None:
    return None if count is None else indian(count)


_GROUPS = {
    "event_details": (
        "entity event_id event_type event_amount event_settlement_amount event_currency"
        " event_status event_time sale_type"
    ),
    "order_details": "order_id order_amount",
    "cutomer_details": "customer_name customer_email customer_phone",
    "payment_details": (
        "cf_payment_id payment_amount payment_time payment_service_charge payment_service_tax"
    ),
    "refund_details": "refund_id refund_arn refund_note refund_processed_at",
    "dispute_details": "closed_in_favor_of resolved_on",
    "settlement_details": "cf_settlement_id settlement_date",
}
"""The newer shape, with the spelling that Cashfree has it in."""


def _nested(row: JsonObject) -> JsonObject:
    nested: JsonObject = {
        group: {name: row[name] for name in names.split() if name in row}
        for group, names in _GROUPS.items()
    }
    nested["event_details"] |= {
        "event_service_charge": row.get("payment_service_charge"),
        "event_service_tax": row.get("payment_service_tax"),
    }
    nested["order_details"]["order_currency"] = row["event_currency"]
    nested["payment_details"] |= {
        "bank_reference": row.get("payment_utr"),
        "payment_currency": row.get("event_currency"),
        "payment_mode": row.get("payment_group"),
    }
    nested["settlement_details"]["utr"] = row.get("settlement_utr")
    return nested
