"""Cashfree: payment links, UPI mandates that reserve, captures, refunds, reports and webhooks."""

from kassa.connectors.cashfree.demo import DEMO
from kassa.connectors.kind import Field, Kind
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="cashfree",
    title="Cashfree",
    connector="kassa.connectors.cashfree.connector:CashfreeConnector",
    fields=(
        Field("client_id", "the app id, from Developers, API keys", test_prefix=("TEST",)),
        Field(
            "client_secret",
            "the secret key beside it; it signs webhooks too",
            secret=True,
            verifies=True,
            test_prefix=("cfsk_ma_test_",),
            live_prefix=("cfsk_ma_prod_",),
        ),
        Field(
            "api_version",
            "the version to speak: 2023-08-01 or 2025-01-01",
            required=False,
            default="2023-08-01",
        ),
        Field(
            "default_phone",
            "sent for payers whose merchant gave no phone number, which Cashfree insists on",
            required=False,
            default="9999999999",
        ),
        Field(
            "base_url",
            "https://api.cashfree.com/pg, or https://sandbox.cashfree.com/pg for test accounts",
            required=False,
            default="https://sandbox.cashfree.com/pg",
            live_default="https://api.cashfree.com/pg",
            test_hosts=frozenset({"sandbox.cashfree.com"}),
            live_hosts=frozenset({"api.cashfree.com"}),
            ending="/pg",
        ),
    ),
    methods=frozenset({Method.CREDIT_CARD, Method.UPI, Method.NET_BANKING, Method.EWALLET}),
    currencies=frozenset({"INR"}),
    takes=frozenset({"redirect"}),
    demo=DEMO,
)
