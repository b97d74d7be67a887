"""Acme, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way

from kassa.base.domain.money import Money

CREDENTIALS = {"api_key": "acme-key-of-the-contract", "webhook_secret": "acme-secret-of-it"}

PLUG = Plug(
    name="acme",
    amount=Money(1099, "USD"),
    part=Money(400, "USD"),
    ways=(Way(name="page"),),
    credentials=CREDENTIALS,
    settings=CREDENTIALS,
    foreign={"api_key": "acme-key-of-another", "webhook_secret": "acme-secret-of-another"},
    base_path="/acme/v2",
    judges_age=False,
    modes=Modes(
        test_host="https://sandbox.acme.example",
        live_host="https://api.acme.example",
    ),
    cannot={
        "refund": "Acme has no page for its merchants: refunds are calls",
        "fail_refund": "a refund is done when Acme says so",
        "fail": "what is paid stays so",
    },
)
