"""Which account a method needs, and that nothing of a number survives masking."""

import pytest

from kassa.base.domain.errors import InvalidRequest
from kassa.faces.gateway.accounts import (
    METHODS,
    Source,
    mask_account,
    mask_number,
    read_source,
)
from kassa.faces.gateway.contract import Account
from kassa.payments.domain.payments import Method

CARD = "4242424242424242"


def test_every_method_has_a_word() -> None:
    assert set(METHODS.values()) == set(Method)


@pytest.mark.parametrize(
    "word", ["credit card", "Credit Card", "CREDIT_CARD", "credit-card", "creditCard"]
)
def test_a_method_is_known_however_it_is_written(word: str) -> None:
    assert read_source(word, Account("card", CARD)).method is Method.CREDIT_CARD


@pytest.mark.parametrize("word", ["bitcoin", "card 4242424242424242", "-", "credit"])
def test_an_unknown_method_is_answered_with_the_known_ones(word: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_source(word, None)

    assert "credit card, Alipay, wallet," in refused.value.message
    assert CARD not in refused.value.message


@pytest.mark.parametrize("number", [CARD, "4242 4242 4242 4242", "4242-4242-4242-4242"])
@pytest.mark.parametrize("kind", ["card", "credit_card", "Credit Card"])
def test_a_card_is_read_without_its_spaces_and_shown_by_its_end(number: str, kind: str) -> None:
    source = read_source("credit card", Account(kind, number))

    assert source.instrument == CARD
    assert source.instrument_shown == "****4242"


def test_a_token_stands_in_for_a_card() -> None:
    source = read_source("credit card", Account("token", "pm_sandbox_paid"))

    assert source.instrument == "pm_sandbox_paid"


@pytest.mark.parametrize("kind", ["wallet", "wallet_auth_code"])
def test_nothing_of_a_wallets_code_is_shown(kind: str) -> None:
    source = read_source("wallet", Account(kind, "28763443825664394"))

    assert source.auth_code == "28763443825664394"
    assert (source.instrument, source.instrument_shown) == ("", "****")


@pytest.mark.parametrize("word", ["Alipay", "cash", "check"])
def test_some_methods_need_no_account(word: str) -> None:
    assert read_source(word, None).instrument == ""


@pytest.mark.parametrize(
    ("word", "account", "field"),
    [
        ("credit card", None, "payerAccount"),
        ("wallet", None, "payerAccount"),
        ("credit card", Account("bank", CARD), "payerAccount.accountType"),
        ("wallet", Account("card", CARD), "payerAccount.accountType"),
        ("credit card", Account("card", "4242"), "payerAccount.accountNumber"),
        ("credit card", Account("card", "4242abcd42424242"), "payerAccount.accountNumber"),
        ("credit card", Account("card", CARD + CARD), "payerAccount.accountNumber"),
        (
            "credit card",
            Account("card", "４２４２４２４２４２４２４２４２"),
            "payerAccount.accountNumber",
        ),
        ("credit card", Account("token", CARD), "payerAccount.accountNumber"),
        ("credit card", Account("token", "pm_a b"), "payerAccount.accountNumber"),
    ],
)
def test_the_wrong_account_is_refused_without_repeating_its_number(
    word: str, account: Account | None, field: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_source(word, account)

    assert refused.value.field == field
    assert account is None or account.accountNumber not in refused.value.message


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (CARD, "****4242"),
        ("6222 0202 0011 2233 445", "****3445"),
        ("12345678", "****5678"),
        ("1234567", "****"),
        ("1", "****"),
    ],
)
def test_a_number_shows_its_end_or_nothing(number: str, shown: str) -> None:
    assert mask_number(number) == shown


def test_a_number_put_into_a_name_is_hidden_too() -> None:
    account = Account("bank", CARD, accountName=f"Shop {CARD}", bankName="Bank 4242 4242")

    shown = mask_account(account)

    assert "4242" not in shown["accountName"] + shown["bankName"]
    assert shown["accountName"].startswith("Shop ")


def test_a_secret_number_shows_not_even_its_end() -> None:
    assert mask_account(Account("wallet", CARD), secret=True)["accountNumber"] == "****"


def test_neither_accounts_nor_sources_print_their_numbers() -> None:
    account = Account("card", CARD)
    source = Source(method=Method.CREDIT_CARD, instrument=CARD)

    assert CARD not in f"{account!r} {account} {source!r} {source}"
