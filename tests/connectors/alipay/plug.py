"""Alipay, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way, keys

from kassa.base.domain.money import Money

OUR_KEY, OUR_PUBLIC_KEY = keys("contract: the application at alipay")
ALIPAYS_KEY, ALIPAYS_PUBLIC_KEY = keys("contract: alipay")
_, ANOTHERS_PUBLIC_KEY = keys("contract: another")

PLUG = Plug(
    name="alipay",
    amount=Money(8800, "CNY"),
    part=Money(3000, "CNY"),
    ways=(
        Way(name="page"),
        Way(name="qr", fields={"instrument": "qr"}),
        Way(
            name="code",
            fields={"instrument": "280000000000001234"},
            declines="280000000000000001",
        ),
    ),
    credentials={
        "app_id": "2021000000000001",
        "seller_id": "2088000000000001",
        "app_public_key": OUR_PUBLIC_KEY,
        "private_key": ALIPAYS_KEY,
    },
    settings={
        "app_id": "2021000000000001",
        "seller_id": "2088000000000001",
        "private_key": OUR_KEY,
        "alipay_public_key": ALIPAYS_PUBLIC_KEY,
    },
    foreign={"app_id": "2021000000000002", "alipay_public_key": ANOTHERS_PUBLIC_KEY},
    base_path="/alipay/gateway.do",
    judges_age=False,
    modes=Modes(
        test_host="https://openapi-sandbox.dl.alipaydev.com/gateway.do",
        live_host="https://openapi.alipay.com/gateway.do",
    ),
    signs_in_headers=False,
    sums={"refund": "refund_fee is all that was ever refunded of the trade"},
    cannot={
        "fail_refund": "what a bank card cannot take goes to the payer's Alipay balance instead",
        "fail": "a balance at Alipay is paid from for good",
        "capture": "it reserves nothing",
        "void": "it reserves nothing",
    },
)
