"""Whether everything that nobody knows yet has a date on which somebody looks again."""

from kassa.domain.lifecycle import PENDING, UNDECIDED
from kassa.domain.questions import FURTHEST
from kassa.store.books import Check
from kassa.store.statuses import any_of

_FAR = f"now() + interval '{FURTHEST.days} days'"
_LONGEST_HELD = "now() + interval '400 days'"  # no provider reserves funds for longer


def _undated(table: str, key: str, date: str, waits: str, since: str, far: str = _FAR) -> str:
    """What waits, and is looked at never or absurdly late."""
    return (
        f"select t.company_id, {key}, format('waits, and is due %s',"
        f" coalesce('at ' || t.{date}, 'never')), t.{since} from {table} t"
        f" where ({waits}) and (t.{date} is null or t.{date} > {far})"
    )


DATE_CHECKS = (
    Check(
        "what is undecided has a next date",
        "each charge, change, notification, letter and end that is not decided yet is due on a day"
        " that comes, and so is the end of each reservation",
        " union all ".join(
            (
                _undated(
                    "attempt",
                    "t.id",
                    "next_query_at",
                    f"t.status in {any_of(UNDECIDED)}",
                    "updated_at",
                ),
                _undated(
                    "modification",
                    "t.id",
                    "next_query_at",
                    f"t.status in {any_of(PENDING)}",
                    "updated_at",
                ),
                _undated(
                    "provider_news",
                    "t.account || '/' || t.dedupe_key",
                    "next_at",
                    "t.applied_at is null and t.result = ''",
                    "received_at",
                ),
                _undated("announcement", "t.id", "next_at", "t.state = 'waiting'", "created_at"),
                _undated("orders_termination", "t.order_id", "next_at", "true", "asked_at"),
                _undated(
                    "payment",
                    "t.id",
                    "authorization_expires_at",
                    "t.authorized_minor > t.captured_minor + t.released_minor",
                    "updated_at",
                    _LONGEST_HELD,
                ),
            )
        ),
        (
            "attempt",
            "modification",
            "provider_news",
            "announcement",
            "orders_termination",
            "payment",
        ),
    ),
)
