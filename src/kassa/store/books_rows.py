"""Questions about what rows say beside the ledger: their times, and their age against history."""

from kassa.domain import facts
from kassa.domain.older_events import NOTES
from kassa.store.books import Check

_PAYMENT_TIMES = """
select p.company_id, p.id, concat_ws('; ',
    case when p.created_at <> e.first then format('made %s, but %s', p.created_at, e.first) end,
    case when p.updated_at <> e.last then format('changed %s, but %s', p.updated_at, e.last) end,
    case when e.last > now() + interval '1 day' then format('changed %s', e.last) end), e.last
  from payment p join (select x.company_id, x.payment_id, min(x.at) as first, max(x.at) as last
         from payment_event x group by x.company_id, x.payment_id) e
    on e.company_id = p.company_id and e.payment_id = p.id
 where p.created_at <> e.first or p.updated_at <> e.last or e.last > now() + interval '1 day'"""
_ORDER_TIMES = """
select o.company_id, o.id, format('made %s, changed %s; its payments %s to %s', o.created_at,
    o.updated_at, x.first, x.last), o.updated_at
  from orders o join (select p.company_id, p.order_id, min(p.created_at) as first,
         max(p.updated_at) as last from payment p group by p.company_id, p.order_id) x
    on x.company_id = o.company_id and x.order_id = o.id
 where o.updated_at < o.created_at or o.created_at > x.first
    or o.updated_at > now() + interval '1 day'"""


def _older(table: str, member: str, which: str) -> str:
    return f"""
select t.company_id, t.id, format('was last changed %s, but the event of %s names it',
    t.updated_at, e.at), e.at
  from {table} t join (select x.company_id, x.evidence ->> '{member}' as id, max(x.at) as at
         from payment_event x where x.evidence ->> '{member}' <> '' and {which}
        group by 1, 2) e
    on e.company_id = t.company_id and e.id = t.id
 where t.updated_at < e.at"""


def _but(*kinds: str) -> str:
    """Facts of other kinds, in the words of this release or of an older one."""
    named = ", ".join(f"'{kind}'" for kind in kinds)
    notes = ", ".join(sorted(_quoted(note) for note, kind in NOTES.items() if kind in kinds))
    return (
        f"coalesce(x.evidence ->> 'kind', '') not in ({named})"
        f" and coalesce(x.evidence ->> 'note', '') not in ({notes})"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Events that name a row and need not have changed it.
_ENDS = _but(
    facts.ModificationRequested.kind,
    facts.ModificationAmountDiffers.kind,
    facts.RefundUnbooked.kind,
    facts.CaptureUnbooked.kind,
)
_MOVES = _but(facts.DisputeNewsLate.kind, facts.DisputeNotOurs.kind)

ROW_CHECKS = (
    Check(
        "times equal their events",
        "a payment was made and last changed when its first and last event say, an order not"
        " before it was made, and nothing in days to come",
        f"select * from (({_PAYMENT_TIMES}) union all ({_ORDER_TIMES})) x",
        ("payment", "payment_event", "orders"),
    ),
    Check(
        "no row is older than its history",
        "no attempt, change or dispute is as it was before an event that changed it",
        "select * from ("
        + " union all ".join(
            f"({one})"
            for one in (
                _older(
                    "attempt", "attempt", "x.event in ('submit', 'authorize', 'capture', 'decline')"
                ),
                _older("modification", "modification", _ENDS),
                _older("dispute", "dispute", _MOVES),
            )
        )
        + ") x",
        ("payment_event", "attempt", "modification", "dispute"),
    ),
)
PAYMENTS_SEALED = (
    "orders and payments are as this program left them",
    "every column of them that the program alone may change carries its seal",
)
ROWS_SEALED = (
    "all other rows are as this program left them",
    "attempts, changes, disputes, letters, notifications, accounts, rules, credentials, codes and"
    " all else that money or trust hangs on carry its seal",
)
ROWS_RECORDED = (
    "rows without events are as their newest record has them",
    "no company, credential, account, key, rule, payee, wallet user or code, settlement, report"
    " file or break is gone, or was set back to what it was before",
)
