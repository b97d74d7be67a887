"""Which language a payer reads, and how amounts and times are written in it."""

from datetime import UTC, datetime, timedelta
from string import Formatter

import pytest

from kassa.base.domain.money import EXPONENT, Money
from kassa.cashier.speech import choose_speech
from kassa.cashier.words import CATALOGS

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_the_last_moment_there_is_can_be_told_in_every_language() -> None:
    latest = datetime.max.replace(tzinfo=UTC)

    for language in CATALOGS:
        assert "9999" in choose_speech(language, "").moment(latest)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_both_languages_say_the_same_things_about_the_same_values() -> None:
    english, chinese = CATALOGS["en"], CATALOGS["zh-CN"]

    assert set(english) == set(chinese)
    for key, text in english.items():
        assert text
        assert placeholders(text) == placeholders(chinese[key]), key


@pytest.mark.parametrize(
    ("lang", "accept_language", "language", "locale"),
    [
        ("", "", "en", "en_US"),
        ("", "en-GB,en;q=0.8", "en", "en_GB"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", "zh_Hans_CN"),
        ("", "zh-TW", "zh-CN", "zh_Hans_CN"),
        ("", "de, fr;q=0.9, zh;q=0.2", "zh-CN", "zh_Hans_CN"),
        ("", "en;q=0.1, zh;q=0.9", "zh-CN", "zh_Hans_CN"),
        ("", "zh;q=0, en", "en", "en"),
        ("", "de", "en", "en_US"),
        ("", "*;;q=x, ,\x00", "en", "en_US"),
        ("", "en-xx-zz-not-a-locale", "en", "en_US"),
        ("zh", "en", "zh-CN", "zh_Hans_CN"),
        ("zh_CN", "en", "zh-CN", "zh_Hans_CN"),
        ("en", "zh-CN", "en", "en_US"),
        ("xx", "zh-CN", "zh-CN", "zh_Hans_CN"),
    ],
)
def test_the_payers_choice_comes_before_the_browsers(
    lang: str, accept_language: str, language: str, locale: str
) -> None:
    speech = choose_speech(lang, accept_language)

    assert (speech.language, str(speech.locale)) == (language, locale)


def test_only_a_choice_made_by_hand_is_carried_along() -> None:
    assert choose_speech("zh", "en").query == "?lang=zh-CN"
    assert choose_speech("", "zh").query == ""


@pytest.mark.parametrize(
    ("accept_language", "money", "said"),
    [
        ("en-US", Money(29_900, "CNY"), "CN¥299.00"),
        ("zh-CN", Money(29_900, "CNY"), "¥299.00"),
        ("en-US", Money(1_234_50, "USD"), "$1,234.50"),
        ("zh-CN", Money(1_234_50, "USD"), "US$1,234.50"),
        ("en-IN", Money(123_456_750, "INR"), "₹12,34,567.50"),
        ("en-US", Money(500, "JPY"), "¥500"),
        ("en-US", Money(12_345, "CLP"), "CLP\u00a012,345"),
        ("en-US", Money(2**63 - 1, "CNY"), "CN¥92,233,720,368,547,758.07"),
    ],
)
def test_amounts_are_written_as_the_locale_writes_them(
    accept_language: str, money: Money, said: str
) -> None:
    assert choose_speech("", accept_language).amount(money) == said


def test_no_currency_loses_a_digit() -> None:
    for currency in EXPONENT:
        said = choose_speech("", "en").amount(Money(1_234_567_891, currency))

        assert "".join(filter(str.isdigit, said)) == "1234567891", currency


def test_times_name_their_zone() -> None:
    evening = datetime(2026, 11, 22, 16, 30, tzinfo=UTC)

    # CLDR puts a narrow no-break space before AM and PM.
    assert choose_speech("", "en-US").moment(evening) == "Nov 22, 2026, 4:30\u202fPM UTC"
    assert choose_speech("", "en-GB").moment(evening) == "22 Nov 2026, 16:30 UTC"
    assert choose_speech("", "zh-CN").moment(evening) == "北京时间 2026年11月23日 00:30"


def test_the_time_left_is_told_in_words() -> None:
    until = NOON + timedelta(minutes=14)

    assert choose_speech("", "en").remaining(until, NOON) == "in 14 minutes"
    assert choose_speech("", "zh").remaining(until, NOON) == "14分钟后"
