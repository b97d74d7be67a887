"""Whoever is sent away at the cashier reads, in their own language, when to come again."""

from collections.abc import Mapping
from typing import Any

import pytest
from starlette.requests import Request
from tests.cashier.shop import CARD, a_payer

from kassa.base.domain.errors import (
    DATABASE_UNAVAILABLE,
    KassaError,
    Overloaded,
    ProviderUnavailable,
    RateLimited,
)
from kassa.cashier import pages
from kassa.cashier.dead_ends import dead_end
from kassa.cashier.speech import choose_speech
from kassa.connectors.base import NotSent
from kassa.payments.domain import payer_limits

pytestmark = pytest.mark.anyio

WORDS: Mapping[str, Mapping[int, str]] = {
    "en": {1: "1 second", 40: "40 seconds", 61: "2 minutes", 600: "10 minutes", 3601: "2 hours"},
    "zh-CN": {1: "1秒", 40: "40秒", 61: "2分钟", 600: "10分钟", 3601: "2小时"},
}


@pytest.mark.parametrize("language", WORDS)
def test_a_wait_is_told_in_words_and_never_shorter_than_it_is(language: str) -> None:
    speech = choose_speech(language, "")

    for seconds, said in WORDS[language].items():
        assert said in speech.wait(seconds)


def a_page(error: KassaError, language: str) -> str:
    headers = [(b"accept-language", language.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "query_string": b""}
    return bytes(dead_end(Request(scope), error, place="/pay/sess_1").body).decode()


@pytest.mark.parametrize("language", WORDS)
@pytest.mark.parametrize(
    ("error", "leads_back"),
    [
        (RateLimited("", retry_after_seconds=40), False),
        (RateLimited("", retry_after_seconds=40, reason=payer_limits.TOO_OFTEN), True),
        (Overloaded("", retry_after_seconds=40), True),
    ],
)
def test_a_dead_end_says_when_to_come_again(
    language: str, error: KassaError, leads_back: bool
) -> None:
    page = a_page(error, language)

    assert WORDS[language][40] in page
    assert ('href="/pay/sess_1"' in page) == leads_back


@pytest.mark.parametrize("language", WORDS)
def test_where_no_waiting_helps_nobody_is_told_to_wait(language: str) -> None:
    page = a_page(
        RateLimited("", retry_after_seconds=86_400, reason=payer_limits.FOR_GOOD), language
    )

    assert choose_speech(language, "").wait(86_400) not in page
    assert 'href="/pay/sess_1"' not in page


@pytest.mark.parametrize("language", WORDS)
async def test_who_has_tried_too_often_reads_how_long_it_takes(
    core: Any, client: Any, demo: Any, language: str
) -> None:
    payer, headers = await a_payer(core, client, demo), {"accept-language": language}
    declined = {"method": "credit_card", "card_number": "4000 0000 0000 0002"}
    tried = [
        await payer.confirm(**declined, headers=headers) for _ in range(payer_limits.AT_ONCE + 1)
    ]

    assert [page.status for page in tried] == [422] * payer_limits.AT_ONCE + [429]
    seconds = int(tried[-1].headers["retry-after"])
    assert 500 < seconds <= 600
    assert choose_speech(language, "").wait(seconds) in tried[-1].text
    assert tried[-1].headers["ratelimit-policy"] == '"attempts";q=10;w=600'


@pytest.mark.parametrize("language", WORDS)
async def test_a_provider_that_is_not_to_be_reached_is_tried_again_when_the_page_says(
    core: Any, client: Any, demo: Any, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    async def not_sent(*_: Any) -> NotSent:
        return NotSent(reason="down")

    payer = await a_payer(core, client, demo)
    monkeypatch.setattr(core.connectors["sandbox"], "charge", not_sent)
    page = await payer.confirm(
        method="credit_card", card_number=CARD, headers={"accept-language": language}
    )

    assert page.status == 503
    assert choose_speech(language, "").wait(int(page.headers["retry-after"])) in page.text


async def test_nobody_is_told_that_nothing_was_charged_when_the_database_failed(
    core: Any, client: Any, demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked_and_not_written(*_: Any) -> None:
        raise ProviderUnavailable("not now", reason=DATABASE_UNAVAILABLE, retry_after_seconds=2)

    payer = await a_payer(core, client, demo)
    monkeypatch.setattr(pages, "submit_payment", asked_and_not_written)
    page = await payer.confirm(method="credit_card", card_number=CARD)

    assert page.status == 503
    assert "have not been charged" not in page.text
    assert "do not pay again yet" in page.text
    assert int(page.headers["retry-after"]) >= 2
