"""How one payer is spoken to: words, amounts and times in the payer's language and locale."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import NumberPattern, parse_pattern

from kassa.base.domain.money import EXPONENT, Money
from kassa.cashier.words import CATALOGS, CHINESE, ENGLISH, LANGUAGES, language_of, preferred

_ZONES: dict[str, tzinfo] = {
    ENGLISH: timezone(timedelta(0)),
    # China has one zone and no summer time, so the offset alone is exact; no zone database needed.
    CHINESE: timezone(timedelta(hours=8)),
}
_Unit = Literal["hour", "minute", "second"]
_UNITS: tuple[tuple[_Unit, int], ...] = (("hour", 3600), ("minute", 60))
_SECOND: tuple[_Unit, int] = ("second", 1)
_NO_LARGER_UNIT = 1_000_000  # Babel would round 40 seconds up to the next unit
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)  # the last day that is a day in every zone


@dataclass(frozen=True, slots=True)
class Speech:
    """`chosen`: the payer picked the language by hand, so links keep it."""

    language: str
    locale: Locale
    chosen: bool = False

    def text(self, key: str, **values: str) -> str:
        """The words under `key`, in this language."""
        return CATALOGS[self.language][key].format(**values)

    def amount(self, money: Money) -> str:
        """Written as this locale writes it, always with all of the currency's ISO 4217 digits.

        The locale's own digit counts are not used: they are for cash, and would round IQD or UGX.
        """
        digits = EXPONENT[money.currency]
        pattern: NumberPattern = parse_pattern(self.locale.currency_formats["standard"].pattern)
        pattern.frac_prec = (digits, digits)
        said = pattern.apply(
            money.major, self.locale, currency=money.currency, currency_digits=False
        )
        # A code that stands for a missing sign needs air before the digits: "UGX 12".
        return re.sub(r"(?<=[A-Z])(?=\d)", "\u00a0", said)

    def moment(self, at: datetime) -> str:
        """Date and time with the name of the zone they are told in."""
        local = min(at, _LATEST).astimezone(_ZONES[self.language]).replace(tzinfo=None)
        return self.text(
            "moment",
            date=format_date(local, "medium", locale=self.locale),
            time=format_time(local, "short", locale=self.locale),
        )

    def remaining(self, until: datetime, now: datetime) -> str:
        """How far away an instant is: "in 14 minutes"."""
        return format_timedelta(until - now, add_direction=True, locale=self.locale)

    def wait(self, seconds: int) -> str:
        """How long to wait, never told as less than it is: "40 seconds", "3 minutes"."""
        unit, size = next(((unit, size) for unit, size in _UNITS if seconds > size), _SECOND)
        whole = timedelta(seconds=-(-seconds // size) * size)
        return format_timedelta(whole, unit, threshold=_NO_LARGER_UNIT, locale=self.locale)

    @property
    def query(self) -> str:
        """What links within the cashier carry, so that a chosen language stays chosen."""
        return f"?lang={self.language}" if self.chosen else ""

    @property
    def others(self) -> list[str]:
        return [language for language in LANGUAGES if language != self.language]


def choose_speech(lang: str, accept_language: str) -> Speech:
    """`lang` is the payer's own choice; without one, what the browser asks for; else English."""
    tags = list(preferred(accept_language))
    picked = language_of(lang)
    language = picked or next((known for tag in tags if (known := language_of(tag))), ENGLISH)
    return Speech(language, _locale(language, tags), chosen=picked is not None)


def _locale(language: str, tags: list[str]) -> Locale:
    """The payer's own region within the language (en-IN groups digits unlike en-US)."""
    if language == CHINESE:
        return Locale("zh", "CN", script="Hans")
    for tag in tags:
        if language_of(tag) == language:
            try:
                return Locale.parse(tag, sep="-")
            except (UnknownLocaleError, ValueError):
                continue
    return Locale("en", "US")
