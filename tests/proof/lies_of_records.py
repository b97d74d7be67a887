"""Lies in rows that have no events: one is gone, or is what it was before, with its old seal."""

from tests.proof.lies_of_the_chain import queue

from kassa.proof.store.cover import COVERS, key_sql
from kassa.proof.store.records import RECORDED

_RECORDED = "rows without events are as their newest record has them"
_ROWS = "all other rows are as this program left them"
_CHAINED = "the records are chained"
_OURS = "what waits for the chain is ours"
_NEXT = (
    "insert into row_record select home, company_id, key, version + 1, {digest}, at, seal"
    " from row_record where home = 'credential' and version = 2"
)


def _set_back(home: str) -> str:
    """To the version that was set aside, in all that the program has changed since."""
    cover = COVERS[home]
    columns = ", ".join(f"{name} = o.{name}" for name in (*cover.own("seal"), "seal"))
    same = " and ".join(f"o.{name} = t.{name}" for name in cover.key)
    return f"update {home} t set {columns} from aside.{home} o where {same} and o.seal <> t.seal"


# What a forged row has of its own, the rest is another's; what it is called, and its key.
_FORGED = {
    "route_rules": ("'version', 9", "9", "cmp_shop,9"),
    "audit": ("'company_id', 'cmp_shop', 'id', 'au_9'", "au_9", "cmp_shop,au_9"),
    "staff": ("'id', 'sf_9', 'login', 'eve'", "eve", "sf_9"),
    "staff_role": ("'business_id', 'biz_9'", "sf_1", "sf_1,cmp_shop,biz_9"),
    "staff_code": (r"'code_hash', '\x09'", "sf_1", "sf_1,09"),
    "staff_session": (r"'id', 'ss_9', 'secret_hash', '\x09'", "ss_9", "ss_9"),
    "company": (
        "'id', 'cmp_9', 'public_id', 'cmp_9', 'number', 9, 'business_id', 'biz_9'",
        "cmp_9",
        "cmp_9",
    ),
    "business": ("'id', 'biz_9'", "biz_9", "cmp_shop,biz_9"),
    "credential": ("'lookup', 'key:forged'", "key:forged", "key:forged"),
    "provider_account": ("'name', 'forged'", "forged", "cmp_shop,forged"),
    "webhook_secret": ("'version', 9", "webhook secret 9", "cmp_shop,9"),
    "company_key": ("'version', 9", "key 9", "cmp_shop,9"),
    "fee_rule": ("'id', 'fr_9'", "fr_9", "cmp_shop,fr_9"),
    "payee": (r"'id', 'pe_9', 'account_hash', '\x09'", "pe_9", "cmp_shop,pe_9"),
    "wallet_user": ("'id', 'wu_forged'", "wu_forged", "cmp_shop,wu_forged"),
    "wallet_code": (
        r"'code_hash', '\x09', 'id', 'wc_9', 'user_id', 'wu_eve'",
        "wu_eve",
        "cmp_shop,09",
    ),
    "wallet_agreement": (
        r"'id', 'wa_9', 'place_hash', '\x09'",
        "wa_9",
        "cmp_shop,wa_9",
    ),
    "settlement": (
        "'id', 'st_9', 'number', 99, 'currency', 'AED', 'payout_reference', 'x'",
        "st_9",
        "cmp_shop,st_9",
    ),
    "payout": ("'id', 'pt_9', 'number', 9", "pt_9", "cmp_shop,pt_9"),
    "report_file": ("'id', 'rf_9', 'sha256', 'forged'", "rf_9", "cmp_shop,rf_9"),
    "report_break": ("'id', 'rb_9', 'file_id', 'forged'", "rb_9", "cmp_shop,rb_9"),
}


def _forge(home: str) -> str:
    cover = COVERS[home]
    columns = ", ".join((*cover.key, *cover.own("birth"), *cover.own("seal")))
    return (
        f"insert into {home} ({columns}) select {columns} from jsonb_populate_record(null::{home},"
        f" (select to_jsonb(t) from {home} t limit 1) || jsonb_build_object({_FORGED[home][0]}))"
    )


def _lies() -> dict[str, tuple[str, str, str]]:
    lies = {}
    for home in RECORDED:
        row, newest = f"{home} {{{home} row}}", f"{{{home} newest}}"
        lies[f"a row of {home} is gone"] = (
            _RECORDED,
            row,
            f"delete from {home} t where {key_sql(home)} = '{{{home} row}}'",
        )
        _, called, key = _FORGED[home]
        lies[f"a row of {home} was slipped in"] = _ROWS, called, _forge(home)
        lies[f"a row of {home} was slipped in and has no record"] = (
            _RECORDED,
            f"{home} {{{{{key}}}}}",
            _forge(home),
        )
        if COVERS[home].appended:
            continue
        lies[f"a row of {home} was set back"] = (_RECORDED, row, _set_back(home))
        lies[f"a row of {home} was set back, and nobody knows better"] = (
            _CHAINED,
            f"{row} record {newest}",
            f"{_set_back(home)}; delete from row_record"
            f" where home = '{home}' and key = '{{{home} row}}' and version = {newest}",
        )
    return lies


LIES: dict[str, tuple[str, str, str]] = _lies() | {
    "a record between two others is gone": (
        _RECORDED,
        "credential {credential row}",
        "delete from row_record where home = 'credential' and version = 1",
    ),
    "no record says that there was a credential": (
        _CHAINED,
        "credential {credential row} record 1",
        "delete from row_record where home = 'credential'; delete from credential",
    ),
    "a route rule is gone with its record": (
        _CHAINED,
        "route_rules {route_rules row} record 1",
        "delete from row_record where home = 'route_rules'; delete from route_rules",
    ),
    "an act is gone from the audit with its record": (
        _CHAINED,
        "audit {audit row} record 1",
        "delete from row_record where home = 'audit'; delete from audit",
    ),
    "an act in the audit names somebody else": (
        _ROWS,
        "{audit id}",
        "update audit set actor = 'os:eve' where id = '{audit id}'",
    ),
    "a record was edited": (
        _CHAINED,
        "credential {credential row} record 2",
        "update row_record set digest = (select digest from row_record where home = 'credential'"
        f" and version = 1) where home = 'credential' and version = 2; {_set_back('credential')}",
    ),
    "a record was forged": (
        _CHAINED,
        "credential {credential row} record 3",
        _NEXT.replace(
            "{digest}", "(select digest from row_record where home = 'credential' and version = 1)"
        )
        + f"; {_set_back('credential')}",
    ),
    "a record was forged and waits for its link": (
        _OURS,
        "credential {credential row} record 3",
        _NEXT.replace("{digest}", "digest")
        + "; "
        + queue("record", "credential {credential row}", 3),
    ),
}
