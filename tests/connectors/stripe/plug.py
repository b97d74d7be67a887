"""Stripe, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way

from kassa.base.domain.money import Money

CREDENTIALS = {
    "secret_key": "sk_test_of_the_contract",
    "webhook_secret": "whsec_of_the_contract",
}

PLUG = Plug(
    name="stripe",
    amount=Money(1099, "USD"),
    part=Money(400, "USD"),
    ways=(
        Way(
            name="token",
            fields={"instrument": "pm_card_visa"},
            declines="pm_card_chargeDeclined",
        ),
        Way(name="page"),
        Way(
            name="reserved",
            fields={"instrument": "pm_card_visa", "capture": False},
            reserves=True,
            declines="pm_card_chargeDeclined",
        ),
        Way(name="asked", fields={"instrument": "pm_card_authenticationRequired"}),
    ),
    credentials=CREDENTIALS,
    settings=CREDENTIALS,
    foreign={"secret_key": "sk_test_of_another", "webhook_secret": "whsec_of_another"},
    base_path="/stripe",
    judges_age=True,
    modes=Modes(
        test_host="https://api.stripe.com",
        live_host="https://api.stripe.com",
        marked={"secret_key": (("sk_test_1", "rk_test_1"), ("sk_live_1", "rk_live_1"))},
    ),
)
