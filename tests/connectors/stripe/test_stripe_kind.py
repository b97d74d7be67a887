"""What the connector says of itself, and what its settings must be."""

from datetime import UTC, datetime

import pytest

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors.catalog import kind_of
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools, operations
from kassa.connectors.stripe.connector import StripeConnector

TOOLS = Tools(http=ProviderHttp(), clock=lambda: datetime.now(UTC), base_url="https://pay.example")


def test_it_can_do_everything_that_an_account_may_want() -> None:
    made = kind_of("stripe").make({"secret_key": "sk_test_1"}, TOOLS)

    assert isinstance(made, StripeConnector)
    assert operations(made) == {
        "charge", "query", "capture", "void", "refund", "close", "report", "test"
    }  # fmt: skip


def test_a_key_of_the_other_mode_is_refused() -> None:
    kind = kind_of("stripe")

    assert kind.read({"secret_key": "sk_live_1"}, live=True) == {"secret_key": "sk_live_1"}
    for key, live in (("sk_live_1", False), ("sk_test_1", True)):
        with pytest.raises(InvalidRequest):
            kind.read({"secret_key": key}, live=live)


def test_a_key_that_cannot_be_one_is_refused_without_being_repeated() -> None:
    with pytest.raises(InvalidRequest) as caught:
        kind_of("stripe").make({"secret_key": "sk_test_1\nX-Other: 2"}, TOOLS)

    assert "sk_test_1" not in caught.value.message
