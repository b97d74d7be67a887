"""What may become of an agreement, and when: the rules, without a database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    AGREEMENT_TRANSITIONS,
    AgreementStatus,
    next_agreement_status,
)
from kassa.wallet.domain.agreements import PAY, USER_ID, Agreement
from kassa.wallet.domain.wallet_codes import LASTING, PAYING, CodeKind, WalletCode

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SOON, LATER = NOW + timedelta(minutes=5), NOW + timedelta(days=180)
S = AgreementStatus


def an_agreement(**changes: Any) -> Agreement:
    members: dict[str, Any] = {
        "company_id": "cmp_1",
        "id": "wa_1",
        "business_id": "biz_1",
        "client_id": "5X1",
        "place_hash": b"",
        "belongs_to": "KASSA",
        "auth_client_id": "",
        "scopes": PAY,
        "redirect_url": "https://shop.example/",
        "notify_url": "",
        "auth_state": "s",
        "created_at": NOW,
        "expires_at": SOON,
    }
    return Agreement(**members | changes)


def do(agreement: Agreement, wanted: AgreementStatus) -> None:
    match wanted:
        case S.AGREED:
            agreement.agree("wu_1", NOW, code_expires_at=SOON)
        case S.REFUSED:
            agreement.refuse(NOW)
        case S.ACTIVE:
            agreement.issue(access_expires_at=LATER, refresh_expires_at=LATER)
        case S.ENDED:
            agreement.end("user", NOW)
        case S.ASKED:
            raise AssertionError("it is asked once")


@pytest.mark.parametrize("status", S)
@pytest.mark.parametrize("wanted", [one for one in S if one is not S.ASKED])
def test_only_what_the_table_allows_is_done_and_the_rest_changes_nothing(
    status: AgreementStatus, wanted: AgreementStatus
) -> None:
    agreement = an_agreement(status=status)
    is_newer_pair = status is wanted is S.ACTIVE
    if wanted in AGREEMENT_TRANSITIONS[status] or is_newer_pair:
        do(agreement, wanted)
        assert (agreement.status, agreement.version) == (wanted, 2)
    elif status is not wanted:
        with pytest.raises(IllegalTransition):
            do(agreement, wanted)
        assert agreement == an_agreement(status=status)


def test_no_state_is_left_that_the_table_does_not_know() -> None:
    assert set(AGREEMENT_TRANSITIONS) == set(S)
    for status in S:
        assert next_agreement_status(status, status) is status


@pytest.mark.parametrize("late", [SOON, LATER])
def test_a_page_is_answered_before_it_runs_out(late: datetime) -> None:
    agreement = an_agreement()

    with pytest.raises(IllegalTransition):
        agreement.agree("wu_1", late, code_expires_at=late)
    with pytest.raises(IllegalTransition):
        agreement.refuse(late)

    assert agreement == an_agreement()


def test_each_pair_of_tokens_is_another_one() -> None:
    agreement = an_agreement()
    do(agreement, S.AGREED)
    assert agreement.has_code(NOW)
    assert not agreement.has_code(SOON)

    do(agreement, S.ACTIVE)
    do(agreement, S.ACTIVE)

    assert (agreement.generation, agreement.user_id) == (2, "wu_1")
    assert not agreement.has_code(NOW)


def test_a_scope_is_had_by_its_whole_name() -> None:
    both = an_agreement(scopes=f"{PAY} {USER_ID}")

    assert both.may(PAY)
    assert both.may(USER_ID)
    assert not an_agreement().may(USER_ID)
    assert not an_agreement().may("AGREEMENT")


@pytest.mark.parametrize("kind", CodeKind)
def test_each_kind_of_code_is_good_for_one_thing(kind: CodeKind) -> None:
    code = WalletCode(
        company_id="cmp_1",
        code_hash=b"",
        id="wc_1",
        user_id="wu_1",
        kind=kind,
        created_at=NOW,
        expires_at=SOON,
    )

    pays = code.pays("py_1", client_id="5X1", now=NOW)
    agrees = code.consents(client_id="5X1", now=NOW)

    assert pays == (kind in PAYING)
    assert agrees == (kind is CodeKind.CONSENT_CODE)
    assert {CodeKind.AGREEMENT, CodeKind.SECRET} == LASTING
