"""What covers each column of each table: a seal, another check, or a reason why it needs none.

The one place that a new column has to be entered in. `birth` seals what never changes, and is
made once, with the row; `seal` what the program changes, anew with each change.

Neither's list of columns ever changes: it has sealed rows. A new column joins as the next version
(`Joined`); decision 0050 has the steps.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from types import NoneType
from typing import Any

import msgspec

from kassa.base.store.seals import SIZE, Seals, as_json
from kassa.proof.store.canon import array_text, instant, jsonb_text
from kassa.proof.store.covering import Cover, Joined, label_of

_BYTES = frozenset(
    "account_hash body code_hash content earlier_hash headers_hash place_hash sealed secret_hash"
    " wrapped".split()
)
"""Columns that are bytea, in tables that have seals."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _is_time(column: str) -> bool:
    return column in _TIMES or column.endswith(("_at", "_from", "_until", "_since"))


_TIMES = frozenset({"at", "respond_by"})


# What is set when the row is read to be asked about again, or is told beside the row's truth.
_ASKED = "when it is asked about: 'what is undecided has a next date' looks at it"
_DEFAULT = "made by the database, and nothing hangs on it"
_BEFORE = "{} < (select applied_at from public.schema_migration where number = 19)"
_COPY = "checked against the ledger: "
_INSTALLATION = "':installation'"  # of no company
_SPENT = "of a pay code, which runs out and names its payment, or of its own client alone"

COVERS: dict[str, Cover] = {
    "orders": Cover(
        key=("company_id", "id"),
        birth=_words(
            "business_id amount_minor currency module customer_id customer_number customer_name"
            " customer_email customer_phone org_number description note tags return_url notify_url"
            " notify_kind payment_methods session_token face request_scope request_id fingerprint"
            " extra created_at expires_at"
        ),
        joined=(Joined(part="birth", was={"personal": "''"}),),
        open={
            "personal_key": "what it opens is sealed; to destroy it is to erase that",
            "status": "'orders equal their payments' and 'orders end with their payments'",
            "updated_at": "'times equal their events'",
        },
    ),
    "payment": Cover(
        key=("company_id", "id"),
        birth=_words(
            "order_id business_id amount_minor currency module retry_allowed capture_method"
            " created_at expires_at"
        ),
        seal=_words(
            "status method authorized_minor captured_minor refunded_minor refund_reserved_minor"
            " fee_minor surplus surplus_minor payer subject description connector"
            " provider_reference instrument redirect_url redirect_expires_at failure_code"
            " failure_message extra updated_at captured_at version released_minor"
            " surplus_returned_minor surplus_reserved_minor disputed_minor double_paid_minor"
            " settled_minor expected_fee_minor fee_known authorization_expires_at modifications"
            " disputes number"
        ),
        joined=(Joined(part="seal", was={"unapplied_minor": "0"}),),
    ),
    "attempt": Cover(
        key=("company_id", "id"),
        seal=_words(
            "payment_id number connector method status amount_minor currency instrument"
            " provider_reference failure_code failure_message created_at updated_at surplus"
            " undecided_since"
        ),
        open=dict.fromkeys(("query_count", "next_query_at", "last_query_at"), _ASKED),
    ),
    "modification": Cover(
        key=("company_id", "id"),
        seal=_words(
            "payment_id attempt_id number kind status amount_minor currency connector surplus"
            " is_last reason actor face request_scope request_id fingerprint provider_reference"
            " fee_minor failure_code failure_message created_at updated_at completed_at extra"
            " undecided_since"
        ),
        joined=(Joined(part="seal", was={"notify_url": "''"}),),
        open=dict.fromkeys(("query_count", "next_query_at", "last_query_at"), _ASKED),
    ),
    "dispute": Cover(
        key=("company_id", "id"),
        seal=_words(
            "payment_id attempt_id number connector provider_reference stage status reason"
            " amount_minor fee_minor currency withdrawn double_paid_minor respond_by opened_at"
            " updated_at closed_at"
        ),
        joined=(
            Joined(
                part="seal",
                was={
                    "taken_minor": "case when t.withdrawn then t.amount_minor else 0 end",
                    "booked_currency": "t.currency",
                    "tells_taken": "false",
                    "said": "'{}'::jsonb",
                },
            ),
            Joined(
                part="seal",
                was={
                    "kind": r"case when t.provider_reference like '%/failed\_later'"
                    " then 'return' else 'dispute' end"
                },
            ),
        ),
        since="t.opened_at",
    ),
    # An append-only table: what was there before the seals can get none.
    "provider_answer": Cover(
        key=("company_id", "id"),
        birth=_words("payment_id about account outcome at"),
        since="t.at",
        appended=True,
        unborn=_BEFORE.format("t.at"),
    ),
    "announcement": Cover(
        key=("company_id", "id"),
        birth=_words("payment_id version kind url event_type created_at"),
        seal=_words("state epoch"),
        joined=(
            Joined(part="birth", was={"agreement_id": "null"}),
            Joined(part="birth", was={"content": "null", "recipient": "''"}),
        ),
        unsealed="t.state = 'waiting'",
        open={
            **dict.fromkeys(
                ("tries", "next_at"), "of a letter that waits, or goes out once more: harmless"
            ),
            **dict.fromkeys(
                ("last_status", "last_error", "delivered_at"),
                "what the receiver said, for people to read",
            ),
        },
    ),
    "provider_news": Cover(
        key=("company_id", "account", "dedupe_key"),
        birth=_words("headers body"),
        seal=_words("news"),
        called="t.account || ' ' || t.dedupe_key",
        since="t.received_at",
        open={
            "received_at": _DEFAULT,
            **dict.fromkeys(
                ("attempt_id", "applied_at", "result", "tries", "next_at"),
                "whether it was applied: the event that it made names it, and is chained",
            ),
        },
    ),
    "route_rules": Cover(
        key=("company_id", "version"),
        birth=_words("rules actor"),
        called="t.version::text",
        open={"created_at": _DEFAULT},
        appended=True,
        unborn=_BEFORE.format("t.created_at"),
        recorded=True,
    ),
    "audit": Cover(
        key=("company_id", "id"),
        birth=_words("at actor act object before after reason request_id address"),
        since="t.at",
        appended=True,
        recorded=True,
    ),
    "staff": Cover(
        key=("id",),
        seal=_words("login status password_hash sealed created_at created_by"),
        open={
            "totp_step": "which one-time code served last; back by one it serves within a minute",
            "signed_in_at": "for people to read; the audit has each time",
        },
        called="t.login",
        company=_INSTALLATION,
        recorded=True,
    ),
    "staff_role": Cover(
        key=("staff_id", "company_id", "business_id"),
        seal=_words("role granted_at granted_by"),
        called="t.staff_id",
        since="t.granted_at",
        recorded=True,
    ),
    "staff_code": Cover(
        key=("staff_id", "code_hash"),
        seal=_words("kind created_at expires_at used_at"),
        called="t.staff_id",
        company=_INSTALLATION,
        recorded=True,
    ),
    "staff_session": Cover(
        key=("id",),
        seal=_words("staff_id secret_hash address created_at expires_at ended_at"),
        open={"last_seen_at": "to the minute; later it lives until it expires"},
        company=_INSTALLATION,
        recorded=True,
    ),
    # What operators set up: read back after each change, and sealed in the same transaction.
    "company": Cover(
        key=("id",),
        seal=_words("public_id number name currency business_id status mode sandbox created_at"),
        joined=(Joined(part="seal", was={"webhook_secret_derived": "true"}),),
        company="t.id",
        recorded=True,
    ),
    "credential": Cover(
        key=("lookup",),
        seal=_words("company_id business_id kind name secret_hash public_keys status created_at"),
        joined=(
            Joined(part="seal", was={"settings": "'{}'::jsonb"}),
            Joined(
                part="seal",
                was={
                    "permissions": "case t.kind"
                    """ when 'api_key' then '["business:*", "gateway:*"]'::jsonb"""
                    """ when 'orders_client' then '["orders:*"]'::jsonb"""
                    """ when 'jwt_key' then '["checkout:*"]'::jsonb"""
                    """ else '["wallet:*"]'::jsonb end""",
                    "networks": "'[]'::jsonb",
                    "key_terms": "'{}'::jsonb",
                    "created_by": "''",
                    "expires_at": "null",
                    "earlier_hash": "null",
                    "earlier_until": "null",
                },
            ),
        ),
        open={"last_used_at": "for people: nothing hangs on it"},
        called="t.lookup",
        recorded=True,
    ),
    "provider_account": Cover(
        key=("company_id", "name"),
        seal=_words(
            "connector mode status country settings sealed key_version version created_at"
            " updated_at"
        ),
        open={"active_mode": "made by the database of `status` and `mode`"},
        called="t.name",
        recorded=True,
    ),
    "company_key": Cover(
        key=("company_id", "version"),
        seal=_words("wrapped_by wrapped created_at"),
        called="'key ' || t.version",
        recorded=True,
    ),
    "fee_rule": Cover(
        key=("company_id", "id"),
        seal=_words(
            "kind connector method currency rate_ppm fixed_minor valid_from valid_until created_at"
        ),
        recorded=True,
    ),
    "payee": Cover(
        key=("company_id", "id"),
        seal=_words(
            "account_type account_hash account_shown account_name bank_name provider_account"
            " status created_at"
        ),
        recorded=True,
    ),
    "business": Cover(key=("company_id", "id"), seal=_words("name created_at"), recorded=True),
    "wallet_user": Cover(key=("company_id", "id"), seal=_words("status created_at"), recorded=True),
    "wallet_code": Cover(
        key=("company_id", "code_hash"),
        birth=_words("id user_id kind client_id limit_minor limit_currency expires_at created_at"),
        seal=_words("revoked_at"),
        joined=(Joined(part="birth", was={"agreement_id": "null"}),),
        open=dict.fromkeys(("used_at", "used_for"), _SPENT),
        called="t.user_id",
        recorded=True,
    ),
    "wallet_agreement": Cover(
        key=("company_id", "id"),
        seal=_words(
            "business_id client_id place_hash belongs_to auth_client_id scopes redirect_url"
            " notify_url auth_state created_at expires_at status user_id answered_at"
            " code_expires_at generation access_expires_at refresh_expires_at ended_at ended_by"
            " version"
        ),
        joined=(Joined(part="seal", was={"key_version": "1"}),),
        recorded=True,
    ),
    "webhook_secret": Cover(
        key=("company_id", "version"),
        seal=_words("sealed wrapped_by created_at ends_at"),
        called="'webhook secret ' || t.version",
        recorded=True,
    ),
    "settlement": Cover(
        key=("company_id", "id"),
        seal=_words(
            "number connector currency status payments_minor refunds_minor disputes_minor"
            " fees_minor other_minor carried_over_minor net_minor payout_reference opened_at"
            " closed_at paid_at"
        ),
        since="t.opened_at",
        recorded=True,
    ),
    "payout": Cover(
        key=("company_id", "id"),
        seal=_words(
            "settlement_id number reference currency amount_minor status begun_at ended_at"
            " posting_id return_posting_id why"
        ),
        since="t.begun_at",
        recorded=True,
    ),
    "report_file": Cover(
        key=("company_id", "id"),
        seal=_words(
            "connector sha256 name state position counts totals covers_from covers_until actor"
            " started_at finished_at"
        ),
        since="t.started_at",
        recorded=True,
    ),
    "report_break": Cover(
        key=("company_id", "id"),
        seal=_words(
            "class connector file_id place payment_id cause currency expected_minor found_minor"
            " details owner status opened_at resolution resolved_by resolved_at posting_id"
        ),
        since="t.opened_at",
        recorded=True,
    ),
}

_CHAINED = "'the timeline is chained' and 'the ledger is chained'"
_CHAIN = "'the chain is whole'"
_WORK = "work in hand: it ends with an event, or nobody's money hangs on it"

UNCOVERED: dict[str, Mapping[str, str]] = {
    "payment_event": {"*": _CHAINED, "seal": "asked for until the row has its link"},
    "posting": {"*": _CHAINED, "seal": "asked for until the row has its link"},
    "entry": {"*": _CHAINED},
    "row_record": {"*": "'the records are chained'", "seal": "asked for until it has its link"},
    "chain_link": {"*": _CHAIN},
    "chain_block": {"*": _CHAIN},
    "unchained": {"*": "'what waits for the chain is ours'; a row without link or place is found"},
    "chain_refusal": {"*": "a list for people; the row itself is found while it stands"},
    "wallet_balance": {"*": _COPY + "'wallet balances equal the ledger'"},
    "wallet_day": {"*": _COPY + "'wallet days equal the ledger'"},
    "settlement_line": {"*": _COPY + "'settlement lines equal the ledger'"},
    "report_match": {"*": _COPY + "'payments equal their reports'"},
    "report_line": {"*": "what the file says, to be compared with it: its sha256 is sealed"},
    "counter": {"*": "the next number: a number given twice is refused by a unique index"},
    "orders_answer": {"*": "what was answered, for a caller who asks again; no rule reads it"},
    "orders_termination": {"*": _WORK},
    "provider_silence": {"*": "how a provider does at the moment"},
    "delivery": {"*": "how a try went, for people; what was told is sealed with the letter"},
    "foreign_news": {"*": "a count for people; no rule reads it"},
    "wallet_guess": {"*": "how often somebody guessed lately"},
    "schema_migration": {"*": "checked against the program's own scripts at every start"},
}
"""Tables, or columns of them, without seals, and why. `*`: all that are not named."""


def _json(value: Any) -> str:
    return jsonb_text(value) if value else _EMPTY[type(value)]


_EMPTY: Mapping[type, str] = {dict: "{}", list: "[]", tuple: "[]"}


class _Texts(dict[type, Callable[[Any], str | None]]):
    """How what is of a type is written; an enumeration, or what comes by another name, as `str`."""

    def __missing__(self, kind: type) -> Callable[[Any], str | None]:
        self[kind] = str
        return str


_KNOWN: Mapping[type, Callable[[Any], str | None]] = {
    NoneType: lambda _: None,
    int: repr,  # most of a payment's columns; a third quicker than `str`
    bool: {True: "true", False: "false"}.__getitem__,
    bytes: bytes.hex,
    datetime: instant,
    **dict.fromkeys(_EMPTY, _json),
}
_TEXTS = _Texts(_KNOWN)


def _text(value: Any) -> str | None:
    return _TEXTS[type(value)](value)


def digest(home: str, part: str, row: Mapping[str, Any]) -> bytes:
    """Of a row as it is to be written, exactly as `digest_sql` takes it of one that stands."""
    return digest_of(home, part, COVERS[home].taken[part].values(row))


def digest_of(home: str, part: str, values: Sequence[Any]) -> bytes:
    """The same, of the values of `Cover.columns(part)`."""
    said: list[str | None] = [home, COVERS[home].taken[part].label]
    said += [one if type(one) is str else _TEXTS[type(one)](one) for one in values]
    return sha256(msgspec.json.encode(said)).digest()


def digest_sql(home: str, part: str, version: int | None = None) -> str:
    """Of a row `t`, for that version of the seal; None: for one that is to be made."""
    cover = COVERS[home]
    label = label_of(part, version or cover.newest(part))
    columns = ", ".join(_column_sql(name) for name in cover.columns(part, version))
    said = f"array_to_json(array['{home}', '{label}', {columns}])::text"
    return f"sha256(convert_to({said}, 'UTF8'))"


def sealed_digest_sql(home: str, part: str) -> str:
    """Of a row `t`, for the version of the seal that it has; null where no seal can fit it."""
    cover = COVERS[home]
    newest = cover.newest(part)
    if newest == 1:
        return digest_sql(home, part)
    seal = f"t.{part}"
    cases = []
    for version in range(1, newest + 1):
        kept = [
            f"t.{name} is not distinct from ({value})"
            for name, value in cover.was(part, version).items()
        ]
        cases.append(
            f"when {version} then case when {' and '.join(kept) or 'true'}"
            f" then {digest_sql(home, part, version)} end"
        )
    version_sql = (
        f"case when {seal} is null or octet_length({seal}) = {SIZE} then 1"
        f" when octet_length({seal}) = {SIZE + 1} then get_byte({seal}, 0) end"
    )
    return f"case {version_sql} {' '.join(cases)} end"


def _column_sql(name: str) -> str:
    if _is_time(name):
        return f"encode(timestamptz_send(t.{name}), 'hex')"
    if name in _BYTES:
        return f"encode(t.{name}, 'hex')"
    return f"t.{name}::text"


def key_sql(home: str) -> str:
    """What a row `t` is called in its records."""
    return f"array[{', '.join(_column_sql(name) for name in COVERS[home].key)}]::text"


def key_of(home: str, row: Mapping[str, Any]) -> str:
    """As `key_sql`, of a row that is to be written."""
    return array_text([_text(row[name]) for name in COVERS[home].key])


def seal_for(seals: Seals, home: str, part: str, said: bytes) -> bytes:
    """The seal of a row of which `digest` said that. From the second version on it begins with its
    version, which is in the digest as well."""
    return COVERS[home].taken[part].mark + seals.of(f"{home}.{part}", said)


def is_genuine(seals: Seals, home: str, part: str, said: bytes | None, seal: bytes | None) -> bool:
    """Whether a seal fits a row of which `sealed_digest_sql` said that."""
    if said is None or seal is None:
        return False
    mark, seal = seal[:-SIZE], seal[-SIZE:]
    known = not mark or 1 < int.from_bytes(mark, "big") <= COVERS[home].newest(part)
    return known and seals.fits(f"{home}.{part}", said, seal)


def seal_of(seals: Seals, home: str, part: str, row: Mapping[str, Any]) -> bytes:
    """The seal of a row that is to be written, by the names of its columns."""
    return seal_for(seals, home, part, digest(home, part, row))


def with_seals(
    seals: Seals, home: str, rows: Sequence[dict[str, Any]], *parts: str
) -> list[dict[str, Any]]:
    """These rows, to be written by way of JSON, with their seals: of these parts, or all."""
    for part in parts or COVERS[home].parts:
        for row in rows:
            row[part] = as_json(seal_of(seals, home, part, row))
    return list(rows)
