"""Settlement reports of the simulator, with accidents in them, read and imported as an operator's
are; and whether they have told of every movement."""

import hashlib
import io
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from tests.oracle import figures
from tests.oracle.world import SHOP, World

from kassa.base.domain.errors import NotFound
from kassa.connectors.base import Report, Reporter
from kassa.connectors.reports import Declaration, formats, read_report
from kassa.providers.usecases.provider_accounts import fetch_report
from kassa.reconciliation.domain.matching import BANK
from kassa.reconciliation.usecases.reconcile import Outcome, reconcile
from kassa_simulator.odd_rows import ODD
from kassa_simulator.payouts import PaysOut, statement
from kassa_simulator.protocols import protocols

ACCIDENTS = ((), (), ("cut",), ("unknown_type", "bad_number"), ("unknown_currency", "cut"))
OF_DAYS = ("late", "again")
SETTLED_AFTER = timedelta(days=4)
"""After so long, each provider has settled what moved."""
ROUNDED = 2
"""Minor units by which a fee may differ that was told in another currency."""
_DAY = timedelta(days=1)
# A file that has no reader of its own here, as somebody would declare it.
_BY_HAND = Declaration(
    format="csv",
    columns={
        "kind": "transactionType",
        "amount": "amountValue",
        "currency": "amountCurrency",
        "fee": "feeValue",
        "our_reference": "transactionRequestId",
        "provider_reference": "transactionId",
        "occurred_at": "transactionTime",
    },
    texts=("paymentId",),
    kinds={
        "PAYMENT": "payment",
        "REFUND": "refund",
        "REFUND_REVERSAL": "refund_reversal",
        "DISPUTE": "dispute",
        "DISPUTE_REVERSAL": "dispute_reversal",
    },
)
_DAYS = "SELECT DISTINCT at / 86400000000 FROM movements WHERE provider = ? ORDER BY 1"
_REPORTED = """
    select coalesce(m.attempt_id, d.attempt_id, g.cause) as key, g.kind,
           sum(e.amount_minor)::bigint as minor
      from report_match r
      join posting g on g.company_id = r.company_id and g.id = r.posting_id
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
      left join modification m on m.company_id = g.company_id and m.id = g.cause
      left join dispute d on d.company_id = g.company_id and d.id = g.cause
     where g.company_id = $1 and e.account = $2
     group by 1, 2
"""
_FEES = """
    select coalesce(m.attempt_id, g.cause) as key, -sum(e.amount_minor)::bigint as minor
      from posting g
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
      left join modification m on m.company_id = g.company_id and m.id = g.cause
     where g.company_id = $1 and e.account = $2 and g.kind in ('fee', 'fee_adjustment')
       and not exists (select from dispute d where d.company_id = g.company_id and d.id = g.cause)
     group by 1
"""
_BOOKS = """
    select g.at::text, g.kind, g.cause, e.account, e.amount_minor as minor, g.currency,
           coalesce(m.provider_reference, d.provider_reference, a.provider_reference) as called
      from posting g
      join entry e on e.company_id = g.company_id and e.posting_id = g.id
       and e.account like 'provider:%'
      left join attempt a on a.company_id = g.company_id and a.id = g.cause
      left join modification m on m.company_id = g.company_id and m.id = g.cause
      left join dispute d on d.company_id = g.company_id and d.id = g.cause
     where g.company_id = $1 order by g.at, g.id
"""
_LINES = """
    select f.name || ' ' || l.place as line, l.state, l.kind, l.amount_minor as minor,
           l.fee_minor as fee, l.currency, l.our_reference as ours, l.provider_reference as called,
           l.payout_reference as payout, l.occurred_at::text as at, l.cause,
           replace(l.texts::text, E'\\n', ' ') as texts,
           l.repeats_place as repeats
      from report_line l join report_file f on f.company_id = l.company_id and f.id = l.file_id
     where l.company_id = $1 order by f.started_at, l.place
"""
_BREAKS = """
    select b.class, b.status, b.payment_id, b.cause, b.details, f.name || ' ' || b.place as line
      from report_break b
      left join report_file f on f.company_id = b.company_id and f.id = b.file_id
     where b.company_id = $1 order by b.opened_at, b.id
"""
_DUPLICATES = """
    select 1 from report_break
     where company_id = $1 and class = 'duplicate' and file_id <> all($2)
"""
_TRIED = """
    select reference, currency, amount_minor, status from payout where company_id = $1
"""
_NAMED = """
    select concat_ws(' ', b.details, s.payout_reference, l.raw), b.found_minor
      from report_break b
      left join settlement s on s.company_id = b.company_id and s.id = b.cause
      left join report_line l on l.company_id = b.company_id and l.file_id = b.file_id
        and l.place = b.place
     where b.company_id = $1 and b.status = 'open'
"""
_THEIR_FEES = """
    SELECT c.key, sum(m.fee_minor)
      FROM movements m JOIN charges c ON (c.provider, c.id) = (m.provider, m.charge_id)
     WHERE m.kind <> 'dispute' GROUP BY 1
"""


@dataclass
class Reports:
    """Of one example. `told`: what was imported, for who reads a failure. `is_odd`: the provider's
    lists have copies of their entries just now, and files that were made of those are `odd`."""

    world: World
    told: list[str] = field(default_factory=list)
    is_odd: bool = False
    odd: list[str] = field(default_factory=list)

    async def import_some(self, luck: random.Random) -> list[str]:
        """All days that anything moved on, with some rows that are odd; what came of it."""
        self.world.simulator.advance(luck.choice((_DAY, SETTLED_AFTER)))
        sent_back = self._send_back(luck) if luck.random() < 0.4 else []
        odd = luck.choice(ACCIDENTS)
        days = [one for one in OF_DAYS if luck.random() < 0.3]
        return sent_back + await self._import(odd, days)

    def _send_back(self, luck: random.Random) -> list[str]:
        """A payout that the bank returns."""
        name = self.world.plug.name
        made = [one.reference for one in self.world.simulator.payouts(name, SHOP)]
        if not made:
            return []
        one = luck.choice(made)
        done = self.world.simulator.return_payout(name, SHOP, one)
        return ["payout sent back"] if done else []

    async def compare(self) -> list[str]:
        """Everything is told of, whole: then each movement that we booked was reported, and each
        fee is the provider's, or that is somebody's work that names the payment."""
        await self._import((), ())
        booked, reported = await figures.ours(self.world), await self._reported()
        fees, their_fees = await self._fees(), self._their_fees()
        work, did = await figures.work(self.world), []
        for one in await figures.charges(self.world):
            here, told = booked.get(one.key, Counter()), reported.get(one.key, Counter())
            untold = {
                name: (minor, told[name[0]])
                for name, minor in here.items()
                if name[0] != figures.FEE and told[name[0]] != minor
            }
            off = abs(fees.get(one.key, 0) - their_fees.get(one.key, 0))
            if off > (ROUNDED if one.key in self._settled_abroad() else 0):
                untold["fee", one.currency] = fees.get(one.key, 0), their_fees.get(one.key, 0)
            if not untold:
                continue
            found = work.get(one.payment, [])
            story = (
                f"{self.world.plug.name} {one}: {untold}, booked {dict(here)}, work {work};"
                f" {self.told}"
            )
            assert found, story
            did.append(f"untold {', '.join(name for name, _ in untold)}, and is work: {found}")
        again = await self.world.owner.fetch(_DUPLICATES, self.world.company.id, self.odd)
        assert not again, "\n".join((self.world.plug.name, *await self._story(), *self.told))
        did += await self._compare_payouts()
        return did

    async def _story(self) -> list[str]:
        """What was booked, and every line that was read: for whoever reads a failure."""
        company = self.world.company.id
        return [
            " ".join(f"{name}={value}" for name, value in row.items() if value not in ("", None))
            for query in (_BOOKS, _LINES, _BREAKS)
            for row in await self.world.owner.fetch(query, company)
        ]

    async def _compare_payouts(self) -> list[str]:
        """By the bank's statements each is here what it was there, there and back; or that is
        somebody's work that names it, or its amount."""
        world = self.world
        made = world.simulator.payouts(world.plug.name, SHOP)
        for day in sorted({at.date() for one in made for at in (one.at, one.returned_at) if at}):
            since = datetime.combine(day, datetime.min.time(), UTC)
            content = statement(f"of-{day}", made, since, since + _DAY)
            await self._take(Report(format="camt.053", name=f"{day}.xml", content=content), BANK)
        tried = await world.owner.fetch(_TRIED, world.company.id)
        here = Counter(tuple(row) for row in tried)
        named = [tuple(row) for row in await world.owner.fetch(_NAMED, world.company.id)]
        did = []
        for one in made:
            status = "returned" if one.returned_at else "paid"
            # Where its own line could not be read, the bank's words have its name.
            known = [
                count
                for (words, *rest), count in here.items()
                if one.reference in words.split()
                and rest == [one.currency, one.amount_minor, status]
            ]
            if known == [1]:
                did.append("payout compared")
                continue
            if not one.amount_minor:
                continue  # nothing is paid out
            assert any(
                one.reference in words or abs(minor or 0) == abs(one.amount_minor)
                for words, minor in named
            ), (world.plug.name, one, here, named, self.told)
            did += ["payout differs, and is work", f"untold payout {one}: {dict(here)}"]
        return did

    async def _import(self, odd: Sequence[str], days: Sequence[str]) -> list[str]:
        world, did = self.world, []
        world.simulator.set_reports(world.plug.name, SHOP, odd)
        for day in self._days():
            for report in await self._reports(day, days):
                outcome = await self._take(report)
                self.told.append(f"{report.name} {odd} {days}: {outcome}")
                self.odd += [outcome.file_id] if self.is_odd else []
                did.append("report imported")
                did += [f"report opens {one}" for one in outcome.breaks]
        return did

    def _days(self) -> list[date]:
        """Those on which anything moved, or may be settled."""
        rows = self.world.simulator.books.connection.execute(_DAYS, (self.world.plug.name,))
        moved = {datetime.fromtimestamp(row[0] * 86_400, UTC).date() for row in rows}
        after = range(SETTLED_AFTER.days)
        return sorted({day + timedelta(days=many) for day in moved for many in after})

    async def _reports(self, day: date, faults: Sequence[str]) -> list[Report]:
        """By the connector, where it fetches any; or the file of the simulator's."""
        world = self.world
        pays_out = isinstance(protocols()[world.plug.name], PaysOut)
        if isinstance(world.connector, Reporter) and (pays_out or not faults):
            try:
                return [await fetch_report(world.core, world.company.id, world.account, day)]
            except NotFound:
                return []
        at = datetime.combine(day, datetime.min.time(), UTC)
        name, content = world.simulator.settlement_file(world.plug.name, SHOP, at, *faults)
        form = world.plug.name if world.plug.name in formats() else _BY_HAND.format
        return [Report(format=form, name=name, content=content, time_zone="UTC")]

    async def _take(self, report: Report, account: str = "") -> Outcome:
        world = self.world
        declared = Declaration(format=report.format, time_zone=report.time_zone)
        lines = read_report(
            io.BytesIO(report.content), _BY_HAND if report.format == "csv" else declared
        )
        return await reconcile(
            world.core,
            world.company.id,
            account or world.account,
            report.name,
            lines,
            hashlib.sha256(report.content).hexdigest(),
            tells_fees=formats()[report.format].tells_fees,
        )

    async def _reported(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {}
        account = f"provider:{self.world.account}"
        for row in await self.world.owner.fetch(_REPORTED, self.world.company.id, account):
            if (what := figures.KINDS.get(row["kind"])) is not None:
                sign = 1 if what == "captured" else -1
                found.setdefault(row["key"], Counter())[what] += sign * row["minor"]
        return found

    async def _fees(self) -> dict[str, int]:
        account = f"provider:{self.world.account}"
        rows = await self.world.owner.fetch(_FEES, self.world.company.id, account)
        return {row["key"]: row["minor"] for row in rows}

    def _settled_abroad(self) -> set[str]:
        return {one.key for one in self.world.charges() if one.data.get("settled")}

    def _their_fees(self) -> dict[str, int]:
        connection: Any = self.world.simulator.books.connection
        return dict(connection.execute(_THEIR_FEES).fetchall())


assert {one for kind in ACCIDENTS for one in kind} <= set(ODD)
