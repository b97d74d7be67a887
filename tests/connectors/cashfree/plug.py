"""Cashfree, as the contract suite drives it."""

from tests.connectors.contract.plug import Modes, Plug, Way

from kassa.base.domain.money import Money
from kassa.payments.domain.payments import Method

CREDENTIALS = {"client_id": "cf-contract", "client_secret": "cf-secret-of-the-contract"}

PLUG = Plug(
    name="cashfree",
    amount=Money(50_010, "INR"),
    part=Money(20_000, "INR"),
    ways=(
        Way(name="link"),
        Way(
            name="reserved",
            fields={"method": Method.UPI, "capture": False},
            reserves=True,
            one_address="the address of a UPI mandate is good for one try, and we have no other",
        ),
    ),
    credentials=CREDENTIALS,
    settings=CREDENTIALS,
    foreign={"client_id": "cf-another", "client_secret": "cf-secret-of-another"},
    base_path="/cashfree/pg",
    judges_age=True,
    modes=Modes(
        test_host="https://sandbox.cashfree.com/pg",
        live_host="https://api.cashfree.com/pg",
        marked={
            "client_id": (("TEST1",), ("1234",)),
            "client_secret": (("cfsk_ma_test_1",), ("cfsk_ma_prod_1",)),
        },
        mistakable=frozenset({"client_id"}),
    ),
    cannot={
        "void": "it tells nobody: it is heard when we let the reservation go",
        "fail": "what succeeded stays so; what a bank takes back is told as a dispute",
    },
)
