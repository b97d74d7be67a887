"""The connector against the simulated wallet, which shares no code with it: and its faults."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.wallet.conftest import CLIENT, NOW, Keys, a_change, a_charge, connected
from tests.simulator.letterbox import letterbox

from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    Done,
    InDoubt,
    KnownCharge,
    NotSent,
    Pending,
    Refused,
    Unknown,
)
from kassa.connectors.wallet.connector import WalletConnector
from kassa_simulator.frame import Merchant
from kassa_simulator.running import Simulator, running

pytestmark = pytest.mark.anyio

CODE = "281000000000000000"
PRICE = Money(2000, "CLP")


@pytest.fixture
async def simulator(tmp_path: Path, ours: Keys, wallets: Keys) -> AsyncIterator[Simulator]:
    merchant = Merchant(
        provider="wallet",
        name="Lantern Tea",
        credentials={
            "client_id": CLIENT,
            "merchant_public_key": ours.public_pem,
            "private_key": wallets.private_pem,
        },
    )
    async with running(tmp_path, merchants=[merchant], start=NOW) as made:
        yield made


@pytest.fixture
async def theirs(simulator: Simulator, ours: Keys, wallets: Keys) -> AsyncIterator[WalletConnector]:
    base_url = f"{simulator.url}/wallet"
    async with connected(ours, wallets, 0, base_url=base_url, total_seconds=5) as made:
        yield made


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/payments/"])
async def test_the_credentials_are_right_however_the_address_ends(
    simulator: Simulator, ours: Keys, wallets: Keys, end: str
) -> None:
    base_url = f"{simulator.url}/wallet{end}"
    async with connected(ours, wallets, 0, base_url=base_url, total_seconds=5) as theirs:
        assert await theirs.probe() == ""


async def test_a_wrong_key_is_named(simulator: Simulator, wallets: Keys) -> None:
    base_url = f"{simulator.url}/wallet"
    async with connected(wallets, wallets, 0, base_url=base_url) as stranger:
        assert "private_key" in await stranger.probe()


async def test_a_payer_pays_in_the_cashier(theirs: WalletConnector, simulator: Simulator) -> None:
    begun = await theirs.charge(a_charge())
    assert isinstance(begun, ActionNeeded)
    known = KnownCharge(reference=begun.reference)
    assert await theirs.query("at1_key", known) == Pending(reference=begun.reference)

    simulator.act("wallet", begun.reference, "pay")

    paid = Captured(reference=begun.reference, amount=PRICE)
    assert await theirs.query("at1_key", known) == paid
    assert await theirs.close_charge("at1_key", known) == paid


async def test_a_payer_declines_or_is_too_late(
    theirs: WalletConnector, simulator: Simulator
) -> None:
    declined, late = await theirs.charge(a_charge()), await theirs.charge(a_charge(key="at1_late"))
    assert isinstance(declined, ActionNeeded)
    assert isinstance(late, ActionNeeded)

    simulator.act("wallet", declined.reference, "decline")
    simulator.advance(timedelta(hours=1))

    assert isinstance(await theirs.query("at1_key"), Declined)
    assert isinstance(await theirs.query("at1_late"), Declined)


async def test_an_order_is_closed(theirs: WalletConnector) -> None:
    await theirs.charge(a_charge())

    assert isinstance(await theirs.close_charge("at1_key"), Declined)
    assert isinstance(await theirs.query("at1_key"), Declined)
    assert isinstance(await theirs.close_charge("at1_none"), Unknown)


async def test_a_code_pays_and_a_refund_goes_back(
    theirs: WalletConnector, simulator: Simulator
) -> None:
    paid = await theirs.charge(a_charge(instrument=CODE))
    assert isinstance(paid, Captured)
    request = a_change(charge_reference=paid.reference)

    done = await theirs.refund(request)

    assert isinstance(done, Done)
    assert done.amount == Money(500, "CLP")
    assert await theirs.refund(request) == done
    assert await theirs.query_modification(request) == done
    too_much = a_change(key="re1_more", charge_reference=paid.reference, amount=PRICE)
    assert isinstance(await theirs.refund(too_much), Declined)
    assert isinstance(await theirs.query_modification(too_much), Declined)
    assert simulator.money("wallet")["CLP"]["refunded_minor"] == 500


@pytest.mark.parametrize(("ending", "code"), [("0001", "insufficient_funds")])
async def test_a_code_is_refused(theirs: WalletConnector, ending: str, code: str) -> None:
    refused = await theirs.charge(a_charge(instrument=CODE[:-4] + ending))

    assert isinstance(refused, Declined)
    assert refused.code == code


async def test_what_is_reserved_is_captured_or_let_go(theirs: WalletConnector) -> None:
    held = await theirs.charge(a_charge(instrument=CODE, capture=False))
    other = await theirs.charge(a_charge(key="at1_other", instrument=CODE, capture=False))
    assert isinstance(held, Authorized)
    assert isinstance(other, Authorized)
    claim = a_change(key="ca1_key", charge_reference=held.reference)
    void = a_change(key="vo1_key", charge_key="at1_other", charge_reference=other.reference)

    captured, voided = await theirs.capture(claim), await theirs.void(void)

    assert isinstance(captured, Done)
    assert captured.amount == Money(500, "CLP")
    assert isinstance(voided, Done)
    assert await theirs.capture(claim) == captured
    assert isinstance(await theirs.query("at1_other"), Declined)


@pytest.mark.parametrize(
    ("fault", "outcome", "found"),
    [
        ("refuse", (NotSent, InDoubt), Unknown),
        ("reset_before", (InDoubt,), Unknown),
        ("reset_after", (InDoubt,), Captured),
        ("garbage", (InDoubt,), Captured),
        ("error_500", (InDoubt,), Unknown),
        ("error_500_after", (InDoubt,), Captured),
        ("rate_limited", (InDoubt,), Unknown),
        ("duplicate_answer", (Captured, InDoubt), Captured),
        ("decline", (Declined,), (Declined, Unknown)),
    ],
)
async def test_whatever_happens_to_a_charge_a_query_by_our_key_tells_the_truth(
    theirs: WalletConnector, simulator: Simulator, fault: str, outcome: Any, found: Any
) -> None:
    simulator.set_faults([{"provider": "wallet", "operation": "charge", "fault": fault}])

    assert isinstance(await theirs.charge(a_charge(instrument=CODE)), outcome)

    assert isinstance(await theirs.query("at1_key"), found)
    assert simulator.money("wallet").get("CLP", {}).get("charged_minor", 0) in (0, 2000)


@pytest.mark.parametrize("fault", ["wrong_amount", "wrong_currency", "not_found", "garbage"])
async def test_a_distorted_inquiry_is_never_taken_for_the_payment(
    theirs: WalletConnector, simulator: Simulator, fault: str
) -> None:
    await theirs.charge(a_charge(instrument=CODE))
    simulator.set_faults([{"provider": "wallet", "operation": "query", "fault": fault}])

    found = await theirs.query("at1_key")

    assert not isinstance(found, Declined)
    assert not (isinstance(found, Captured) and found.amount == PRICE)


@pytest.mark.parametrize("fault", ["reset_after", "garbage", "error_500_after"])
async def test_a_refund_whose_answer_is_lost_is_found_again(
    theirs: WalletConnector, simulator: Simulator, fault: str
) -> None:
    await theirs.charge(a_charge(instrument=CODE))
    rule = {"provider": "wallet", "operation": "refund", "fault": fault, "first": 1}
    simulator.set_faults([rule])
    request = a_change(charge_reference="")

    assert isinstance(await theirs.refund(request), InDoubt)

    assert isinstance(await theirs.query_modification(request), Done)
    assert isinstance(await theirs.refund(request), Done)
    assert simulator.money("wallet")["CLP"]["refunded_minor"] == 500


async def test_its_letters_are_news_and_forged_ones_are_not(
    theirs: WalletConnector, simulator: Simulator
) -> None:
    rule = {"provider": "wallet", "operation": "letter", "fault": "forged"}
    simulator.set_faults([rule])
    async with letterbox(WalletConnector.acknowledgement[1]) as box:
        paid = await theirs.charge(a_charge(instrument=CODE, notify_url=box.url))
        await simulator.post_letters()

        heard = [
            theirs.parse_notification(
                {name.lower(): value for name, value in headers.items()}, body, target="/notify"
            )
            for headers, body in box.letters
        ]

    news = [one for one in heard if isinstance(one, ChargeEvent)]
    assert {(one.key, one.outcome) for one in news} == {("at1_key", paid)}
    assert any(isinstance(one, Refused) for one in heard)
    assert any(copy["heard"] for letter in simulator.letters() for copy in letter["copies"])
