"""What a wallet's inquiry tells of a reservation that was captured in part."""

from typing import Any

import pytest
from tests.connectors.wallet.conftest import INQUIRY, Wallet, result

from kassa.base.domain.money import Money
from kassa.connectors.base import Captured, InDoubt
from kassa.connectors.wallet.connector import WalletConnector

pytestmark = pytest.mark.anyio

PAID = result(
    paymentId="P-1",
    paymentRequestId="at1_key",
    paymentStatus="SUCCESS",
    paymentAmount={"currency": "CLP", "value": "2000"},
)


def claim(value: object, status: str = "SUCCESS", kind: str = "CAPTURE") -> dict[str, Any]:
    return {
        "transactionType": kind,
        "transactionStatus": status,
        "transactionAmount": {"currency": "CLP", "value": value},
    }


@pytest.mark.parametrize(
    ("transactions", "captured"),
    [
        ([claim("700")], 700),
        ([claim("700"), claim("900", "FAIL"), claim("300"), claim("100", kind="REFUND"), {}], 1000),
        ([claim("100", kind="REFUND")], 2000),
        ([claim("700", "PROCESSING")], 2000),
        ([claim("700"), claim("odd")], None),
    ],
)
async def test_of_a_reservation_that_is_captured_in_part_the_parts_are_told(
    connector: WalletConnector, wallet: Wallet, transactions: list[Any], captured: int | None
) -> None:
    wallet.answers[INQUIRY] = {**PAID, "transactions": transactions}

    outcome = await connector.query("at1_key")

    if captured is None:
        assert isinstance(outcome, InDoubt)
    else:
        assert outcome == Captured(reference="P-1", amount=Money(captured, "CLP"))
