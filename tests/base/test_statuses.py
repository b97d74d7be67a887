"""The sets of statuses that the database has written down are those of base/domain/lifecycle.py.

A CHECK, a partial index, a trigger and a generated column each repeat a set, in migrations that
are never edited. Each is compared here with the table it repeats.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import asyncpg
import pytest

from kassa.base.domain import lifecycle as of
from kassa.base.domain.lifecycle import (
    AgreementStatus,
    AttemptStatus,
    BreakStatus,
    CompanyStatus,
    CredentialStatus,
    DisputeKind,
    DisputeStage,
    DisputeStatus,
    ModificationKind,
    ModificationStatus,
    OrderStatus,
    PayeeStatus,
    PaymentStatus,
    PayoutStatus,
    SettlementStatus,
    StaffStatus,
    WalletUserStatus,
)
from kassa.base.store.statuses import PLACES, any_of, one
from kassa.fees.domain.fees import FeeKind
from kassa.identity.domain.principals import Mode
from kassa.payments.domain.payments import CaptureMethod
from kassa.providers.domain.providers import AccountStatus
from kassa.wallet.domain.wallet_codes import LASTING, CodeKind

pytestmark = pytest.mark.anyio
Said = Mapping[str, Collection[str]]

EXPECTED: Mapping[str, Said] = {
    # Every status there is, and no other.
    "orders_status_check": {"status": OrderStatus},
    "staff_status_check": {"status": StaffStatus},
    "staff_can_sign_in": {"status": {StaffStatus.ACTIVE}},
    "payment_status_check": {"status": PaymentStatus},
    "payment_capture_method": {"capture_method": CaptureMethod},
    "attempt_status_check": {"status": AttemptStatus},
    "modification_status_check": {"status": ModificationStatus},
    "modification_kind_check": {"kind": ModificationKind},
    "dispute_status_check": {"status": DisputeStatus},
    "dispute_stage_check": {"stage": DisputeStage},
    "dispute_kind_check": {"kind": DisputeKind},
    "settlement_status_check": {"status": SettlementStatus},
    "payout_status_check": {"status": PayoutStatus},
    "company_status_check": {"status": CompanyStatus},
    "company_mode_check": {"mode": Mode},
    "credential_status_check": {"status": CredentialStatus},
    "provider_account_status_check": {"status": AccountStatus},
    "provider_account_mode_check": {"mode": Mode},
    "payee_status_check": {"status": PayeeStatus},
    "wallet_user_status_check": {"status": WalletUserStatus},
    "wallet_agreement_status_check": {"status": AgreementStatus},
    "report_break_status_check": {"status": BreakStatus},
    "fee_rule_kind_check": {"kind": FeeKind},
    "wallet_code_kind": {"kind": CodeKind},
    # What is asked of a row while it is in one of some.
    "payment_captured_at": {"status": of.FUNDS_MOVED},
    "payment_funds": {"status": of.FUNDS_MOVED},
    "payment_failure": {"status": {PaymentStatus.FAILED}},
    "attempt_has_next_date": {"status": of.UNDECIDED},
    "modification_completed_at": {"status": frozenset(ModificationStatus) - of.PENDING},
    "modification_failure": {"status": {ModificationStatus.FAILED}},
    "modification_has_next_date": {"status": of.PENDING},
    "dispute_closed_at": {"status": of.DECIDED},
    "dispute_return_ended": {"kind": {DisputeKind.DISPUTE}, "status": {DisputeStatus.LOST}},
    "dispute_return_of_attempt": {"kind": {DisputeKind.RETURN}},
    "settlement_closed": {"status": {SettlementStatus.OPEN}},
    "payout_ended": {"status": {PayoutStatus.PAID}},
    "payout_returned": {"status": {PayoutStatus.RETURNED}},
    "settlement_carried": {"status": {SettlementStatus.CARRIED}},
    "report_break_resolved": {"status": {BreakStatus.RESOLVED}},
    "report_break_words": {"status": {BreakStatus.OPEN}},
    "report_break_history": {"status": {BreakStatus.RESOLVED}},
    "company_sandbox_is_for_tests": {"mode": {Mode.TEST}},
    "provider_account.active_mode": {"status": {AccountStatus.ACTIVE}},
    "wallet_code_runs_out": {"kind": frozenset(CodeKind) - LASTING},
    "wallet_code_used": {"kind": frozenset(CodeKind) - LASTING},
    "wallet_agreement_answered": {"status": {AgreementStatus.ASKED}},
    "wallet_agreement_of": {
        "status": frozenset(AgreementStatus) - {AgreementStatus.ASKED, AgreementStatus.REFUSED}
    },
    "wallet_agreement_end": {"status": {AgreementStatus.ENDED}},
    # Which rows an index has.
    "orders_expiring": {"status": {OrderStatus.ACTIVE}},
    "payment_one_success": {"status": of.FUNDS_SECURED},
    "payment_to_settle": {"status": {PaymentStatus.CAPTURED}},
    "attempt_one_open": {"status": of.UNDECIDED},
    "attempt_in_doubt": {"status": {AttemptStatus.IN_DOUBT}},
    "attempt_long_open": {"status": of.UNDECIDED},
    "attempt_amount_differs": {"status": {AttemptStatus.SUCCEEDED}},
    "modification_amount_differs": {"status": of.PENDING},
    "attempt_transfer_expected": {"status": of.MAY_COME},
    "attempt_lately": {"status": of.RATED},
    "modification_one_claim": {"kind": of.CAPTURE_OR_VOID, "status": of.PENDING},
    "modification_in_doubt": {"status": {ModificationStatus.PROCESSING}},
    "modification_long_open": {"status": of.PENDING},
    "settlement_one_open": {"status": {SettlementStatus.OPEN}},
    "report_break_open": {"status": {BreakStatus.OPEN}},
    "report_break_of_cause": {"status": {BreakStatus.OPEN}},
}
"""What each must have written down, by its name and column."""

# Everything of the schema that can say which rows it is about.
_WRITTEN_DOWN = """
select conrelid::regclass::text as home, conname as name, pg_get_constraintdef(oid) as text
  from pg_constraint where connamespace = 'public'::regnamespace and contype = 'c'
union all
select tablename, indexname, substring(indexdef from ' WHERE .*') from pg_indexes
 where schemaname = 'public' and indexdef like '% WHERE %'
union all
select tgrelid::regclass::text, tgname, substring(pg_get_triggerdef(oid) from ' WHEN .*')
  from pg_trigger where not tgisinternal and pg_get_triggerdef(oid) like '% WHEN %'
union all
select adrelid::regclass::text, adrelid::regclass || '.' || attname, pg_get_expr(adbin, adrelid)
  from pg_attrdef join pg_attribute on attrelid = adrelid and attnum = adnum
 where attgenerated <> ''
"""
_COLUMNS = "status|stage|kind|mode|capture_method"
_COMPARED = re.compile(
    rf"\b({_COLUMNS}) (?:=|<>) (?:(?:ANY|ALL) \(\(?(?:ARRAY)?\[?)?((?:'\w+'(?:::text)?(?:, )?)+)"
)


def sets_in(text: str) -> dict[str, set[str]]:
    """The words that each column is compared with."""
    found: dict[str, set[str]] = {}
    for column, words in _COMPARED.findall(text):
        found.setdefault(column, set()).update(re.findall(r"'(\w+)'", words))
    return found


def differences(rows: Collection[Any], expected: Mapping[str, Said]) -> list[str]:
    """What is written down otherwise than expected, by whom, with both sets."""
    wrong, seen = [], set()
    for home, name, text in rows:
        written = sets_in(text)
        seen.add(name)
        said = {
            column: {str(word) for word in words}
            for column, words in expected.get(name, {}).items()
        }
        # Of a kind or a mode only what is named above is the domain's.
        own = {column for column in written if column in ("status", "stage") or name in expected}
        for column in sorted(own | said.keys()):
            if written.get(column) != said.get(column):
                wrong.append(
                    f"{name} of {home} has {column} in {sorted(written.get(column, ()))},"
                    f" base/domain/lifecycle.py says {sorted(said.get(column, ()))}"
                )
    return [*wrong, *(f"there is no {name}" for name in sorted(expected.keys() - seen))]


async def written_down(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(_WRITTEN_DOWN))
    finally:
        await connection.close()


async def test_the_database_s_sets_of_statuses_are_those_of_the_tables(database_url: str) -> None:
    wrong = differences(await written_down(database_url), EXPECTED)

    assert not wrong, "\n".join(
        [*wrong, "a new migration says it anew, or EXPECTED names the set that it repeats"]
    )


async def test_a_set_that_differs_is_named_with_both_sides(database_url: str) -> None:
    rows = await written_down(database_url)
    more = {**EXPECTED, "payment_funds": {"status": {*of.FUNDS_MOVED, "on_hold"}}, "nothing": {}}
    less = {name: said for name, said in EXPECTED.items() if name != "payment_one_success"}

    assert differences(rows, more) == [
        "payment_funds of payment has status in ['captured', 'settled'],"
        " base/domain/lifecycle.py says ['captured', 'on_hold', 'settled']",
        "there is no nothing",
    ]
    assert differences(rows, less) == [
        "payment_one_success of payment has status in ['authorized', 'captured', 'settled'],"
        " base/domain/lifecycle.py says []"
    ]


def test_a_status_reads_in_sql_as_it_is_kept() -> None:
    assert one(AttemptStatus.IN_DOUBT) == "'in_doubt'"
    assert any_of(of.UNDECIDED) == PLACES["attempt.undecided"] == "('dispatched', 'in_doubt')"
    assert PLACES["payment.funds_secured"] == "('authorized', 'captured', 'settled')"
