"""The business face beside the settlements: what it tells of payments must come to the same."""

import json
from decimal import Decimal
from typing import Any

from tests.shop import Shop

from kassa.base.domain.money import EXPONENT
from kassa.faces import edge
from kassa.faces.business import contract
from kassa.payments.usecases.find_payments import list_payments, with_money_afterwards

# What left the merchant, the surplus or the house for it went to where the payer's money stands.
_BOOKED = """
    select payment_id, sum(amount_minor) as total from (
      select g.payment_id, -e.amount_minor as amount_minor
        from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
       where g.company_id = $1 and g.kind <> 'adjustment'
         and (e.account like 'merchant:%' or e.account in ('surplus', 'fee_expense'))) m
    group by payment_id
"""
# What a provider changed into another currency is what the other lines come to, once more.
_SETTLED = """
    select payment_id, sum(amount_minor) as total from settlement_line
    where company_id = $1 and kind not in ('adjustment', 'exchange') group by payment_id
"""
_ELSEWHERE = """
    select distinct payment_id from attempt where company_id = $1
       and method in ('wallet', 'cash', 'check', 'bank_transfer')
"""
_PARTS = {
    "capturedAmount": 1,
    "overpaidAmount": 1,
    "returnedAmount": -1,
    "disputedAmount": -1,
    "processingFee": -1,
    "overpaidFee": -1,
}


def minor(money: dict[str, Any]) -> int:
    """An amount of the wire in minor units."""
    exact = Decimal(money["units"]) + Decimal(money["nanos"]).scaleb(-9)
    return int(exact.scaleb(EXPONENT[money["currencyCode"]]))


async def told(shop: Shop) -> list[dict[str, Any]]:
    """All payments of the shop as the business face lists them."""
    page = await list_payments(shop.core, shop.company.id, limit=500)
    payments = await with_money_afterwards(shop.core, page.payments)
    listed: list[dict[str, Any]] = json.loads(edge.to_json(list(map(contract.to_json, payments))))
    return listed


async def totals(shop: Shop, statement: str) -> dict[str, int]:
    rows = await shop.sql(statement, shop.company.id)
    return {row["payment_id"]: int(row["total"]) for row in rows}


async def untrue_sums(shop: Shop) -> list[str]:
    """What the business face tells otherwise than the settlements and the ledger do."""
    company = shop.company.id
    booked, settled = await totals(shop, _BOOKED), await totals(shop, _SETTLED)
    elsewhere = {row["payment_id"] for row in await shop.sql(_ELSEWHERE, company)}
    wrong = []
    for payment in await told(shop):
        net = minor(payment["netAmount"])
        parts = {name: sign * minor(payment[name]) for name, sign in _PARTS.items()}
        sums = [sum(parts.values()), booked.get(payment["id"], 0)]
        if payment["id"] not in elsewhere:
            sums.append(settled.get(payment["id"], 0))
        refunds = sum(minor(refund["amount"]) for refund in payment["refunds"])
        if set(sums) != {net} or refunds != minor(payment["returnedAmount"]):
            wrong.append(f"{payment['id']}: {parts}, net {net}, refunds {refunds}; others {sums}")
    return wrong
