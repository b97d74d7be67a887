"""Addresses and forms that are not what our own pages made: refused, in words, and slowed down."""

from typing import Any

import pytest
from tests.cashier.shop import CARD, FORM, a_payer

from kassa.cashier.assets import CSS

pytestmark = pytest.mark.anyio


async def test_a_form_of_another_site_pays_nothing(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    answers = [await payer.pay_by_card(form_token=token) for token in ("", "0" * 64, "\u2764")]
    foreign = {"sec-fetch-site": "cross-site"}
    answers.append(await payer.confirm(headers=foreign, method="credit_card", card_number=CARD))

    for answer in answers:
        assert answer.status == 403
        assert "This page is out of date" in answer.text
        assert f'href="{payer.place}"' in answer.text
    assert (await payer.payment()).version == 1


async def test_the_form_of_one_payment_does_not_pay_another(
    core: Any, client: Any, demo: Any
) -> None:
    payer, other = await a_payer(core, client, demo), await a_payer(core, client, demo)
    token = await other.form_token()

    assert (await payer.pay_by_card(form_token=token)).status == 403


async def test_what_is_no_form_of_ours_is_refused_in_words(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)

    for body in (b"x=" + b"a" * 9000, b"\xff\xfe", b"a=%ff", b"&".join([b"a=1"] * 30)):
        answer = await payer.see("POST", f"{payer.place}/confirm", FORM, body)
        assert answer.status == 400
        assert "We could not read that" in answer.text


async def test_unknown_payments_are_not_told_from_malformed_addresses(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    pages = [
        await payer.see("GET", path)
        for path in (
            "/pay/sess_1z0123456789012345678901234567890123",
            f"{payer.place}x",
            "/pay/%00",
            "/pay/" + "a" * 500,
            "/pay/%3Cscript%3E/result",
            "/pay",
            f"{payer.place}/nowhere",
        )
    ]

    assert {page.status for page in pages} == {404}
    assert len({page.text for page in pages}) == 1
    assert "We cannot find this payment" in pages[0].text


async def test_guessing_is_slowed_down(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    tried = [await payer.see("GET", f"/pay/sess_1zguess{guess}") for guess in range(11)]

    assert [answer.status for answer in tried] == [404] * 10 + [429]
    assert "Too many tries" in tried[-1].text
    assert 1 <= int(tried[-1].headers["retry-after"]) <= 60


async def test_a_guesser_does_not_lock_out_payers_of_the_same_address(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    for guess in range(15):
        await payer.see("GET", f"/pay/sess_1zguess{guess}")

    assert (await payer.see("GET", payer.place)).status == 200


async def test_a_language_chosen_by_hand_stays(core: Any, client: Any, demo: Any) -> None:
    payer = await a_payer(core, client, demo)
    page = await payer.open("?lang=zh-CN")
    by_header = await payer.see("GET", payer.place, {"accept-language": "zh-CN,en;q=0.5"})
    paid = await payer.confirm(query="?lang=zh-CN", method="credit_card", card_number=CARD)

    assert '<html lang="zh-CN">' in page.text
    assert "支付 ¥299.90" in by_header.text
    assert page.headers["content-language"] == "zh-CN"
    assert paid.headers["location"] == f"{payer.place}/result?lang=zh-CN"


async def test_a_confirmation_that_is_only_looked_at_leads_to_the_page(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    answer = await payer.see("GET", f"{payer.place}/confirm")

    assert (answer.status, answer.headers["location"]) == (303, payer.place)


async def test_static_files_are_a_short_list_kept_for_ever(
    core: Any, client: Any, demo: Any
) -> None:
    payer = await a_payer(core, client, demo)
    style = await payer.see("GET", CSS.address)
    others = [
        await payer.see("GET", f"/pay/static/{name}")
        for name in ("cashier.css", "..%2Fpages.py", "%2e%2e%2fwords.py", "", "icon.svg%00")
    ]

    assert style.status == 200
    assert style.headers["content-type"].startswith("text/css")
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert CSS.address in (await payer.open()).text
    assert {answer.status for answer in others} == {404}
