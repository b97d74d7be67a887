"""Provider accounts whose questions go unanswered, and what is asked again once one is answered."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from kassa.domain.lifecycle import AttemptStatus, ModificationStatus, PaymentStatus
from kassa.store.connection import Connection
from kassa.store.statuses import one

_DISPATCHED = one(AttemptStatus.DISPATCHED)
_IN_DOUBT = one(AttemptStatus.IN_DOUBT)
_PROCESSING = one(PaymentStatus.PROCESSING)
_SENT = one(ModificationStatus.PROCESSING)


Account = tuple[str, str]
"""The company whose it is, "" where it is everybody's, and its name."""

# What waits for its payer at a provider's page is not the provider's to decide yet.
_ATTEMPTS = (
    "select a.company_id, a.id, a.next_query_at, a.last_query_at,"
    " coalesce(a.undecided_since, a.created_at) as since"
    " from attempt a join payment p on p.company_id = a.company_id and p.id = a.payment_id"
    " where a.connector = $1 and a.next_query_at > now()"
    f" and (a.status = {_IN_DOUBT} or (a.status = {_DISPATCHED} and p.status = {_PROCESSING}))"
)
_MODIFICATIONS = (
    "select m.company_id, m.id, m.next_query_at, m.last_query_at,"
    " coalesce(m.undecided_since, m.created_at) as since"
    " from modification m where m.connector = $1 and m.next_query_at > now()"
)


async def begin(
    connection: Connection, account: Account, *, before: timedelta, probe: timedelta
) -> None:
    """A question went unanswered: it was asked at most `before` ago. The first one counts."""
    await connection.execute(
        "insert into provider_silence as s (company_id, account, since, probe_at)"
        " values ($1, $2, now() - $3::interval, now() + $4::interval)"
        " on conflict (company_id, account) do update"
        " set since = excluded.since, probe_at = excluded.probe_at where s.since is null",
        *account,
        before,
        probe,
    )


async def is_silent(connection: Connection, account: Account) -> bool:
    found: bool = await connection.fetchval(
        "select exists (select from provider_silence"
        "  where company_id = $1 and account = $2 and since is not null)",
        *account,
    )
    return found


async def end(connection: Connection, account: Account, *, long: timedelta) -> datetime | None:
    """Since when it was silent; None where that was not long, or another process has ended it.

    For so long again after a long silence every one counts: a provider comes back in steps, and
    the processes see it come back one after the other.
    """
    row = await connection.fetchrow(
        "with was as (select company_id, account, since,"
        "     since <= now() - $3::interval as is_long, recovers_until > now() as recovers"
        "   from provider_silence"
        "   where company_id = $1 and account = $2 and since is not null for update)"
        " update provider_silence s set since = null, recovers_until = case"
        "   when was.is_long and not was.recovers then now() + $3::interval"
        "   else s.recovers_until end"
        " from was where s.company_id = was.company_id and s.account = was.account"
        " returning was.since, was.is_long or was.recovers",
        *account,
        long,
    )
    return row[0] if row is not None and row[1] else None


async def due(
    connection: Connection, names: Sequence[str], shortest: timedelta, longest: timedelta
) -> list[Account]:
    """The silent ones that should be probed now, where no question is due anyway. The pause until
    the next time grows with the silence, a hundredth of that, between these two."""
    rows = await connection.fetch(
        "with due as (select company_id, account from provider_silence"
        "   where since is not null and probe_at <= now() and account = any($1)"
        "   and not exists (select from attempt a"
        "     where a.connector = account and a.next_query_at <= now())"
        "   for update skip locked)"
        " update provider_silence s set probe_at ="
        "   now() + greatest($2::interval, least((now() - s.since) / 100, $3::interval))"
        " from due where s.company_id = due.company_id and s.account = due.account"
        " returning s.company_id, s.account",
        list(names),
        shortest,
        longest,
    )
    return [(row[0], row[1]) for row in rows]


async def pull_one(connection: Connection, name: str, *, apart: timedelta) -> bool:
    """Let one thing be asked about now, the one that was asked about longest ago; of charges
    first, then of refunds, captures and voids. `apart`: between two questions about the same."""
    for table, found in (
        ("attempt", _ATTEMPTS),
        ("modification", f"{_MODIFICATIONS} and m.status = {_SENT}"),
    ):
        done = await connection.fetchval(
            f"with one as ({found} and coalesce({table[0]}.last_query_at, '-infinity')"
            f"   <= now() - $2::interval order by {table[0]}.last_query_at nulls first limit 1"
            f"   for update of {table[0]} skip locked)"
            f" update {table} t set next_query_at = now() from one"
            "  where t.company_id = one.company_id and t.id = one.id returning true",
            name,
            apart,
        )
        if done:
            return True
    return False


async def pull_forward(
    connection: Connection, name: str, since: datetime, *, per_second: int, apart: timedelta
) -> int:
    """Let everything be asked about soon that was asked about since then, so many a second, the
    newest first; returns how much that is.

    What somebody else is changing at this moment is left to them: nothing waits here, so that
    nobody can wait for each other.
    """
    done = await connection.execute(
        f"with a as materialized ({_ATTEMPTS} and a.last_query_at >= $2"
        "    for update of a skip locked),"
        f" m as materialized ({_MODIFICATIONS} and m.last_query_at >= $2"
        "    for update of m skip locked),"
        " plan as (select x.*, now() + interval '1 second' * ((row_number()"
        "     over (order by x.since desc, x.id) - 1) / $3::float8) as at"
        "   from (select * from a union all select * from m) x),"
        " plan_of as (select company_id, id, least(next_query_at,"
        "     greatest(at, last_query_at + $4::interval)) as at from plan),"
        " charges as (update attempt t set next_query_at = o.at from plan_of o"
        "   where t.company_id = o.company_id and t.id = o.id returning t.id),"
        " rest as (update modification t set next_query_at = o.at from plan_of o"
        "   where t.company_id = o.company_id and t.id = o.id returning t.id)"
        " select from charges union all select from rest",
        name,
        since,
        per_second,
        apart,
    )
    return int(done.split()[-1])
