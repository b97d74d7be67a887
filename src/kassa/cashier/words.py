"""The cashier's texts, one catalog per language, and which language a payer reads."""

import re
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files

ENGLISH = "en"
CHINESE = "zh-CN"
LANGUAGES = (ENGLISH, CHINESE)

_MAX_HEADER = 500  # no honest Accept-Language is longer; the rest is not read
_RANGE = re.compile(
    r"([A-Za-z]{1,8}+(?>(?:-[A-Za-z0-9]{1,8}+){0,8}))"
    r"(?:\s{0,8}+;\s{0,8}+q=([01](?:\.[0-9]{0,3}+)?))?"
)


def _read(language: str) -> Mapping[str, str]:
    text = files(__package__).joinpath(f"catalog/{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


CATALOGS: Mapping[str, Mapping[str, str]] = {language: _read(language) for language in LANGUAGES}


def language_of(tag: str) -> str | None:
    """Our language for a tag such as `zh_Hans`, `zh-TW` or `en-GB`; None when we have none."""
    primary = re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]
    return {"en": ENGLISH, "zh": CHINESE}.get(primary)


def preferred(accept_language: str) -> Iterable[str]:
    """The tags of an Accept-Language header, most wanted first; what is malformed is left out.

    Source: RFC 9110, section 12.5.4.
    """
    wanted: list[tuple[float, str]] = []
    for part in accept_language[:_MAX_HEADER].split(","):
        found = _RANGE.fullmatch(part.strip())
        if found and (weight := float(found[2] or 1)) > 0:
            wanted.append((weight, found[1]))
    return [tag for _, tag in sorted(wanted, key=lambda pair: -pair[0])]
