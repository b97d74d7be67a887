"""Routes: which account a payment takes, and where it goes when that one cannot."""

from typing import Any

import pytest
from tests.shop import Scripted, Shop

from kassa.base.domain.errors import InvalidRequest, ProviderUnavailable, UnsupportedOperation
from kassa.base.domain.lifecycle import PaymentStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, Declined, InDoubt, NotSent
from kassa.connectors.catalog import maker_of
from kassa.fees.usecases.fees import NewFeeRule, add_fee_rule
from kassa.identity.domain.principals import Mode
from kassa.payments.domain.payments import Method
from kassa.providers.domain.providers import AccountStatus, ProviderAccount
from kassa.routing.usecases.route_rules import history_of, set_rules
from kassa.routing.usecases.routing import NUMBER, REDIRECT, TOKEN, RoutingRequest, choose

pytestmark = pytest.mark.anyio

_SOFT = Declined(code="provider_unavailable", message="Try again.", soft=True)
_HARD = Declined(code="insufficient_funds", message="There is not enough money.")


def add(shop: Shop, *names: str, company: str = "", connector: str = "sandbox") -> None:
    """Accounts of the shop's own, played by scripts."""
    for name in names:
        shop.core.connectors[name] = Scripted()
        shop.core.accounts[name] = ProviderAccount(
            company_id=company or shop.company.id,
            name=name,
            connector=connector,
            mode=Mode.TEST,
            status=AccountStatus.ACTIVE,
        )


def question(shop: Shop, **changes: Any) -> RoutingRequest:
    members: dict[str, Any] = {
        "company_id": shop.company.id,
        "method": Method.CREDIT_CARD,
        "amount": Money(10_000, "CNY"),
        "takes": NUMBER,
        "key": "order-1",
    }
    return RoutingRequest(**{**members, **changes})


async def route(shop: Shop, *rules: dict[str, Any], **changes: Any) -> tuple[str, ...]:
    await set_rules(shop.core, shop.company.id, list(rules), actor="test")
    return (await choose(shop.core, question(shop, **changes))).accounts


@pytest.mark.parametrize(
    ("when", "changes"),
    [
        ({"method": ["credit_card"]}, {"method": Method.CREDIT_CARD}),
        ({"currency": ["CNY"]}, {}),
        ({"country": ["IN"]}, {"country": "IN"}),
        ({"customer": ["cus_9"]}, {"customer_id": "cus_9"}),
        ({"card_prefix": ["4242"]}, {"card_prefix": "42424242"}),
        ({"currency": ["CNY"], "amount_at_least": "100.00"}, {}),
        ({"currency": ["CNY"], "amount_below": "100.01"}, {}),
    ],
)
async def test_each_condition_lets_its_payments_through(
    shop: Shop, when: dict[str, Any], changes: dict[str, Any]
) -> None:
    add(shop, "aa", "bb")

    rule = {"name": "one", "when": when, "use": ["bb"]}

    assert await route(shop, rule, **changes) == ("bb",)


@pytest.mark.parametrize(
    "when",
    [
        {"method": ["upi"]},
        {"currency": ["USD"]},
        {"country": ["IN"]},
        {"customer": ["cus_9"]},
        {"card_prefix": ["4343"]},
        {"currency": ["CNY"], "amount_at_least": "100.01"},
        {"currency": ["CNY"], "amount_below": "100.00"},
    ],
)
async def test_each_condition_keeps_the_others_out(shop: Shop, when: dict[str, Any]) -> None:
    add(shop, "aa", "bb")

    rule = {"name": "one", "when": when, "use": ["bb"]}

    assert (await route(shop, rule))[0] == "aa"


async def test_weights_share_the_payments_out_and_the_same_payment_goes_the_same_way(
    shop: Shop,
) -> None:
    add(shop, "aa", "bb")
    rule = {"name": "split", "use": {"aa": 70, "bb": 30}, "by": "weight"}
    await set_rules(shop.core, shop.company.id, [rule], actor="test")

    first = [
        (await choose(shop.core, question(shop, key=f"order-{n}"))).accounts for n in range(1_000)
    ]
    again = [
        (await choose(shop.core, question(shop, key=f"order-{n}"))).accounts for n in range(1_000)
    ]

    assert first == again
    assert 640 <= sum(accounts[0] == "aa" for accounts in first) <= 760
    assert all(len(accounts) == 2 for accounts in first)


async def test_the_lowest_expected_fee_wins(shop: Shop) -> None:
    add(shop, "aa", "bb")
    for name, percent in (("aa", "2.9"), ("bb", "1.4")):
        await add_fee_rule(
            shop.core,
            NewFeeRule(
                company_id=shop.company.id,
                kind="payment",
                connector=name,
                currency="CNY",
                percent=percent,
            ),
        )

    rule = {"name": "cheap", "use": ["aa", "bb"], "by": "fee"}

    assert await route(shop, rule) == ("bb", "aa")


async def test_the_account_that_accepts_more_wins(shop: Shop) -> None:
    add(shop, "aa", "bb")
    for name, answers in (("aa", [_HARD] * 21), ("bb", [])):
        shop.core.connectors[name] = Scripted(*answers)
        for _ in range(21):
            await shop.submit(await shop.payment(), connector=name)

    rule = {"name": "good", "use": ["aa", "bb"], "by": "success"}

    assert await route(shop, rule) == ("bb", "aa")


async def test_an_ordered_fallback_follows_and_a_star_is_everything_else(shop: Shop) -> None:
    add(shop, "aa", "bb", "cc")

    rule = {"name": "one", "use": ["cc"], "then": ["bb", "*"]}

    assert await route(shop, rule) == ("cc", "bb", "aa", "sandbox")


async def test_rules_have_versions_and_the_newest_decides(shop: Shop) -> None:
    add(shop, "aa", "bb")
    await set_rules(shop.core, shop.company.id, [{"name": "a", "use": ["aa"]}], actor="one")
    await set_rules(shop.core, shop.company.id, [{"name": "b", "use": ["bb"]}], actor="two")

    taken = await choose(shop.core, question(shop))

    assert (taken.accounts, taken.version) == (("bb",), 2)
    told = [(version, actor) for version, _, actor, _ in await history_of(shop.core, "cmp_shop")]
    assert told == [(2, "two"), (1, "one")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"name": "x", "use": ["nobody"]}, "no account 'nobody'"),
        ({"name": "x", "use": ["others"]}, "no account 'others'"),
        ({"name": "x", "use": []}, "names no account"),
        ({"name": "x", "use": ["aa"], "by": "luck"}, "by must be one of"),
        ({"name": "x", "use": {"aa": 0}, "by": "weight"}, "more than 0"),
        ({"name": "x", "use": {"aa": -1}, "by": "weight"}, "a weight is"),
        ({"name": "x", "use": ["aa"], "when": {"amount_below": "1"}}, "exactly one currency"),
        ({"name": "x", "use": ["aa"], "when": {"planet": ["mars"]}}, "planet"),
        ({"name": "x", "use": ["aa"], "when": {"card_prefix": ["4x"]}}, "card_prefix"),
        ({"use": ["aa"]}, "name"),
    ],
)
async def test_a_rule_that_cannot_work_is_refused_in_words(
    shop: Shop, rule: dict[str, Any], said: str
) -> None:
    add(shop, "aa")
    add(shop, "others", company="cmp_other")

    with pytest.raises(InvalidRequest, match=said):
        await set_rules(shop.core, shop.company.id, [rule], actor="test")


async def test_another_companys_account_is_never_a_way(shop: Shop) -> None:
    add(shop, "others", company="cmp_other")

    assert (await choose(shop.core, question(shop))).accounts == ("sandbox",)
    with pytest.raises(UnsupportedOperation):
        await choose(shop.core, question(shop, account="others"))


async def test_no_account_for_it_is_told_in_a_sentence(shop: Shop) -> None:
    with pytest.raises(UnsupportedOperation, match="no provider account"):
        await choose(shop.core, question(shop, method=Method.UPI, takes=TOKEN))


@pytest.mark.parametrize("answer", [_SOFT, NotSent(reason="no route")])
async def test_what_nobody_took_goes_on_to_the_next_account(shop: Shop, answer: Any) -> None:
    add(shop, "aa", "bb")
    shop.core.connectors["aa"] = first = Scripted(answer)
    shop.core.connectors["bb"] = second = Scripted()
    payment = await shop.payment()

    paid = await shop.submit(payment, connector="aa", fallbacks=("bb",))

    assert (paid.status, paid.connector) == (PaymentStatus.CAPTURED, "bb")
    assert (len(first.charged), len(second.charged)) == (1, 1)
    assert first.charged != second.charged
    assert await shop.faults() == []


@pytest.mark.parametrize(
    ("answer", "status"),
    [(InDoubt(reason="silence"), PaymentStatus.PROCESSING), (_HARD, PaymentStatus.FAILED)],
)
async def test_a_doubt_or_a_real_refusal_goes_nowhere_else(
    shop: Shop, answer: Any, status: PaymentStatus
) -> None:
    add(shop, "aa", "bb")
    shop.core.connectors["aa"] = Scripted(answer)
    shop.core.connectors["bb"] = second = Scripted()

    payment = await shop.submit(await shop.payment(), connector="aa", fallbacks=("bb",))

    assert payment.status is status
    assert second.charged == []


async def test_the_last_refusal_is_the_answer(shop: Shop) -> None:
    add(shop, "aa", "bb", "cc", "dd")
    for name in ("aa", "bb", "cc", "dd"):
        shop.core.connectors[name] = Scripted(_SOFT)

    payment = await shop.submit(await shop.payment(), connector="aa", fallbacks=("bb", "cc", "dd"))

    assert payment.status is PaymentStatus.FAILED
    assert len(await shop.attempts(payment)) == 3  # two failovers, and no more
    assert await shop.faults() == []


async def test_when_nobody_can_be_reached_nothing_was_sent(shop: Shop) -> None:
    add(shop, "aa", "bb")
    payment = await shop.payment()
    for name in ("aa", "bb"):
        shop.core.connectors[name] = Scripted(NotSent(reason="no route"))

    with pytest.raises(ProviderUnavailable):
        await shop.submit(payment, connector="aa", fallbacks=("bb",))

    again = await shop.submit(payment, connector="bb")
    assert again.status is PaymentStatus.CAPTURED


async def test_late_money_of_the_first_account_is_surplus(shop: Shop) -> None:
    add(shop, "aa", "bb")
    shop.core.connectors["aa"] = first = Scripted(_SOFT)
    paid = await shop.submit(await shop.payment(), connector="aa", fallbacks=("bb",))
    late = Captured(reference="late", amount=paid.amount)

    from kassa.payments.store import payments  # noqa: PLC0415
    from kassa.payments.usecases.submit_payment import take_news  # noqa: PLC0415

    async with shop.core.db.connection() as connection:
        attempt = await payments.find_attempt(connection, paid.company_id, first.charged[0])
    assert attempt is not None
    payment = await take_news(shop.core, attempt, late, actor="provider:aa", how="notification")

    assert payment.status is PaymentStatus.CAPTURED
    assert payment.surplus_amount == paid.amount
    assert await shop.faults() == []


@pytest.mark.parametrize(
    ("token", "taken_by"), [("pm_sandbox_paid", "sandbox"), ("pm_card_visa", "cards")]
)
async def test_a_token_goes_to_whoever_made_it(shop: Shop, token: str, taken_by: str) -> None:
    add(shop, "cards", connector="stripe")

    taken = await choose(shop.core, question(shop, takes=TOKEN, maker=maker_of(token)))

    assert taken.accounts == (taken_by,)


async def test_a_method_of_one_country_is_not_taken_in_another_currency(shop: Shop) -> None:
    add(shop, "indian", connector="razorpay")
    wanted = {"method": Method.UPI, "takes": REDIRECT}

    taken = await choose(shop.core, question(shop, amount=Money(10_000, "INR"), **wanted))

    assert taken.accounts == ("indian",)
    with pytest.raises(UnsupportedOperation):
        await choose(shop.core, question(shop, amount=Money(10_000, "CNY"), **wanted))
    by_card = question(shop, amount=Money(10_000, "CNY"), takes=REDIRECT)
    assert (await choose(shop.core, by_card)).accounts == ("indian",)
