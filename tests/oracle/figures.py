"""What was taken and given back of each charge: by the simulator's own books, and by our ledger.

Neither asks the other's program: SQL over the simulator's movements, and SQL over our postings.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.oracle.world import SHOP, World

_MOVED = """
    SELECT c.key, m.currency, m.kind, sum(m.amount_minor),
           sum(CASE WHEN m.kind = 'dispute' THEN m.fee_minor ELSE 0 END)
      FROM movements m JOIN charges c ON (c.provider, c.id) = (m.provider, m.charge_id)
     GROUP BY 1, 2, 3
"""
_EVER = """
    SELECT c.key, m.currency, m.kind, sum(max(m.amount_minor, 0)), sum(max(m.fee_minor, 0))
      FROM movements m JOIN charges c ON (c.provider, c.id) = (m.provider, m.charge_id)
     GROUP BY 1, 2, 3
"""
_BOOKED = """
    select coalesce(m.attempt_id, d.attempt_id, g.cause) as key, g.currency, g.kind,
           sum(e.amount_minor)::bigint as minor
      from posting g
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
      left join modification m on m.company_id = g.company_id and m.id = g.cause
      left join dispute d on d.company_id = g.company_id and d.id = g.cause
     where g.company_id = $1 and e.account = $2
     group by 1, 2, 3
    union all
    select d.attempt_id, a.currency, 'fees', sum(d.fee_minor)::bigint
      from dispute d join attempt a on a.company_id = d.company_id and a.id = d.attempt_id
     where d.company_id = $1
     group by 1, 2
"""
_OF_CHARGES = """
    select a.id as key, p.id as payment, p.currency, a.status, p.status as paid
      from attempt a join payment p on (p.company_id, p.id) = (a.company_id, a.payment_id)
     where a.company_id = $1 order by a.id
"""
_WORK = "select payment_id, class, details from report_break where company_id = $1"
FEE = "fee of disputes"
KINDS = {
    "capture": "captured",
    "surplus": "captured",
    "refund": "refunded",
    "refund_reversal": "refunded",
    "surplus_return": "refunded",
    "surplus_return_reversal": "refunded",
    "dispute": "disputed",
    "dispute_reversal": "disputed",
    "charge_return": "disputed",
    "fees": FEE,
}
_THEIRS = {"charge": "captured", "refund": "refunded", "dispute": "disputed"}

Figures = Counter[tuple[str, str]]
"""Minor units by what they are, and their currency; what is nothing is left out."""


@dataclass(frozen=True)
class OurCharge:
    """An attempt of ours, and where it and its payment stand."""

    key: str
    payment: str
    currency: str
    status: str
    paid: str


def theirs(world: World, *, ever: bool = False) -> dict[str, Figures]:
    """By our key of the charge; `ever`: with nothing taken off for what came back."""
    found: dict[str, Figures] = {}
    query = _EVER if ever else _MOVED
    for key, currency, kind, minor, fee in world.simulator.books.connection.execute(query):
        figures = found.setdefault(key, Counter())
        figures[_THEIRS[kind], currency] += minor
        figures[FEE, currency] += fee
    return {key: _plain(figures) for key, figures in found.items()}


async def ours(world: World) -> dict[str, Figures]:
    """By the attempt's id, which is the charge's key there."""
    account = f"provider:{world.account}"
    found: dict[str, Figures] = {}
    for row in await world.owner.fetch(_BOOKED, world.company.id, account):
        what = KINDS.get(row["kind"])
        if what is not None:
            sign = -1 if what in ("refunded", "disputed") else 1
            figures = found.setdefault(row["key"], Counter())
            figures[what, row["currency"]] += sign * row["minor"]
    return {key: _plain(figures) for key, figures in found.items()}


async def charges(world: World) -> list[OurCharge]:
    rows = await world.owner.fetch(_OF_CHARGES, world.company.id)
    return [OurCharge(**dict(row)) for row in rows]


async def work(world: World) -> dict[str, list[str]]:
    """What people have to look at, by the payment that it names, "" for none."""
    found: dict[str, list[str]] = {}
    for row in await world.owner.fetch(_WORK, world.company.id):
        found.setdefault(row["payment_id"] or "", []).append(f"{row['class']}: {row['details']}")
    return found


def total(world: World) -> Figures:
    """What the simulator says of the whole account."""
    found: Figures = Counter()
    for currency, sums in world.simulator.money(world.plug.name, SHOP).items():
        found["captured", currency] += sums["charged_minor"]
        found["refunded", currency] += sums["refunded_minor"]
        found["disputed", currency] += sums["disputed_minor"]
    return _plain(found)


def added(every: Iterable[Figures]) -> Figures:
    """All charges' figures, without fees."""
    found: Figures = Counter()
    for figures in every:
        found.update({name: minor for name, minor in figures.items() if name[0] != FEE})
    return _plain(found)


def comes_to_nothing(figures: Figures) -> bool:
    """Whether all that was taken went back again, and nothing was kept for it."""
    left: Counter[str] = Counter()
    for (what, currency), minor in figures.items():
        if what == FEE:
            return False
        left[currency] += minor if what == "captured" else -minor
    return not any(left.values())


def _plain(figures: Mapping[Any, int]) -> Figures:
    return Counter({name: minor for name, minor in figures.items() if minor})


async def kept_letters(world: World) -> list[str]:
    """What the inbox kept, and what became of it: for whoever reads a failure."""
    rows = await world.owner.fetch(
        "select news, result, applied_at from provider_news where account = $1", world.account
    )
    return [f"{row['news']} {row['result']} {row['applied_at']}" for row in rows]
