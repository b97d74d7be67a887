"""Payment links at the simulated Razorpay: from the address to the money."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.connectors.razorpay.conftest import (
    CREDENTIALS,
    KEY,
    act,
    change,
    charge_request,
    connected,
)
from tests.connectors.scripted import Scripted

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    NotSent,
    Unknown,
)
from kassa.connectors.forms import FormCharge
from kassa.connectors.kind import operations
from kassa.connectors.razorpay import KIND
from kassa.connectors.razorpay.connector import RazorpayConnector
from kassa.connectors.razorpay.signatures import checkout_is_genuine
from kassa.orders.domain.orders import Customer
from kassa.payments.domain.payments import Method
from kassa_simulator.frame import Merchant
from kassa_simulator.razorpay.pages import signed
from kassa_simulator.running import Simulator

pytestmark = pytest.mark.anyio

CAPTURE, VOID = "ca1_01kb0000000000000000000003", "vo1_01kb0000000000000000000004"


async def test_it_can_do_what_its_class_says(razorpay: RazorpayConnector) -> None:
    everything = {"charge", "query", "capture", "void", "refund", "close", "report", "test"}
    assert operations(razorpay) == everything
    assert "key-secret" not in repr(razorpay) + repr(razorpay.__dict__["_api"])


async def test_a_charge_is_an_address_and_then_the_payers_money(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    begun = await razorpay.charge(charge_request())
    assert isinstance(begun, ActionNeeded)
    assert begun.url.startswith(f"{simulator.url}/razorpay/i/plink_")
    assert await razorpay.query(KEY) == begun

    payment_id = act(simulator)
    told = await razorpay.query(KEY, KnownCharge(amount=Money(50_000, "INR")))
    # 2 percent, and the tax on it.
    fee = Money(1_180, "INR")
    assert told == Captured(reference=payment_id, amount=Money(50_000, "INR"), fee=fee)


async def test_a_repeat_under_one_key_leads_to_the_same_link(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    request = charge_request()
    first = await razorpay.charge(request)
    assert await razorpay.charge(request) == first
    act(simulator)
    assert isinstance(await razorpay.charge(request), Captured)
    assert simulator.money("razorpay")["INR"]["charged_minor"] == 50_000


async def test_the_customer_and_the_method_go_along_and_a_bad_phone_does_not(
    scripted: RazorpayConnector, script: Scripted
) -> None:
    customer = Customer(id="c", number=1, name="R. Lane", email="r@shop.example", phone="call me")
    await scripted.charge(charge_request(customer=customer, method=Method.UPI))
    sent = script.heard[0].body
    assert sent["customer"] == {"name": "R. Lane", "email": "r@shop.example"}
    assert sent["options"]["checkout"]["method"] == {
        "card": "0",
        "upi": "1",
        "netbanking": "0",
        "wallet": "0",
    }
    assert sent["notify"] == {"sms": False, "email": False}
    assert sent["reference_id"] == sent["notes"]["kassa_key"] == KEY


async def test_a_declined_try_leaves_the_link_open(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    begun = await razorpay.charge(charge_request())
    act(simulator, "decline")
    assert await razorpay.query(KEY) == begun
    act(simulator, "pay")
    assert isinstance(await razorpay.query(KEY), Captured)


async def test_a_link_that_ran_out_is_declined_and_one_that_was_cancelled_too(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    await razorpay.charge(charge_request())
    simulator.advance(timedelta(hours=3))
    told = await razorpay.query(KEY)
    assert isinstance(told, Declined)
    assert (told.code, told.provider_code) == ("expired", "expired")

    other = KEY[:-1] + "9"
    now = datetime.now(UTC) + timedelta(hours=3)
    await razorpay.charge(charge_request(key=other, now=now, expires_at=now + timedelta(hours=1)))
    closed = await razorpay.close_charge(other)
    assert isinstance(closed, Declined)
    assert closed.code == "closed"
    assert await razorpay.close_charge(other) == closed


async def test_closing_a_paid_link_says_that_it_was_paid(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    await razorpay.charge(charge_request())
    act(simulator)
    assert isinstance(await razorpay.close_charge(KEY), Captured)
    assert isinstance(await razorpay.close_charge(KEY[:-1] + "9"), Unknown)


async def test_charged_and_then_the_connection_lost_is_found_by_our_key_alone(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    simulator.set_faults([{"provider": "razorpay", "operation": "prepare", "fault": "reset_after"}])
    assert isinstance(await razorpay.charge(charge_request()), InDoubt)
    simulator.set_faults([])
    assert isinstance(await razorpay.query(KEY), ActionNeeded)


async def test_nothing_is_there_when_the_connection_was_refused(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    simulator.set_faults(
        [{"provider": "razorpay", "operation": "prepare", "fault": "reset_before"}]
    )
    assert isinstance(await razorpay.charge(charge_request()), InDoubt)
    assert isinstance(await razorpay.query(KEY), Unknown)
    async with connected("http://127.0.0.1:9/v1") as nowhere:
        assert isinstance(await nowhere.charge(charge_request()), NotSent)


@pytest.mark.parametrize("fault", ["garbage", "error_500", "error_500_after", "rate_limited"])
async def test_an_answer_that_says_nothing_certain_is_a_doubt(
    razorpay: RazorpayConnector, simulator: Simulator, fault: str
) -> None:
    simulator.set_faults([{"provider": "razorpay", "operation": "*", "fault": fault}])
    assert isinstance(await razorpay.charge(charge_request()), InDoubt)
    assert isinstance(await razorpay.query(KEY), InDoubt)


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency"])
async def test_a_link_for_other_money_is_never_shown_to_a_payer(
    razorpay: RazorpayConnector, simulator: Simulator, fault: str
) -> None:
    simulator.set_faults([{"provider": "razorpay", "operation": "*", "fault": fault}])
    assert isinstance(await razorpay.charge(charge_request()), InDoubt)
    known = KnownCharge(amount=Money(50_000, "INR"))
    assert isinstance(await razorpay.query(KEY, known), InDoubt)
    act(simulator)
    told = await razorpay.query(KEY, known)
    assert isinstance(told, Captured)
    assert told.amount != Money(50_000, "INR")


async def test_wrong_credentials_send_nothing_and_the_probe_says_so(simulator: Simulator) -> None:
    base_url = f"{simulator.url}/razorpay/v1"
    async with connected(base_url, key_secret="another") as wrong:
        told = await wrong.charge(charge_request())
        assert told == NotSent(reason="Razorpay refused key_id and key_secret")
        assert await wrong.probe() == "Razorpay refused key_id and key_secret"
    async with connected(base_url) as right:
        assert await right.probe() == ""
    with pytest.raises(Exception, match="key_id"):
        async with connected(base_url, key_id="a:b"):
            pass


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": Money(99, "INR")}, "amount_out_of_range"),
        ({"amount": Money(500, "USD"), "method": Method.UPI}, "currency_unsupported"),
        ({"instrument": "pm_card"}, "card_not_supported"),
        ({"return_url": "https://shop.example/" + "a" * 2048}, "address_too_long"),
        ({"capture": False, "notify_url": "https://s.example/" + "a" * 256}, "address_too_long"),
        ({"expires_at": datetime.now(UTC) + timedelta(minutes=5)}, "expired"),
    ],
)
async def test_what_razorpay_can_never_take_is_refused_before_a_word_is_sent(
    scripted: RazorpayConnector, script: Scripted, changes: dict[str, object], code: str
) -> None:
    told = await scripted.charge(charge_request(**changes))
    assert isinstance(told, Declined)
    assert told.code == code
    assert script.heard == []


async def test_a_key_that_razorpay_cannot_hold_is_a_bug(scripted: RazorpayConnector) -> None:
    with pytest.raises(ValueError, match="1 to 40"):
        await scripted.charge(charge_request(key="a" * 41))


async def test_money_is_reserved_by_an_order_and_claimed_whole(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    begun = await razorpay.charge(charge_request(capture=False))
    assert isinstance(begun, ActionNeeded)
    assert begun.url == f"https://pay.example/providers/rzp/pay/{KEY}"
    assert await razorpay.charge(charge_request(capture=False)) == begun

    payment_id = act(simulator)
    told = await razorpay.query(KEY)
    assert isinstance(told, Authorized)
    assert (told.reference, told.amount) == (payment_id, Money(50_000, "INR"))
    assert told.expires_at is not None

    part = change(CAPTURE, charge_reference=payment_id, amount=Money(100, "INR"))
    refused = await razorpay.capture(part)
    assert isinstance(refused, Declined)
    assert refused.code == "partial_capture_not_allowed"

    whole = replace(part, amount=Money(50_000, "INR"))
    assert isinstance(await razorpay.query_modification(whole), Unknown)
    done = await razorpay.capture(whole)
    assert isinstance(done, Done)
    assert (done.reference, done.amount) == (payment_id, Money(50_000, "INR"))
    assert await razorpay.capture(whole) == done
    assert await razorpay.query_modification(whole) == done
    assert simulator.money("razorpay")["INR"]["charged_minor"] == 50_000


async def test_a_capture_that_was_done_and_lost_is_found(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    await razorpay.charge(charge_request(capture=False))
    request = change(CAPTURE, charge_reference=act(simulator))
    simulator.set_faults([{"provider": "razorpay", "operation": "capture", "fault": "reset_after"}])
    assert isinstance(await razorpay.capture(request), InDoubt)
    assert isinstance(await razorpay.query_modification(request), Done)


async def test_reserved_money_is_let_go_by_time_alone(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    await razorpay.charge(charge_request(capture=False))
    request = change(VOID, charge_reference=act(simulator))
    refused = await razorpay.void(request)
    assert isinstance(refused, Declined)
    assert refused.code == "void_not_possible"

    simulator.advance(timedelta(days=4))
    assert isinstance(await razorpay.void(request), Done)
    lapsed = await razorpay.query(KEY)
    assert isinstance(lapsed, Declined)
    assert lapsed.code == "authorization_expired"
    late = await razorpay.capture(change(CAPTURE, charge_reference=request.charge_reference))
    assert isinstance(late, Declined)
    assert late.code == "authorization_expired"


async def test_the_hosted_checkout_gets_a_form_and_sends_its_payer_back(
    razorpay: RazorpayConnector, simulator: Simulator
) -> None:
    begun = await razorpay.charge(charge_request(capture=False))
    assert isinstance(begun, ActionNeeded)
    assert begun.url == f"https://pay.example/providers/rzp/pay/{KEY}"
    charge = FormCharge(
        reference=begun.reference,
        amount=Money(50_000, "INR"),
        returns_to=f"https://pay.example/providers/rzp/paid/{KEY}",
        back="https://pay.example/pay/sess_1/result",
    )
    form = razorpay.form(charge)
    assert form.action == f"{simulator.url}/razorpay/v1/checkout/embedded"
    assert form.fields == {
        "key_id": "rzp_test_shop",
        "order_id": begun.reference,
        "amount": "50000",
        "currency": "INR",
        "callback_url": charge.returns_to,
        "cancel_url": charge.back,
    }
    merchant = Merchant(provider="razorpay", name="shop", credentials=CREDENTIALS)
    fields = signed(merchant, begun.reference, act(simulator))
    assert checkout_is_genuine("key-secret", begun.reference, fields)
    assert razorpay.came_back(begun.reference, fields)
    assert razorpay.came_back("pay_1", fields)  # paid by then, and known by its payment
    assert razorpay.came_back(begun.reference, {})
    assert not razorpay.came_back(begun.reference, {**fields, "razorpay_payment_id": "pay_other"})
    assert not razorpay.came_back("order_other", fields)


async def test_a_keys_prefix_says_whether_money_moves() -> None:
    fields = {field.name: field for field in KIND.fields}
    assert fields["key_id"].test_prefix == ("rzp_test_",)
    assert fields["key_id"].live_prefix == ("rzp_live_",)
    assert all(fields[name].secret for name in ("key_secret", "webhook_secret"))
