"""Stripe: cards by token or on Stripe's own page, captures, refunds, disputes and payouts."""

from kassa.connectors.declared import ReportFormat
from kassa.connectors.kind import Field, Kind
from kassa.connectors.stripe.demo import DEMO
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="stripe",
    title="Stripe",
    connector="kassa.connectors.stripe.connector:StripeConnector",
    fields=(
        Field(
            "secret_key",
            "the secret key, in Stripe's Dashboard under Developers, API keys",
            secret=True,
            test_prefix=("sk_test_", "rk_test_"),
            live_prefix=("sk_live_", "rk_live_"),
            is_marked=True,
        ),
        Field(
            "webhook_secret",
            "the signing secret of the webhook endpoint (whsec_…); without it no notification is"
            " believed",
            secret=True,
            verifies=True,
            required=False,
        ),
        Field(
            "base_url",
            "where Stripe's API is; another address only for tests",
            required=False,
            default="https://api.stripe.com",
            test_hosts=frozenset({"stripe.com"}),
            live_hosts=frozenset({"stripe.com"}),
        ),
    ),
    methods=frozenset({Method.CREDIT_CARD}),
    currencies=None,
    takes=frozenset({"token", "redirect"}),
    reports={
        "stripe": ReportFormat(
            reader="kassa.connectors.stripe.report_file:read_stripe", tells_fees=True
        )
    },
    demo=DEMO,
)
