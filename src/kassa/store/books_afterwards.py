"""Questions about what happens to money afterwards: changes, disputes, settlements, wallets."""

from kassa.domain.facts import CaptureUnbooked
from kassa.domain.lifecycle import (
    CLAIMS,
    NOT_LOST,
    PENDING,
    DisputeStage,
    ModificationKind,
    ModificationStatus,
    PaymentStatus,
    SettlementStatus,
)
from kassa.domain.settlements import PART_OF, Part
from kassa.store.books import Check
from kassa.store.books_ledger import differing
from kassa.store.statuses import any_of, one

_DONE = one(ModificationStatus.SUCCEEDED)
_PENDING = any_of(PENDING)
_REFUND = one(ModificationKind.REFUND)

_CHANGES = f"""(
select m.company_id, m.payment_id, count(*) as changes, max(m.number) as last,
    coalesce(sum(m.amount_minor) filter (where m.kind = {_REFUND} and not m.surplus
      and m.status = {_DONE}), 0) as refunded,
    coalesce(sum(m.amount_minor) filter (where m.kind = {_REFUND} and not m.surplus
      and m.status in {_PENDING}), 0) as refunding,
    coalesce(sum(m.amount_minor) filter (where m.kind = {_REFUND} and m.surplus
      and m.status = {_DONE}), 0) as returned,
    coalesce(sum(m.amount_minor) filter (where m.kind = {_REFUND} and m.surplus
      and m.status in {_PENDING}), 0) as returning,
    count(*) filter (where m.kind in {any_of(CLAIMS)}
      and m.status in {_PENDING}) as claims,
    min(m.currency) as lowest, max(m.currency) as highest
  from modification m group by m.company_id, m.payment_id)"""

# What a change moved, by what caused it.
_MOVED = """(
select g.company_id, g.cause, min(g.payment_id) as payment_id, count(distinct g.id) as postings,
    sum(case g.kind when 'surplus' then -e.amount_minor else e.amount_minor end) as minor,
    min(g.at) as at, min(case g.kind when 'surplus' then 'capture' else g.kind end) as kind
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.cause <> '' and ((g.kind = 'refund' and e.account like 'merchant:%')
    or (g.kind = 'surplus_return' and e.account = 'surplus')
    or (g.kind = 'capture' and e.account like 'held:%')
    -- a capture that was done when the reservation had been let go
    or (g.kind = 'surplus' and e.account = 'surplus' and g.cause like 'ca%'))
 group by g.company_id, g.cause)"""

_DISPUTED = """(
select g.company_id, g.cause, sum(e.amount_minor) as minor
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.kind in ('dispute', 'dispute_reversal') and e.account like 'merchant:%'
 group by g.company_id, g.cause)"""

_PAID_OUT = """(
select g.company_id, g.cause, sum(e.amount_minor) as minor
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.kind in ('payout', 'payout_return') and e.account = 'bank'
 group by g.company_id, g.cause)"""


def _part(part: Part) -> str:
    kinds = PART_OF if part is Part.OTHER else [k for k, its in PART_OF.items() if its is part]
    named = ", ".join(f"'{kind}'" for kind in kinds)
    within = "not in" if part is Part.OTHER else "in"
    return (
        f"coalesce(sum(l.amount_minor) filter (where l.kind {within} ({named})), 0) as {part}_minor"
    )


_LINES = f"""(
select l.company_id, l.settlement_id, {", ".join(_part(part) for part in Part)}
  from settlement_line l where l.settlement_id is not null
 group by l.company_id, l.settlement_id)"""

_REPORTED = """(
select g.company_id, g.payment_id, -sum(e.amount_minor) as minor
  from report_match m
  join posting g on g.company_id = m.company_id and g.id = m.posting_id
  join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where (g.kind = 'capture' and e.account like 'merchant:%')
    or (g.kind = 'surplus' and e.account = 'surplus')
 group by g.company_id, g.payment_id)"""

_LAST_ENTRY = (
    "(select max(g.at) from public.entry x join public.posting g on g.company_id = x.company_id"
    " and g.id = x.posting_id where x.company_id = {0}.company_id and x.account = {0}.account"
    " and x.currency = {0}.currency)"
)
# Days have been counted since then.
_DAYS_SINCE = "(select applied_at from public.schema_migration where number = 2)"

AFTERWARDS_CHECKS = (
    Check(
        "payments equal their changes",
        "what a payment says was refunded or returned, or may be, is the sum of its changes, and"
        " at most one claim on a reservation is open",
        "select * from ("
        + differing(
            "p.company_id, p.id",
            f"p.updated_at from payment p left join {_CHANGES} m"
            " on m.company_id = p.company_id and m.payment_id = p.id",
            ("refunded", "p.refunded_minor", "coalesce(m.refunded, 0)"),
            ("being refunded", "p.refund_reserved_minor", "coalesce(m.refunding, 0)"),
            ("surplus returned", "p.surplus_returned_minor", "coalesce(m.returned, 0)"),
            ("surplus being returned", "p.surplus_reserved_minor", "coalesce(m.returning, 0)"),
            ("changes", "p.modifications", "coalesce(m.changes, 0)"),
            ("number of the last change", "p.modifications", "coalesce(m.last, 0)"),
            (
                "claims open at once",
                "greatest(m.claims, 1)",
                "1",
            ),
            ("currency", "p.currency", "coalesce(m.lowest, p.currency)"),
            ("currency", "p.currency", "coalesce(m.highest, p.currency)"),
        )
        + ") x",
        ("payment", "modification"),
    ),
    Check(
        "changes equal the ledger",
        "each capture, refund and return that succeeded was booked once, in its amount, and"
        " nothing was booked for one that did not",
        "select coalesce(m.company_id, g.company_id), coalesce(m.id, g.cause),"
        " format('%s, but %s', coalesce(m.kind || ' of ' || m.amount_minor || ' is ' || m.status,"
        "  'no such change'), case when g.cause is null then 'nothing is booked' else"
        "  format('%s of %s is booked in %s postings for payment %s', g.kind, g.minor, g.postings,"
        "  g.payment_id) end), coalesce(m.updated_at, g.at)"
        f" from modification m full join {_MOVED} g"
        "  on g.company_id = m.company_id and g.cause = m.id"
        f" where (m.id is null) or (g.cause is null and m.status = {_DONE}"
        f"  and m.kind <> {one(ModificationKind.VOID)}"
        "  and not exists (select from public.payment_event e"
        "   where e.company_id = m.company_id and e.payment_id = m.payment_id"
        # The provider did it all the same; people know of it, and nothing could be booked.
        f"    and (e.evidence ->> 'kind' = '{CaptureUnbooked.kind}'"
        "     or e.evidence ->> 'note' = 'captured after it was let go')"
        "    and e.evidence ->> 'modification' = m.id))"
        f" or (g.cause is not null and (m.status <> {_DONE} or g.postings <> 1"
        "  or g.minor <> m.amount_minor or g.payment_id <> m.payment_id"
        "  or g.kind <> case when m.surplus then 'surplus_return' else m.kind end))",
        ("modification", "posting", "entry"),
    ),
    Check(
        "payments equal their disputes",
        "what banks took back of a payment is the sum of its disputes, and what left twice is what"
        " was beyond the captured money",
        differing(
            "p.company_id, p.id",
            "p.updated_at from payment p left join (select d.company_id, d.payment_id,"
            " count(*) as disputes, coalesce(sum(d.amount_minor) filter (where d.withdrawn), 0)"
            " as withdrawn from dispute d group by d.company_id, d.payment_id) d"
            " on d.company_id = p.company_id and d.payment_id = p.id",
            ("disputed", "p.disputed_minor", "coalesce(d.withdrawn, 0)"),
            ("disputes", "p.disputes", "coalesce(d.disputes, 0)"),
            (
                "paid out twice",
                "p.double_paid_minor",
                "greatest(0, p.refunded_minor + p.refund_reserved_minor + p.disputed_minor"
                " - p.captured_minor)",
            ),
        ),
        ("payment", "dispute"),
    ),
    Check(
        "disputes equal the ledger",
        "a dispute's money is withdrawn exactly while its stage and status say so and the ledger"
        " has it",
        "select coalesce(d.company_id, g.company_id), coalesce(d.id, g.cause),"
        " format('%s, and %s is booked', coalesce(format('%s at %s of %s is %swithdrawn',"
        "  d.status, d.stage, d.amount_minor, case when d.withdrawn then '' else 'not ' end),"
        "  'no such dispute'), coalesce(g.minor, 0)), d.updated_at"
        f" from dispute d full join {_DISPUTED} g"
        "  on g.company_id = d.company_id and g.cause = d.id"
        " where d.id is null or d.withdrawn"
        f"  <> (d.stage <> {one(DisputeStage.INQUIRY)} and d.status not in {any_of(NOT_LOST)})"
        " or coalesce(g.minor, 0) <> case when d.withdrawn then d.amount_minor else 0 end",
        ("dispute", "posting", "entry"),
    ),
    Check(
        "settlements equal their lines",
        "a settlement that is closed comes to what its lines come to, part by part, and one that"
        " is paid has its payout in the ledger",
        differing(
            "s.company_id, s.id",
            "coalesce(s.paid_at, s.closed_at, s.opened_at)"
            f" from settlement s left join {_LINES} l"
            " on l.company_id = s.company_id and l.settlement_id = s.id"
            f" left join {_PAID_OUT} g on g.company_id = s.company_id and g.cause = s.id",
            *(
                (
                    part.value,
                    f"s.{part}_minor",
                    f"case s.status when {one(SettlementStatus.OPEN)} then s.{part}_minor"
                    f" else coalesce(l.{part}_minor, 0) end",
                )
                for part in Part
            ),
            (
                "net",
                "s.net_minor",
                "s.carried_over_minor + " + " + ".join(f"s.{part}_minor" for part in Part),
            ),
            (
                "paid out",
                f"case s.status when {one(SettlementStatus.PAID)} then s.net_minor else 0 end",
                "coalesce(g.minor, 0)",
            ),
        ),
        ("settlement", "settlement_line", "posting", "entry"),
    ),
    Check(
        "settlement lines equal the ledger",
        "every movement at a provider account is a line once, as it is in the ledger, at the"
        " settlement's own account",
        "select coalesce(l.company_id, g.company_id), coalesce(l.posting_id, g.posting_id),"
        " format('leg %s: line of %s on %s in settlement %s, but the ledger has %s on %s',"
        "  coalesce(l.leg, g.leg), l.amount_minor, l.connector, l.settlement_id, g.amount_minor,"
        "  g.connector), coalesce(g.at, l.at)"
        " from settlement_line l left join settlement s"
        "  on s.company_id = l.company_id and s.id = l.settlement_id"
        " full join (select e.company_id, e.posting_id, e.leg, substr(e.account, 10) as connector,"
        "  e.currency, e.amount_minor, p.payment_id, p.kind, p.at"
        "  from entry e join posting p on p.company_id = e.company_id and p.id = e.posting_id"
        "  where e.account like 'provider:%' and p.kind not in ('payout', 'payout_return')) g"
        "  on g.company_id = l.company_id and g.posting_id = l.posting_id and g.leg = l.leg"
        " where l.posting_id is null or g.posting_id is null or g.amount_minor <> l.amount_minor"
        " or g.connector <> l.connector or g.currency <> l.currency or g.kind <> l.kind"
        " or g.payment_id <> l.payment_id or g.at <> l.at"
        " or (l.settlement_id is not null and (s.id is null or s.connector <> l.connector"
        "  or s.currency <> l.currency))",
        ("settlement_line", "settlement", "posting", "entry"),
    ),
    Check(
        "payments equal their reports",
        "what a payment says a report has confirmed is in matched lines, and it is settled exactly"
        " when that is all of it",
        "select p.company_id, p.id, format('%s, captured %s, settled %s, matched lines have %s',"
        " p.status, p.captured_minor, p.settled_minor, coalesce(r.minor, 0)), p.updated_at"
        f" from payment p left join {_REPORTED} r"
        "  on r.company_id = p.company_id and r.payment_id = p.id"
        " where p.settled_minor > coalesce(r.minor, 0)"
        f" or (p.status = {one(PaymentStatus.SETTLED)} and p.settled_minor <> p.captured_minor)",
        ("payment", "report_match", "posting", "entry"),
    ),
    Check(
        "wallet balances equal the ledger",
        "each wallet balance is the sum of its account's entries",
        "select x.company_id, x.account, format('balance %s %s, entries say %s',"
        " x.balance, x.currency, x.total), " + _LAST_ENTRY.format("x") + " from"
        " (select coalesce(b.company_id, s.company_id) as company_id,"
        "  coalesce(b.account, s.account) as account, coalesce(b.currency, s.currency) as currency,"
        "  coalesce(b.balance_minor, 0) as balance, coalesce(s.total, 0) as total"
        "  from wallet_balance b full join (select e.company_id, e.account, e.currency,"
        "   -sum(e.amount_minor) as total from entry e where e.account like 'wallet:%'"
        "   group by 1, 2, 3) s on s.company_id = b.company_id and s.account = b.account"
        "   and s.currency = b.currency) x"
        " where x.balance <> x.total",
        ("wallet_balance", "entry"),
    ),
    Check(
        "wallet days equal the ledger",
        "what each wallet user spent over all days is what the ledger booked",
        "select x.company_id, x.account, format('%s %s spent by days, entries say %s', x.days,"
        " x.currency, x.spent), " + _LAST_ENTRY.format("x") + " from"
        " (select coalesce(d.company_id, s.company_id) as company_id,"
        "  coalesce(d.account, s.account) as account, coalesce(d.currency, s.currency) as currency,"
        "  coalesce(d.days, 0) as days, coalesce(s.spent, 0) as spent from"
        "  (select company_id, account, currency, sum(spent_minor) as days from wallet_day"
        "   group by 1, 2, 3) d full join"
        "  (select e.company_id, e.account, e.currency, sum(e.amount_minor) as spent from entry e"
        "   join posting g on g.company_id = e.company_id and g.id = e.posting_id"
        "   where e.account like 'wallet:%' and e.amount_minor > 0"
        f"   and g.kind in ('capture', 'authorize') and g.at >= {_DAYS_SINCE}"
        "   group by 1, 2, 3) s on s.company_id = d.company_id and s.account = d.account"
        "   and s.currency = d.currency) x"
        " where x.days <> x.spent",
        ("wallet_day", "entry", "posting"),
    ),
)
