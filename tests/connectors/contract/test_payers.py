"""What a merchant says of its payer never keeps the payer from paying."""

import pytest
from tests.connectors.contract.plug import Way, plugs
from tests.connectors.contract.scenes import begun, ended
from tests.connectors.contract.stage import Stage
from tests.connectors.contract.truth import asked, standing

from kassa.connectors.base import Declined, InDoubt, NotSent
from kassa.orders.domain.orders import Customer
from kassa_simulator.faults import PICKY

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}") for plug in plugs() for way in plug.ways
]
NAMES = (
    "Lovelace, Ada",
    "A",
    "Bo",
    "Zoë Müller-Lüdenscheidt",
    "张伟",
    "محمد",
    "Ada 😀👩🏽‍💻",
    "😀",
    "x" * 300,
    "Robert'); DROP TABLE payers;--",
    " \t ",
    "O’Brien & Søn / c.o.",
    "12345",
    "ﬁ\u200d\u202eﬀ",
)
PHONES = ("", "+91 98765-43210", "(030) 1234/567", "12", "phone", "+491512345678901234", "٠١٢٣٤")
EMAILS = ("", "ada@example.com", "ada", "ü@exämple.com", f"{'a' * 60}@example.com", "a@b", "@")
WORDS = ("Tee für zwei", "茶 ☕", "", "x" * 3000, "a\nb\x00c", "<b>&=/\\\"'", "😀")


def customer(number: int) -> Customer:
    """Each name with some phone, and each phone and address with some name."""
    return Customer(
        id=f"cust {number}/é",
        number=number,
        name=NAMES[number % len(NAMES)],
        phone=PHONES[number % len(PHONES)],
        email=EMAILS[number % len(EMAILS)],
    )


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_whatever_a_payer_is_called_the_charge_is_made(stage: Stage, way: Way) -> None:
    for number in range(len(NAMES)):
        words = WORDS[number % len(WORDS)]
        said = {"customer": customer(number), "subject": words, "description": words}
        request = stage.charge_request(way, **said)

        outcome = await asked(stage, stage.patient.charge(request))

        assert not isinstance(outcome, Declined | InDoubt | NotSent), (said, outcome)


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_charge_refused_over_its_payer_is_made_without_and_once(
    stage: Stage, way: Way
) -> None:
    stage.play(PICKY)
    known = Customer(id="cust_1", number=1, name="Ada Lovelace", email="ada@example.com")

    request = await begun(stage, way, customer=known)
    again = await asked(stage, stage.patient.charge(request))

    assert not isinstance(again, Declined | InDoubt | NotSent), again
    stage.act(request.key, "pay")
    await ended(stage, way, request)
    moved = standing(stage, request.key)
    assert len(moved.taken) + bool(moved.reserved) == 1
