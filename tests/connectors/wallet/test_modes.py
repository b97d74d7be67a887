"""A wallet that says of what mode it is, is believed by an account of that mode alone."""

import pytest
from tests.connectors.wallet.conftest import INQUIRY, Keys, Wallet, connected
from tests.connectors.wallet.test_payments import CAPTURED, PAID

from kassa.connectors.base import InDoubt

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("said", ["", "test", "live"])
async def test_an_answer_of_the_other_mode_decides_nothing(
    wallet: Wallet, ours: Keys, wallets: Keys, live: bool, said: str
) -> None:
    wallet.answers[INQUIRY] = PAID
    wallet.headers = {"Kassa-Mode": said} if said else {}

    async with connected(ours, wallets, wallet.port, live=live) as connector:
        outcome = await connector.query("at1_key")

    if said in ("", "live" if live else "test"):
        assert outcome == CAPTURED
    else:
        assert isinstance(outcome, InDoubt)
        assert f"mode {said}" in outcome.reason
