"""Double entry: what does not sum to zero is no posting, and balances follow the entries."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.payments.cases import a_case, an_attempt, booked

from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import CurrencyMismatch, Money
from kassa.ledger.domain import ledger
from kassa.ledger.domain.ledger import Entry, Posting, PostingKind, balance_changes, wallet_account
from kassa.payments.domain.payments import OFFLINE, Method

AT = datetime(2026, 11, 22, tzinfo=UTC)
amounts = st.integers(-(2**62), 2**62)


def posting(*entries: Entry, currency: str = "CNY", company: str = "c1") -> Posting:
    return Posting(
        company_id=company,
        id="po_1",
        kind=PostingKind.TOP_UP,
        currency=currency,
        entries=entries,
        payment_id="",
        at=AT,
    )


@settings(deadline=None, max_examples=100)
@given(minors=st.lists(amounts, max_size=6))
def test_only_what_sums_to_zero_over_two_legs_or_more_is_a_posting(minors: list[int]) -> None:
    entries = tuple(Entry(f"account {leg}", minor, "CNY") for leg, minor in enumerate(minors))

    if len(minors) >= 2 and sum(minors) == 0:
        posting(*entries)
    else:
        with pytest.raises(ValueError, match="unbalanced"):
            posting(*entries)
    if minors:
        posting(*entries, Entry("rest", -sum(minors), "CNY"))


def test_moving_money_debits_one_account_and_credits_the_other() -> None:
    assert ledger.move("cash", "merchant:b1", Money(5, "CNY")) == (
        Entry("cash", 5, "CNY"),
        Entry("merchant:b1", -5, "CNY"),
    )


def test_wallet_balances_grow_by_credits_apart_by_company_user_and_currency() -> None:
    one, two = wallet_account("one"), wallet_account("two")
    postings = [
        posting(Entry("wallet_funding", 70, "CNY"), Entry(one, -70, "CNY")),
        posting(Entry(one, 20, "CNY"), Entry(two, -20, "CNY")),
        posting(Entry(one, 3, "USD"), Entry("merchant:b1", -3, "USD"), currency="USD"),
        posting(Entry("wallet_funding", 9, "CNY"), Entry(one, -9, "CNY"), company="c2"),
        posting(Entry("cash", 1, "CNY"), Entry("merchant:b1", -1, "CNY")),
    ]

    assert balance_changes(postings) == {
        ("c1", one, "CNY"): 50,
        ("c1", two, "CNY"): 20,
        ("c1", one, "USD"): -3,
        ("c2", one, "CNY"): 9,
    }


@pytest.mark.parametrize("method", Method)
def test_captured_money_comes_from_where_its_method_keeps_it(method: Method) -> None:
    source = "cash" if method in OFFLINE else "provider:acme"
    source = "transit" if method is Method.BANK_TRANSFER else source
    source = "wallet:wu_1" if method is Method.WALLET else source
    attempt = an_attempt(method=method, connector="acme", instrument="wu_1")
    case = a_case(PaymentStatus.PROCESSING, attempt)

    case.capture(attempt, reference="r", fee=None, actor="x", by="charge")

    assert booked(case) == {source: 10_000, "merchant:b1": -10_000}
    assert case.postings[0].payment_id == case.payment.id
    assert case.postings[0].currency == "CNY"


def test_who_asked_for_no_news_gets_none() -> None:
    attempt = an_attempt()
    case = a_case(PaymentStatus.PROCESSING, attempt, notify_url="")

    case.capture(attempt, reference="r", fee=None, actor="x", by="charge")

    assert not case.announcements


def test_a_posting_moves_money_of_its_own_currency_alone() -> None:
    with pytest.raises(CurrencyMismatch, match="CNY"):
        posting(*ledger.move("cash", "merchant:b1", Money(15_700, "JPY")))
    mixed = Entry("cash", 5, "CNY"), Entry("merchant:b1", -5, "EUR")
    with pytest.raises(CurrencyMismatch):
        posting(*mixed)
