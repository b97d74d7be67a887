"""Razorpay, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way

from kassa.base.domain.money import Money

CREDENTIALS = {
    "key_id": "rzp_test_contract",
    "key_secret": "key-secret-of-the-contract",
    "webhook_secret": "wh-secret-of-the-contract",
}

PLUG = Plug(
    name="razorpay",
    amount=Money(50_000, "INR"),
    part=Money(20_000, "INR"),
    ways=(
        Way(name="link"),
        Way(name="reserved", fields={"capture": False}, reserves=True, by_form=True),
    ),
    credentials=CREDENTIALS,
    settings=CREDENTIALS,
    foreign={
        "key_id": "rzp_test_another",
        "key_secret": "key-secret-of-another",
        "webhook_secret": "wh-secret-of-another",
    },
    base_path="/razorpay/v1",
    judges_age=False,
    modes=Modes(
        test_host="https://api.razorpay.com/v1",
        live_host="https://api.razorpay.com/v1",
        marked={"key_id": (("rzp_test_1",), ("rzp_live_1",))},
    ),
    claims_in_part=False,
    never={"void": "Razorpay lets go of reserved money by time alone"},
    cannot={
        "fail": "what was captured stays so; what a bank takes back is told as a dispute",
        "void": "reserved money is let go by time alone",
    },
)
