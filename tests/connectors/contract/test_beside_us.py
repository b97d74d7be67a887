"""What a provider's own pages and its banks do to a charge without us, heard and booked.

Each is played at the simulator; its letters are posted to the gateway, and then both have the same
figures. `Plug.cannot` says of which connector what cannot be, and why.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.connectors.contract.scenes import begun
from tests.connectors.contract.stage import Stage
from tests.shop import Shop

from kassa.base.domain.lifecycle import ModificationKind, ModificationStatus, PaymentStatus
from kassa.connectors.base import ActionNeeded, RefundSource
from kassa.connectors.catalog import kind_of
from kassa.modifications.usecases.find_modifications import modifications_of
from kassa.modifications.usecases.look_again import look_again
from kassa.modifications.usecases.modify_payment import (
    ModifyPayment,
    modify_payment,
)
from kassa.modifications.usecases.pursue_modifications import pursue_modifications
from kassa.payments.domain.payments import CaptureMethod, Method, Payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.payments.usecases.sync_payment import sync_payment
from kassa.reconciliation.usecases.breaks import list_breaks
from kassa.webhooks_in.usecases.apply import apply_news
from kassa.webhooks_in.usecases.receive import receive_notification

pytestmark = pytest.mark.anyio

ACTS = ("refund", "fail_refund", "fail", "capture", "void")
RESERVED = ("capture", "void")
ACCOUNT = "there"  # a wallet that somebody else runs must not be called as ours is


def _way(plug: Plug, act: str) -> Way | None:
    return next((one for one in plug.ways if one.reserves is (act in RESERVED)), None)


CAN = [
    pytest.param(plug, act, id=f"{plug.name}-{act}")
    for plug in plugs()
    for act in ACTS
    if act not in plug.cannot and _way(plug, act) is not None
]
CANNOT = [
    pytest.param(plug, act, id=f"{plug.name}-{act}")
    for plug in plugs()
    for act in ACTS
    if act in plug.cannot and _way(plug, act) is not None
]


@pytest.fixture
async def counter(shop: Shop, stage: Stage) -> AsyncIterator[Shop]:
    """The shop, whose provider is the stage's; whatever happens, its books are sound after it."""
    cast("dict[str, Any]", shop.core.connectors)[ACCOUNT] = stage.patient
    here = stage.hook.removesuffix(f"/providers/{stage.plug.name}")
    shop.core.policy = replace(shop.core.policy, base_url=here)
    yield shop
    assert await shop.faults() == []
    assert await list_breaks(shop.core, shop.company.id) == []


async def _paid(shop: Shop, stage: Stage, way: Way) -> Payment:
    """Through the gateway, by a payer at the simulator."""
    manual = CaptureMethod.MANUAL if way.reserves else CaptureMethod.AUTOMATIC
    amount = {"amount": stage.plug.amount, "capture_method": manual}
    payment = await shop.payment(**amount)
    payment = await submit_payment(
        shop.core,
        Submission(
            company_id=payment.company_id,
            payment_id=payment.id,
            method=way.fields.get("method", Method.CREDIT_CARD),
            connector=ACCOUNT,
            instrument=way.fields.get("instrument", ""),
            instrument_shown="",
            actor="payer",
            return_url="https://shop.example/back",
        ),
    )
    key = await _key(shop, payment)
    if payment.redirect_url:
        await stage.go(ActionNeeded(reference="", url=payment.redirect_url))
        stage.act(key, "pay")
        await _post(shop, stage)
        await shop.sql("update attempt set last_query_at = null")
        payment = await sync_payment(shop.core, payment.company_id, payment.id, actor="payer")
    wanted = PaymentStatus.AUTHORIZED if way.reserves else PaymentStatus.CAPTURED
    assert payment.status is wanted
    return payment


async def _key(shop: Shop, payment: Payment) -> str:
    [attempt] = await shop.attempts(payment)
    return str(attempt["id"])


async def _post(shop: Shop, stage: Stage) -> None:
    """The simulator's letters so far, as the gateway's own door takes them; then its rounds."""
    await stage.simulator.post_letters()
    for letter in stage.heard:
        await receive_notification(
            shop.core, ACCOUNT, letter.headers, letter.body, target=letter.target
        )
    stage.heard.clear()
    await shop.sql("update provider_news set next_at = now() where next_at is not null")
    await apply_news(shop.core)
    await look_again(shop.core)


async def _are_alike(shop: Shop, stage: Stage, payment: Payment) -> Payment:
    """Ours and the simulator's figures of this charge."""
    now = await shop.read(payment)
    key = await _key(shop, payment)
    assert {
        "captured": now.captured.minor,
        "refunded": now.refunded.minor,
        "disputed": now.disputed_minor,
    } == {
        "captured": sum(stage.moved(key, "charge")),
        "refunded": sum(stage.moved(key, "refund")),
        "disputed": sum(stage.moved(key, "dispute")),
    }
    return now


@pytest.mark.parametrize(("stage", "act"), CAN, indirect=["stage"])
async def test_what_is_done_beside_us_is_heard_and_booked(
    counter: Shop, stage: Stage, act: str
) -> None:
    way = _way(stage.plug, act)
    assert way is not None
    payment = await _paid(counter, stage, way)
    if act == "fail_refund":
        await modify_payment(
            counter.core,
            ModifyPayment(
                company_id=payment.company_id,
                payment_id=payment.id,
                kind=ModificationKind.REFUND,
                amount=stage.plug.part,
                actor="merchant",
            ),
        )
        await _post(counter, stage)
        assert (await _are_alike(counter, stage, payment)).refunded == stage.plug.part

    stage.simulator.advance(timedelta(seconds=5))  # later than the payment, also by the second
    assert stage.act(await _key(counter, payment), act)
    await _post(counter, stage)

    now = await _are_alike(counter, stage, payment)
    made = await modifications_of(counter.core, payment.company_id, [payment.id])
    match act:
        case "refund":
            assert now.refunded == stage.plug.amount
            assert [one.is_made_there for one in made] == [True]
        case "fail_refund":
            assert [one.status for one in made] == [ModificationStatus.FAILED]
            assert now.refundable == stage.plug.amount
        case "fail":
            assert now.disputed_minor == stage.plug.amount.minor
        case "capture":
            assert now.captured == stage.plug.amount
        case "void":
            assert now.status is PaymentStatus.CANCELED


@pytest.mark.parametrize(("stage", "act"), CANNOT, indirect=["stage"])
async def test_what_cannot_be_there_the_simulator_does_not_play(stage: Stage, act: str) -> None:
    way = _way(stage.plug, act)
    assert way is not None
    request = await begun(stage, way)
    stage.act(request.key, "pay")

    assert not stage.act(request.key, act)
    assert stage.plug.cannot[act]


@pytest.mark.parametrize(
    ("stage", "act"), [one for one in CAN if one.values[1] == "refund"], indirect=["stage"]
)
async def test_a_lost_letter_of_a_refund_is_made_good_by_the_list(
    counter: Shop, stage: Stage, act: str
) -> None:
    """A refund of ours is refused for it; then the charge is asked, and its refunds are listed."""
    way = _way(stage.plug, act)
    assert way is not None
    payment = await _paid(counter, stage, way)
    stage.play("never", "letter")
    assert stage.act(await _key(counter, payment), act)

    made = await modify_payment(
        counter.core,
        ModifyPayment(
            company_id=payment.company_id,
            payment_id=payment.id,
            kind=ModificationKind.REFUND,
            amount=stage.plug.part,
            actor="merchant",
        ),
    )
    assert made.modification.status is ModificationStatus.FAILED
    await look_again(counter.core)

    await _are_alike(counter, stage, payment)


@pytest.mark.parametrize(
    ("stage", "act"), [one for one in CAN if one.values[1] == "fail_refund"], indirect=["stage"]
)
async def test_a_refund_made_there_is_asked_about_too(
    counter: Shop, stage: Stage, act: str
) -> None:
    """The letter of its failure was lost, and the provider does not know it by our reference."""
    way = _way(stage.plug, act)
    assert way is not None
    payment = await _paid(counter, stage, way)
    stage.simulator.advance(timedelta(seconds=5))
    assert stage.act(await _key(counter, payment), "refund")
    await _post(counter, stage)
    assert (await _are_alike(counter, stage, payment)).refunded == stage.plug.amount
    stage.play("never", "letter")
    assert stage.act(await _key(counter, payment), act)

    await counter.sql("update modification set next_query_at = now(), last_query_at = null")
    assert await pursue_modifications(counter.core) == 1

    assert (await _are_alike(counter, stage, payment)).refunded.minor == 0


def test_whoever_does_not_tell_sums_of_refunds_lists_them() -> None:
    lists = {plug.name for plug in plugs() if isinstance(kind_of(plug.name).load(), RefundSource)}

    assert lists == {plug.name for plug in plugs() if "refund" not in (*plug.sums, *plug.cannot)}


def test_nothing_is_said_to_be_impossible_that_is_no_act() -> None:
    for plug in plugs():
        assert set(plug.cannot) <= set(ACTS)
        assert replace(plug).cannot == plug.cannot
