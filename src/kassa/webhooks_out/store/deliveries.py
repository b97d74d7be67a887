"""The outbox of webhook events and how far their delivery is; row state, never a cursor."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from kassa.base.store.connection import Connection
from kassa.base.store.mapping import reader
from kassa.base.store.queries import Queries, Rows, Value
from kassa.base.store.seals import seals_of
from kassa.payments.domain.changes import WebhookEvent
from kassa.proof.store.cover import seal_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A webhook event this worker may deliver until `lease_until`; `epoch` fences late writers."""

    announcement: WebhookEvent
    tries: int
    epoch: int
    company_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How a try went. `status` None: no answer came. `answer`: the start of what was said."""

    delivered: bool
    status: int | None = None
    error: str = ""
    answer: str = ""
    milliseconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPlaces:
    """Whose letters may set out. `free`: how many in all, of which `kept` only for companies that
    have none under way. `per_company`, `per_address`: most under way at once. `companies`,
    `addresses`: how many of each are under way already. `live`: also those of live sides.
    """

    free: int
    kept: int = 0
    per_company: int = 1_000
    per_address: int = 1_000
    live: bool = True
    companies: Mapping[str, int] = field(default_factory=dict)
    addresses: Mapping[str, int] = field(default_factory=dict)


class Sql(Queries, readers=[reader(Leased, prefixes={"announcement": ""})]):
    lease: Rows[Leased]
    report: Value[bool]


async def lease(
    connection: Connection, lease_for: timedelta, places: DeliveryPlaces
) -> list[Leased]:
    """Take due webhook events; one that nobody reports back on is due again after the lease.

    The companies take turns, those with the fewest under way first, so that ten thousand letters
    of one delay no letter of another's; and no address takes more than its places. Of one payment
    only the oldest undelivered version's first try goes before a newer one's.
    """
    full = [url for url, many in places.addresses.items() if many >= places.per_address]
    return await Sql.lease.all(
        connection,
        places.free,
        lease_for,
        list(places.companies),
        list(places.companies.values()),
        full,
        2 * min(places.per_company, places.free),
        places.per_company,
        list(places.addresses),
        list(places.addresses.values()),
        places.per_address,
        places.kept,
        places.live,
    )


async def report(
    connection: Connection,
    leased: Leased,
    *,
    tried: Tried,
    next_in: timedelta | None,
) -> bool:
    """Write down how the delivery went; False when somebody else has taken it over since.

    `next_in` None and not delivered: there is no further try, the letter is dead.
    """
    state = "delivered" if tried.delivered else "waiting" if next_in is not None else "dead"
    done = await Sql.report.first(
        connection,
        leased.announcement.company_id,
        leased.announcement.id,
        leased.epoch,
        state,
        next_in,
        tried.status,
        tried.error,
        None if state == "waiting" else _end(connection, leased, state),
        tried.milliseconds,
        tried.answer,
    )
    return bool(done)


def _end(connection: Connection, leased: Leased, state: str) -> bytes:
    """The seal of a letter that waits no longer."""
    about = leased.announcement
    row = {
        "company_id": about.company_id,
        "id": about.id,
        "state": state,
        "epoch": leased.epoch,
    }
    return seal_of(seals_of(connection), "announcement", "seal", row)
