"""The finished HTML of each screen, from plain values."""

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
from tests.cashier.samples import COMPANY, NOW, ORDER, PAID, PAYMENT, PLACE, a_visit

from kassa.base.domain.lifecycle import OrderStatus, PaymentStatus
from kassa.base.domain.money import Money
from kassa.cashier.assets import BY_NAME, CSS
from kassa.cashier.form import Filled, Problem
from kassa.cashier.screens import (
    TrialCard,
    leaving_screen,
    message_screen,
    pay_screen,
    result_screen,
    return_address,
    web_address,
)
from kassa.cashier.speech import choose_speech
from kassa.cashier.stages import PAYABLE, Stage, stage_of, why_declined
from kassa.cashier.words import CATALOGS
from kassa.payments.domain.payments import Method

VOID = {"meta", "link", "input"}
CARDS = [TrialCard("4242 4242 4242 4242", "paid", "Paid at once", "立即支付成功")]


class Outline(HTMLParser):
    """What a page is made of; fails on tags that do not match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


def every_page(lang: str) -> list[str]:
    waiting = replace(
        PAYMENT,
        status=PaymentStatus.REQUIRES_ACTION,
        method=Method.CREDIT_CARD,
        redirect_url="https://bank.example/approve",
    )
    visits = [a_visit(PAID if stage is Stage.PAID else waiting, lang=lang, stage=stage)
              for stage in Stage]  # fmt: skip
    speech = choose_speech(lang, "")
    problems = [Problem(("wallet_user_missing",), "wallet_user"), Problem(("why_refused",))]
    return [
        *(result_screen(visit) for visit in visits),
        *(
            pay_screen(visit, form_token="t", test_cards=CARDS)
            for visit in visits
            if visit.stage in PAYABLE
        ),
        pay_screen(a_visit(lang=lang), form_token="t", problems=problems),
        pay_screen(a_visit(lang=lang, methods=[]), form_token="t"),
        leaving_screen(speech, url="https://a.example/?x=1&y=2", here=PLACE, is_test=True),
        *(
            message_screen(speech, key, here=PLACE, reopen=PLACE)
            for key in ("not_found", "too_many", "forbidden", "unreadable", "broken")
        ),
    ]


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_page_is_well_formed_and_needs_nothing_from_elsewhere(lang: str) -> None:
    for page in every_page(lang):
        outline = Outline(page)

        assert outline.all("html") == [{"lang": lang}]
        assert len(outline.all("h1")) == 1
        assert len(outline.all("main")) == 1
        assert len(page.partition("<title>")[2].partition("</title>")[0]) > 3
        assert not outline.all("script")
        assert not any("style" in attrs for _, attrs in outline.tags)
        assert not any(name.startswith("on") for _, attrs in outline.tags for name in attrs)
        for link in outline.all("link"):
            assert str(link["href"]).startswith("/pay/static/")


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_field_has_a_label_and_every_reference_a_target(lang: str) -> None:
    for page in every_page(lang):
        outline = Outline(page)
        ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
        labeled = {label["for"] for label in outline.all("label")}

        assert len(ids) == len(set(ids))
        for field in outline.all("input"):
            assert field["type"] == "hidden" or field["id"] in labeled
            for target in str(field.get("aria-describedby") or "").split():
                assert target in ids
        for link in outline.all("a"):
            if str(link["href"]).startswith("#"):
                assert str(link["href"])[1:] in ids


def test_the_bill_says_what_from_whom_how_much_and_until_when() -> None:
    page = pay_screen(a_visit(), form_token="t")

    for said in (
        "Lantern Tea House",
        "Jasmine pearls, 250 g",
        "CN¥299.00",
        "Nov 22, 2026, 10:18\u202fAM UTC",
        "in 14 minutes",
        "Pay CN¥299.00",
    ):
        assert said in page


def test_the_form_carries_no_amount() -> None:
    outline = Outline(pay_screen(a_visit(), form_token="t"))
    names = {field["name"] for field in outline.all("input")}

    assert names == {"form_token", "method", "card_number", "wallet_user", "wallet_code"}


def test_what_the_merchant_writes_is_text_and_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    visit = a_visit(
        order=replace(ORDER, description=evil), company=replace(COMPANY, name=f'{evil}" x="')
    )

    for page in (pay_screen(visit, form_token="t"), result_screen(visit)):
        assert "<script" not in page
        assert "&lt;script&gt;" in page


def test_secrets_are_never_shown_again_and_never_printed() -> None:
    filled = Filled(
        method="wallet", card_number="4242424242424242", wallet_user="ann", wallet_code="s3cret"
    )
    page = pay_screen(
        a_visit(), form_token="t", filled=filled, problems=[Problem(("why_refused",))]
    )

    for text in (page, repr(filled)):
        assert "4242424242424242" not in text
        assert "s3cret" not in text
    assert 'value="ann"' in page


def test_a_refusal_is_summed_up_and_told_at_its_field() -> None:
    page = pay_screen(
        a_visit(),
        form_token="t",
        filled=Filled(method="credit_card"),
        problems=[Problem(why_declined("insufficient_funds"), "card_number")],
    )
    outline = Outline(page)
    summary = next(attrs for tag, attrs in outline.tags if attrs.get("role") == "alert")
    field = next(attrs for attrs in outline.all("input") if attrs.get("id") == "card_number")

    assert "<title>Error: " in page
    assert "autofocus" in summary
    assert field["aria-invalid"] == "true"
    assert field["aria-describedby"] == "card_number-error card_number-hint"
    assert page.count("There is not enough money on this card.") == 2
    assert "You have not been charged." in page


def test_test_cards_are_listed_in_the_payers_language() -> None:
    assert "Paid at once" in pay_screen(a_visit(), form_token="t", test_cards=CARDS)
    assert "立即支付成功" in pay_screen(a_visit(lang="zh"), form_token="t", test_cards=CARDS)


@pytest.mark.parametrize(
    ("payment", "expired", "order_status", "stage"),
    [
        ({"status": "created"}, False, "active", Stage.UNPAID),
        ({"status": "created"}, True, "active", Stage.EXPIRED),
        ({"status": "created"}, False, "canceled", Stage.CANCELED),
        ({"status": "created"}, False, "paid", Stage.PAID_BEFORE),
        ({"status": "requires_action"}, False, "active", Stage.WAITING),
        ({"status": "processing"}, False, "active", Stage.PROCESSING),
        ({"status": "processing"}, True, "expired", Stage.PROCESSING),
        ({"status": "authorized"}, False, "active", Stage.RESERVED),
        ({"status": "captured"}, True, "paid", Stage.PAID),
        ({"status": "settled"}, False, "paid", Stage.PAID),
        ({"status": "captured", "surplus": True}, True, "expired", Stage.SURPLUS),
        ({"status": "failed"}, False, "active", Stage.DECLINED),
        ({"status": "failed"}, True, "active", Stage.EXPIRED),
        ({"status": "failed", "retry_allowed": False}, True, "active", Stage.REFUSED),
        ({"status": "canceled"}, False, "canceled", Stage.CANCELED),
        ({"status": "expired"}, True, "expired", Stage.EXPIRED),
    ],
)
def test_the_stage_follows_from_what_is_recorded(
    payment: dict[str, Any], expired: bool, order_status: str, stage: Stage
) -> None:
    status = PaymentStatus(payment["status"])
    recorded = replace(PAYMENT, **payment | {"status": status})
    order = replace(ORDER, status=OrderStatus(order_status))

    assert stage_of(order, recorded, expired=expired) is stage


def test_every_status_of_a_payment_has_a_stage() -> None:
    for status in PaymentStatus:
        assert stage_of(ORDER, replace(PAYMENT, status=status), expired=False) in Stage


def test_a_paid_payment_shows_its_receipt() -> None:
    page = result_screen(a_visit(PAID))

    for said in ("Payment complete", "Credit or debit card •••• 4242", PAID.id, "10:04"):
        assert said in page
    assert 'http-equiv="refresh"' not in page
    assert 'href="https://shop.example/thanks?order=order_tea"' in page


@pytest.mark.parametrize(("lang", "words"), [("en", "is reserved"), ("zh", "已预留")])
def test_a_reserved_amount_is_told_as_reserved_and_not_as_paid(lang: str, words: str) -> None:
    page = result_screen(a_visit(replace(PAYMENT, status=PaymentStatus.AUTHORIZED), lang=lang))

    assert words in page
    assert "299.00" in page
    assert "Payment complete" not in page
    assert 'http-equiv="refresh"' not in page


def test_of_a_partly_captured_reservation_the_captured_part_is_shown() -> None:
    page = result_screen(a_visit(replace(PAID, captured=Money(5_000, "CNY"))))

    assert "50.00" in page
    assert "299.00" not in page


def test_a_payment_in_progress_looks_again_by_itself_less_and_less_often() -> None:
    visit = a_visit(replace(PAYMENT, status=PaymentStatus.PROCESSING), lang="zh")
    refresh = re.compile(r'http-equiv="refresh" content="(\d+);url=([^"]*)"')
    seen = [refresh.search(result_screen(visit, looks=looks)) for looks in (0, 20, 99)]

    assert [found and found[1] for found in seen] == ["2", "5", "15"]
    assert seen[0] is not None
    assert seen[0][2] == f"{PLACE}/result?lang=zh-CN&amp;looks=1"
    assert "本页会自动更新" in result_screen(visit)


def test_advice_to_try_again_is_given_only_where_that_is_possible() -> None:
    failed = replace(PAYMENT, status=PaymentStatus.FAILED, failure_code="card_declined")
    open_still = result_screen(a_visit(failed))
    final = result_screen(a_visit(replace(failed, retry_allowed=False)))

    assert "Your bank declined this card. Try another card" in open_still
    assert "Try another way" in open_still
    assert "Your bank declined this card." in final
    assert "Try another" not in final


def test_a_payer_can_go_on_where_they_left_off_while_the_redirect_is_good() -> None:
    waiting = replace(
        PAYMENT,
        status=PaymentStatus.REQUIRES_ACTION,
        redirect_url="https://bank.example/approve",
        redirect_expires_at=NOW + timedelta(minutes=1),
    )
    stale = replace(waiting, redirect_expires_at=NOW)

    assert "https://bank.example/approve" in pay_screen(a_visit(waiting), form_token="t")
    assert "https://bank.example/approve" not in pay_screen(a_visit(stale), form_token="t")


def test_a_browser_is_only_ever_sent_to_web_addresses() -> None:
    assert web_address("https://shop.example/a") == "https://shop.example/a"
    for bad in ("javascript:alert(1)", "data:text/html,x", "//shop.example", "", "http://[bad"):
        assert web_address(bad) == ""
    order = replace(ORDER, return_url="javascript:alert('{order_id}')")
    assert return_address(order) == ""
    assert "Return to" not in result_screen(a_visit(order=order))


def test_every_decline_has_words_in_both_languages() -> None:
    for code in ("card_declined", "user_balance_not_enough", "never heard of"):
        for key in why_declined(code):
            assert all(key in catalog for catalog in CATALOGS.values())


def test_amounts_keep_their_currency_on_every_screen() -> None:
    yen = replace(PAYMENT, amount=Money(1999, "JPY"))

    assert "Pay ¥1,999" in pay_screen(a_visit(yen), form_token="t")


def test_the_style_is_small_and_its_name_follows_its_content() -> None:
    assert len(CSS.content) < 12 * 1024
    assert BY_NAME[CSS.name] is CSS
    assert b"@import" not in CSS.content
    assert b"url(" not in CSS.content


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_all_colors_contrast_as_wcag_aa_asks(scheme: int) -> None:
    """Source: WCAG 2.2, success criteria 1.4.3 (text, 4.5) and 1.4.11 (controls, 3)."""
    blocks = re.findall(r":root \{(.*?)\}", CSS.content.decode(), re.DOTALL)
    color = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", blocks[scheme]))

    for text, grounds in {
        "ink": ("sheet", "tint", "wash", "bad-wash"),
        "soft": ("sheet", "tint", "wash", "ground"),
        "accent": ("sheet", "wash"),
        "accent-deep": ("sheet", "wash"),
        "bad": ("sheet", "wash", "bad-wash"),
        "warn": ("warn-wash",),
        "on-accent": ("accent", "accent-deep"),
    }.items():
        for ground in grounds:
            assert _contrast(color[text], color[ground]) >= 4.5, (text, ground)
    for ground in ("sheet", "wash"):
        assert _contrast(color["edge"], color[ground]) >= 3


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_whoever_transfers_reads_what_came_what_is_missing_and_what_to_write(lang: str) -> None:
    asked = replace(
        PAYMENT,
        status=PaymentStatus.REQUIRES_ACTION,
        method=Method.BANK_TRANSFER,
        provider_reference="RF05ABCDEFGHJKMNPQRS",
    )
    for payment, told in (
        (asked, {"299.00"}),
        (replace(asked, unapplied_minor=4_400), {"44.00", "255.00", "299.00"}),
    ):
        visit = a_visit(payment, lang=lang, stage=Stage.WAITING)
        for page in (result_screen(visit), pay_screen(visit, form_token="t")):
            assert payment.provider_reference in page
            assert all(amount in page for amount in told)
            assert CATALOGS[lang]["waiting_about"] not in page


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_a_receipt_says_what_was_paid_too_much(lang: str) -> None:
    page = result_screen(
        a_visit(replace(PAID, surplus_amount=Money(5_000, "CNY")), lang=lang, stage=Stage.PAID)
    )

    assert CATALOGS[lang]["overpaid"] in page
    assert "50.00" in page
