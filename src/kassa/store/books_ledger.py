"""Questions about the ledger, and whether payments, orders and attempts say the same as it."""

from kassa.domain.lifecycle import (
    CLOSED,
    FUNDS_MOVED,
    TRANSITIONS,
    UNDECIDED,
    UNDER_WAY,
    UNPAID_FOR_GOOD,
    AttemptStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
)
from kassa.store.books import Check
from kassa.store.statuses import any_of, one

_MOVED = any_of(FUNDS_MOVED)

# What was taken before fees were booked has its fee on the payment only.
FEES_BOOKED_SINCE = "(select applied_at from public.schema_migration where number = 2)"

# For each kind of posting: the accounts that it may debit, and those that it may credit. Kinds
# that are not named here may touch any.
_SOURCES = ("provider", "wallet", "cash", "transit")
_FEES = ("merchant", "provider", "bank", "fee_income", "fee_expense")
_AT_THE_BANK = ("bank", "transit")
_SHAPES = {
    "authorize": (("reserved", "wallet"), ("held",)),
    "release": (("held",), ("reserved", "wallet")),
    "capture": ((*_SOURCES, "held"), ("merchant", "reserved")),
    "refund": (("merchant",), _SOURCES),
    "surplus": (_SOURCES, ("surplus",)),
    "surplus_return": (("surplus",), _SOURCES),
    "fee": (("merchant", "fee_expense"), ("provider", "fee_income")),
    "fee_adjustment": (_FEES, _FEES),
    "dispute": (("merchant",), _SOURCES),
    "dispute_reversal": (_SOURCES, ("merchant",)),
    "transfer": (_AT_THE_BANK, _AT_THE_BANK),
    "top_up": (("wallet_funding",), ("wallet",)),
}
_OF_PAYMENTS = ", ".join(f"'{kind}'" for kind in _SHAPES if kind != "top_up")
_SHAPED = ", ".join(f"'{kind}'" for kind in _SHAPES)
_LEGS = ", ".join(
    f"'{kind} {side} {account}'"
    for kind, sides in _SHAPES.items()
    for side, accounts in zip(("debit", "credit"), sides, strict=True)
    for account in accounts
)
_LEG = (
    "g.kind || case when e.amount_minor > 0 then ' debit ' else ' credit ' end"
    " || split_part(e.account, ':', 1)"
)
_MOVES = ", ".join(
    f"'{before} {event} {after}'"
    for before, event, after in (
        *((before, event, after) for (before, event), after in TRANSITIONS.items()),
        *((status, PaymentEvent.NOTE, status) for status in PaymentStatus),
    )
)


def _differs(*pairs: tuple[str, str, str]) -> tuple[str, str]:
    """A condition and its words, for (name, what is said, what was counted) columns."""
    wrong = " or ".join(f"{said} is distinct from {counted}" for _, said, counted in pairs)
    parts = (
        f"case when {said} is distinct from {counted}"
        f" then format('{name} %s, but %s', {said}, {counted}) end"
        for name, said, counted in pairs
    )
    return wrong, f"concat_ws('; ', {', '.join(parts)})"


def differing(select: str, rest: str, *pairs: tuple[str, str, str]) -> str:
    """A check that some figures are what they should be: `select` gives company and object,
    `rest` begins with the time and goes on with FROM and JOINs."""
    wrong, words = _differs(*pairs)
    return f"select {select}, {words}, {rest} where {wrong}"


_BOOKED = """(
select g.company_id, g.payment_id,
    coalesce(-sum(e.amount_minor) filter (
      where g.kind = 'capture' and e.account like 'merchant:%'), 0) as captured,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'refund' and e.account like 'merchant:%'), 0) as refunded,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('dispute', 'dispute_reversal')
        and e.account like 'merchant:%'), 0) as disputed,
    coalesce(sum(e.amount_minor) filter (
      where g.kind in ('fee', 'fee_adjustment') and e.account like 'merchant:%'), 0) as fee,
    coalesce(-sum(e.amount_minor) filter (
      where g.kind = 'surplus' and e.account = 'surplus'), 0) as surplus,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'surplus_return' and e.account = 'surplus'), 0) as surplus_returned,
    -sum(e.amount_minor) filter (
      where g.kind = 'authorize' and e.account like 'held:%') as authorized,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'release' and e.account like 'held:%'), 0) as released,
    coalesce(sum(e.amount_minor) filter (
      where g.kind = 'capture' and e.account like 'held:%'), 0) as claimed
  from posting g join entry e on e.company_id = g.company_id and e.posting_id = g.id
 where g.payment_id <> ''
   and (e.account like 'merchant:%' or e.account = 'surplus' or e.account like 'held:%')
 group by g.company_id, g.payment_id)"""

_ENTRIES = """(
select company_id, posting_id, sum(amount_minor) as total, count(*) as legs, max(leg) as last,
    min(currency) as lowest, max(currency) as highest
  from entry group by company_id, posting_id)"""

_PAYMENTS_OF_ORDER = f"""(
select p.company_id, p.order_id, count(*) as payments,
    count(*) filter (where p.status in
      {any_of(UNDER_WAY)}) as going,
    count(*) filter (where p.status in {any_of(CLOSED)}) as ended,
    count(*) filter (where not p.surplus and p.status in {_MOVED}) as paid,
    max(p.captured_minor) filter (where not p.surplus
      and p.status in {_MOVED}) as captured,
    bool_or(p.capture_method = 'manual') as in_parts,
    min(p.amount_minor) as least, max(p.amount_minor) as most,
    min(p.currency) as lowest, max(p.currency) as highest
  from payment p group by p.company_id, p.order_id)"""

LEDGER_CHECKS = (
    Check(
        "postings balance",
        "every posting has two legs or more, in its own currency, that sum to zero",
        "select coalesce(p.company_id, e.company_id), coalesce(p.id, e.posting_id),"
        " format('%s over %s legs%s', case when p.id is null then 'there is no such posting:'"
        "   else 'sums to ' || coalesce(e.total, 0) end, coalesce(e.legs, 0),"
        "  case when e.lowest <> e.highest or e.lowest <> p.currency"
        "   then ' in ' || e.lowest || ' and ' || coalesce(p.currency, e.highest) end), p.at"
        f" from posting p full join {_ENTRIES} e"
        "  on e.company_id = p.company_id and e.posting_id = p.id"
        " where p.id is null or e.legs is null or e.total <> 0 or e.legs < 2 or e.legs <> e.last"
        " or e.lowest <> p.currency or e.highest <> p.currency",
        ("posting", "entry"),
    ),
    Check(
        "the books sum to zero",
        "over all accounts of a company and currency, debits and credits are equal",
        "select company_id, currency, format('sums to %s', sum(amount_minor)), null::timestamptz"
        " from entry group by company_id, currency having sum(amount_minor) <> 0",
        ("entry",),
    ),
    Check(
        "payments equal the ledger",
        "captured, held, released, refunded, disputed, fee and surplus are exactly what the ledger"
        " booked for the payment",
        differing(
            "p.company_id, p.id",
            f"p.updated_at from payment p left join {_BOOKED} l"
            " on l.company_id = p.company_id and l.payment_id = p.id",
            (
                "captured",
                "case when p.surplus then 0 else p.captured_minor end",
                "coalesce(l.captured, 0)",
            ),
            ("refunded", "p.refunded_minor", "coalesce(l.refunded, 0)"),
            ("disputed", "p.disputed_minor", "coalesce(l.disputed, 0)"),
            (
                "fee",
                "case when p.fee_minor > 0 and coalesce(l.fee, 0) = 0"
                f" and p.captured_at < {FEES_BOOKED_SINCE} then 0 else p.fee_minor end",
                "coalesce(l.fee, 0)",
            ),
            ("surplus", "p.surplus_minor", "coalesce(l.surplus, 0)"),
            (
                "surplus returned",
                "p.surplus_returned_minor",
                "coalesce(l.surplus_returned, 0)",
            ),
            ("authorized", "p.authorized_minor", "coalesce(l.authorized, p.captured_minor)"),
            ("released", "p.released_minor", "coalesce(l.released, 0)"),
            (
                "claimed of what was held",
                "coalesce(l.claimed, 0)",
                "case when l.authorized is null or p.surplus then 0 else p.captured_minor end",
            ),
        ),
        ("payment", "posting", "entry"),
    ),
    Check(
        "postings belong to payments",
        "every movement of a payment's money names a payment that exists, in its currency",
        "select g.company_id, g.id, format('a %s in %s names payment %L%s', g.kind, g.currency,"
        " g.payment_id, ', which is in ' || p.currency), g.at from posting g"
        " left join payment p on p.company_id = g.company_id and p.id = g.payment_id"
        f" where (g.payment_id <> '' or g.kind in ({_OF_PAYMENTS}))"
        " and (p.id is null or p.currency <> g.currency)",
        ("posting", "payment"),
    ),
    Check(
        "postings credit whom they should",
        "each kind of movement debits and credits the accounts that are its own, and those of the"
        " payment's business",
        "select g.company_id, g.id, format('a %s moves %s on %s', g.kind, e.amount_minor,"
        " e.account), g.at from posting g"
        " join entry e on e.company_id = g.company_id and e.posting_id = g.id"
        " left join payment p on p.company_id = g.company_id and p.id = g.payment_id"
        f" where (g.kind in ({_SHAPED}) and {_LEG} not in ({_LEGS}))"
        " or ((e.account like 'merchant:%' or e.account like 'held:%') and p.id is not null"
        "  and e.account not in ('merchant:' || p.business_id, 'held:' || p.business_id))",
        ("posting", "entry", "payment"),
    ),
    Check(
        "orders equal their payments",
        "an order is paid exactly when one payment of it holds its money, or the part of it that"
        " the merchant claimed",
        "select o.company_id, o.id, format('order of %s is %s, paid by %s payments with %s',"
        " o.amount_minor, o.status, coalesce(x.paid, 0), coalesce(x.captured, 0)), o.updated_at"
        f" from orders o left join {_PAYMENTS_OF_ORDER} x"
        "  on x.company_id = o.company_id and x.order_id = o.id"
        f" where (o.status = {one(OrderStatus.PAID)}) <> (coalesce(x.paid, 0) = 1) or x.paid > 1"
        " or (x.paid = 1 and x.captured <> o.amount_minor and not x.in_parts)",
        ("orders", "payment"),
    ),
    Check(
        "orders end with their payments",
        "an order asks what its payments ask, and is open exactly while one of them may be paid",
        "select o.company_id, o.id, format('order of %s %s is %s; of %s payments %s go on,"
        " %s ended, and they ask for %s to %s %s', o.amount_minor, o.currency, o.status,"
        " coalesce(x.payments, 0), coalesce(x.going, 0), coalesce(x.ended, 0), x.least, x.most,"
        " x.highest), o.updated_at"
        f" from orders o left join {_PAYMENTS_OF_ORDER} x"
        "  on x.company_id = o.company_id and x.order_id = o.id"
        " where x.payments is null or x.least <> o.amount_minor or x.most <> o.amount_minor"
        " or x.lowest <> o.currency or x.highest <> o.currency"
        f" or (o.status in {any_of(UNPAID_FOR_GOOD)} and x.going > 0)"
        f" or (o.status = {one(OrderStatus.ACTIVE)} and x.ended = x.payments)",
        ("orders", "payment"),
    ),
    Check(
        "states equal their events",
        "the timeline has every version without a gap, and ends in the payment's status",
        "select coalesce(p.company_id, t.company_id), coalesce(p.id, t.payment_id),"
        " format('status %s version %s, timeline of %s events ends %s',"
        "  coalesce(p.status, 'unknown'), coalesce(p.version, 0), coalesce(t.events, 0),"
        "  coalesce(t.last_status, 'nowhere')), coalesce(t.last_at, p.updated_at)"
        " from payment p full join (select e.company_id, e.payment_id, count(*) as events,"
        "  max(e.seq) as last_seq, max(e.at) as last_at,"
        "  max(e.to_status) filter (where e.is_last) as last_status"
        "  from (select *, lead(seq) over (partition by company_id, payment_id order by seq)"
        "    is null as is_last from payment_event) e"
        "  group by e.company_id, e.payment_id) t"
        " on t.company_id = p.company_id and t.payment_id = p.id"
        " where t.events is distinct from p.version or t.last_seq is distinct from p.version"
        " or t.last_status is distinct from p.status",
        ("payment", "payment_event"),
    ),
    Check(
        "timelines replay",
        "each payment's events, replayed through the transition table, are legal and gapless",
        "select e.company_id, e.payment_id, format('event %s is %s from %s to %s%s', e.seq,"
        " e.event, coalesce(e.from_status, 'nothing'), e.to_status,"
        " case when e.from_status is distinct from e.was"
        "  then ', but the payment was ' || coalesce(e.was, 'nothing') end), e.at"
        " from (select *, lag(to_status) over (partition by company_id, payment_id order by seq)"
        "  as was from payment_event) e"
        " where e.from_status is distinct from e.was"
        f" or (e.was is null and e.event <> '{PaymentEvent.CREATE}')"
        " or (e.was is not null"
        f"  and e.was || ' ' || e.event || ' ' || e.to_status not in ({_MOVES}))",
        ("payment_event",),
    ),
    Check(
        "attempts equal their payment",
        "a payment taken by a provider has exactly the attempts that brought its money, each in"
        " its amount where it was owed, and one at most whose outcome is open",
        "select p.company_id, p.id, format('%s: authorized %s and surplus %s, but %s in succeeded"
        " attempts of %s to %s %s, and %s open', p.status, p.authorized_minor, p.surplus_minor,"
        " coalesce(x.total, 0), x.least, x.most, x.highest, coalesce(x.going, 0)), p.updated_at"
        " from payment p left join (select a.company_id, a.payment_id,"
        f"  coalesce(sum(a.amount_minor) filter (where a.status = {one(AttemptStatus.SUCCEEDED)}"
        "   and v.attempt_id is null), 0) as total,"
        f"  count(*) filter (where a.status in {any_of(UNDECIDED)}) as going,"
        "  min(a.amount_minor) filter (where not a.surplus) as least,"
        "  max(a.amount_minor) filter (where not a.surplus) as most,"
        "  min(a.currency) as lowest, max(a.currency) as highest"
        "  from attempt a left join (select distinct company_id, attempt_id from modification"
        "   where kind = 'void' and surplus) v"  # a reservation that came too late
        "   on v.company_id = a.company_id and v.attempt_id = a.id"
        "  group by a.company_id, a.payment_id) x"
        " on x.company_id = p.company_id and x.payment_id = p.id"
        # A surplus payment may have had a reservation before, which was let go.
        " where coalesce(x.total, 0) not in (p.surplus_minor"
        "  + case when p.surplus and p.released_minor = 0 then 0 else p.authorized_minor end,"
        "  case when p.surplus and p.released_minor > 0 then p.authorized_minor"
        "   else p.surplus_minor + case when p.surplus then 0 else p.authorized_minor end end)"
        " or x.going > 1 or x.least <> p.amount_minor or x.most <> p.amount_minor"
        " or x.lowest <> p.currency or x.highest <> p.currency",
        ("payment", "attempt", "modification"),
    ),
)
