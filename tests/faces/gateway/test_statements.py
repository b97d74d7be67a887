"""How many statements and commits a payment through the gateway costs the database."""

from typing import Any

import pytest
from tests.faces.gateway.test_handlers import create

from kassa.base.store.wire import Wire

pytestmark = pytest.mark.anyio

MOST = 9


class Counted:
    """Every text that was sent, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[str] = []
        for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
            monkeypatch.setattr(Wire, name, self._counting(getattr(Wire, name)))

    def _counting(self, method: Any) -> Any:
        async def counted(wire: Wire, statement: str, *values: Any, **named: Any) -> Any:
            self.sent.append(" ".join(statement.split()))
            return await method(wire, statement, *values, **named)

        return counted


async def test_a_card_payment_takes_few_statements_and_two_commits(
    core: Any, client: Any, demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await create(client, demo, orderId="warm")
    counted = Counted(monkeypatch)

    answer = await create(client, demo, orderId="counted")

    assert answer.json()["paymentResult"] is True
    commits = [one for one in counted.sent if one == "commit"]
    assert len(commits) == 2, "before the call, and after it"
    assert len(counted.sent) <= MOST, "\n".join(counted.sent)


async def test_a_wallet_payment_takes_one_commit(
    core: Any, client: Any, demo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = {
        "paymentMethod": "wallet",
        "payerAccount": {
            "accountType": "wallet_auth_code",
            "accountNumber": demo.wallet_auth_code,
        },
    }
    await create(client, demo, orderId="warm", **wallet)
    counted = Counted(monkeypatch)

    answer = await create(client, demo, orderId="counted", **wallet)

    assert answer.json()["paymentResult"] is True
    assert [one for one in counted.sent if one == "commit"] == ["commit"]
    assert len(counted.sent) <= MOST + 1, "\n".join(counted.sent)
