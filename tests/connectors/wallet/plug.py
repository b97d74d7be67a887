"""The wallet, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way, keys

from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Method

OUR_KEY, OUR_PUBLIC_KEY = keys("contract: the merchant at the wallet")
WALLETS_KEY, WALLETS_PUBLIC_KEY = keys("contract: the wallet")
_, ANOTHERS_PUBLIC_KEY = keys("contract: another")

PLUG = Plug(
    name="wallet",
    amount=Money(2000, "CLP"),
    part=Money(700, "CLP"),
    ways=(
        Way(
            name="code",
            fields={"instrument": "2800000000000000001234", "method": Method.EWALLET},
            declines="2800000000000000000001",
        ),
        Way(name="cashier", fields={"method": Method.EWALLET}),
        Way(name="reserved", fields={"method": Method.EWALLET, "capture": False}, reserves=True),
    ),
    credentials={
        "client_id": "5X00000000000000",
        "merchant_public_key": OUR_PUBLIC_KEY,
        "private_key": WALLETS_KEY,
    },
    settings={
        "client_id": "5X00000000000000",
        "private_key": OUR_KEY,
        "wallet_public_key": WALLETS_PUBLIC_KEY,
    },
    foreign={"client_id": "5X00000000000001", "wallet_public_key": ANOTHERS_PUBLIC_KEY},
    base_path="/wallet",
    judges_age=False,
    modes=Modes(
        test_host="https://wallet.example.com",
        live_host="https://wallet.example.com",
        anywhere=True,
    ),
    cannot={
        "capture": "the family has no page for it: captures are the merchant's calls",
        "void": "the family has no page for it: voids are the merchant's calls",
    },
)
