"""Questions that only the chain can answer: was a row of history edited, deleted, or slipped in?"""

from kassa.store.books import Check

# When a transaction wrote it, told by the blocks that were sealed before and after: transaction
# ids grow, and blocks have times.
_BETWEEN = """
  select max(b.at) filter (where age(b.xmin) > a.age) as earliest,
      min(b.at) filter (where age(b.xmin) < a.age) as latest
    from (select {age} as age) a, public.chain_block b
   where b.company_id = x.company_id and (k.at is null or b.at >= k.at)"""
_SEALED = """
  select b.at from public.chain_block b where b.company_id = x.company_id
     and x.link between b.first_link and b.last_link limit 1"""


def _chained(kind: str, rows: str, age: str, named: str) -> str:
    """Every row of `rows` (company_id, key, number, at, digest) has its link, and the reverse."""
    return f"""
select x.company_id, {named}, case
    when x.link is null then 'was added and has no link in the chain'
    when x.gone then 'is gone; link ' || x.link || ' has it since ' || coalesce(k.at::text, '?')
    else 'differs from link ' || x.link || ' of ' || coalesce(k.at::text, '?') end
    || coalesce('; written after ' || t.earliest, '') || coalesce(' and before ' || t.latest, ''),
    coalesce(t.earliest, k.at, x.at)
  from (select coalesce(e.company_id, l.company_id) as company_id, coalesce(e.key, l.key) as key,
            coalesce(e.number, l.number) as number, e.at, e.key is null as gone, l.seq as link
          from ({rows}) e
          full join (select * from chain_link where kind = '{kind}') l
            on l.company_id = e.company_id and l.key = e.key and l.number = e.number
          left join (select u.company_id, q.key, q.number
                  from unchained u, unnest(u.keys, u.numbers) as q(key, number)
                 where u.kind = '{kind}') q
            on q.company_id = e.company_id and q.key = e.key and q.number = e.number
         where e.digest is distinct from l.digest
           and (l.seq is not null or q.key is null)) x
  left join lateral ({_SEALED}) k on true
  left join lateral ({_BETWEEN.format(age=age)}) t on not x.gone
"""


_EVENTS = """
select company_id, payment_id as key, seq as number, at, event_digest(company_id, payment_id, seq,
    event, from_status, to_status, actor, evidence, at) as digest
  from payment_event"""
_EVENT_AGE = """(select age(e.xmin) from public.payment_event e
  where e.company_id = x.company_id and e.payment_id = x.key and e.seq = x.number)"""

_POSTINGS = """
select p.company_id, p.id as key, 0::bigint as number, p.at, posting_digest(p.company_id, p.id,
    p.kind, p.currency, p.payment_id, p.cause, p.at, e.entries) as digest
  from posting p left join (select company_id, posting_id,
         string_agg(entry_text(leg, account, currency, amount_minor), '' order by leg) as entries
         from entry group by company_id, posting_id) e
    on e.company_id = p.company_id and e.posting_id = p.id"""
_POSTING_AGE = """(select min(a.age) from (
  select age(p.xmin) from public.posting p where p.company_id = x.company_id and p.id = x.key
  union all select age(e.xmin) from public.entry e
   where e.company_id = x.company_id and e.posting_id = x.key) a)"""

_RECORDS = """
select company_id, home || ' ' || key as key, version as number, at,
    record_digest(company_id, home, key, version, digest, at) as digest
  from row_record"""
_RECORD_AGE = """(select age(e.xmin) from public.row_record e
  where e.home = split_part(x.key, ' ', 1) and e.company_id = x.company_id
    and e.key = substr(x.key, strpos(x.key, ' ') + 1) and e.version = x.number)"""

CHAIN_CHECKS = (
    Check(
        "the timeline is chained",
        "every event is as it was when it was chained, none is gone, and none was slipped in",
        _chained("event", _EVENTS, _EVENT_AGE, "format('%s event %s', x.key, x.number)"),
        ("payment_event", "chain_link", "unchained"),
    ),
    Check(
        "the ledger is chained",
        "every posting with its entries is as it was when it was chained, none is gone, and none"
        " was slipped in",
        _chained("posting", _POSTINGS, _POSTING_AGE, "x.key"),
        ("posting", "entry", "chain_link", "unchained"),
    ),
    Check(
        "the records are chained",
        "every record of a row is as it was when it was chained, none is gone, and none was"
        " slipped in",
        _chained("record", _RECORDS, _RECORD_AGE, "format('%s record %s', x.key, x.number)"),
        ("row_record", "chain_link", "unchained"),
    ),
)
OURS = (
    "what waits for the chain is ours",
    "every event, posting and record that has no link yet carries the seal of the program that"
    " wrote it",
)
SEALED = (
    "the chain is whole",
    "every block is sealed onto the one before, holds all of its links in their order, and none"
    " that was known is gone",
)
