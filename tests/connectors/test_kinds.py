"""What is typed in for an account is read as it was meant."""

import pytest

from kassa.connectors.catalog import kind_of

CREDENTIALS = {
    "razorpay": {"key_id": "rzp_test_1", "key_secret": "secret"},
    "cashfree": {"client_id": "client", "client_secret": "secret"},
}


@pytest.mark.parametrize(("name", "ending"), [("razorpay", "/v1"), ("cashfree", "/pg")])
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_address_needs_no_ending_that_everybody_knows(
    name: str, ending: str, slash: str
) -> None:
    for written in ("https://pay.example", f"https://pay.example{ending}"):
        typed = {**CREDENTIALS[name], "base_url": written + slash}

        assert kind_of(name).read(typed, live=False)["base_url"] == f"https://pay.example{ending}"
