"""Razorpay, over its API: payment links, orders, captures, refunds, settlements and webhooks."""

from kassa.connectors.kind import Field, Kind
from kassa.connectors.razorpay.demo import DEMO
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="razorpay",
    title="Razorpay",
    connector="kassa.connectors.razorpay.connector:RazorpayConnector",
    fields=(
        Field(
            "key_id",
            "the API key's id, from Account & Settings, API keys",
            test_prefix=("rzp_test_",),
            live_prefix=("rzp_live_",),
            is_marked=True,
        ),
        Field("key_secret", "the API key's secret, shown once when the key is made", secret=True),
        Field(
            "webhook_secret",
            "the secret typed in with the webhook; without it webhooks are refused",
            secret=True,
            verifies=True,
            required=False,
        ),
        Field(
            "base_url",
            "the API's address",
            required=False,
            default="https://api.razorpay.com/v1",
            test_hosts=frozenset({"razorpay.com"}),
            live_hosts=frozenset({"razorpay.com"}),
            ending="/v1",
        ),
    ),
    methods=frozenset({Method.CREDIT_CARD, Method.UPI, Method.NET_BANKING, Method.EWALLET}),
    # Of the currencies Razorpay lists, those that it and ISO 4217 count with two decimals.
    currencies=frozenset(
        {
            "AED", "AUD", "CAD", "CHF", "CNY", "DKK", "EUR", "GBP", "HKD", "INR", "LKR", "MXN",
            "MYR", "NOK", "NPR", "NZD", "PHP", "QAR", "RUB", "SAR", "SEK", "SGD", "THB", "USD",
            "ZAR",
        }
    ),
    only_in={
        method: frozenset({"INR"}) for method in (Method.UPI, Method.NET_BANKING, Method.EWALLET)
    },
    takes=frozenset({"redirect"}),
    demo=DEMO,
)  # fmt: skip
