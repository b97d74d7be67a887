"""Alipay, spoken directly: page and wap payments, refunds, queries and notifications."""

from kassa.connectors.kind import Field, Kind
from kassa.domain.payments import Method

KIND = Kind(
    name="alipay",
    title="Alipay",
    connector="kassa.connectors.alipay.connector:AlipayConnector",
    fields=(
        Field("app_id", "the application's id, as the open platform shows it"),
        Field("private_key", "the application's RSA2 private key, PEM or base64", secret=True),
        Field("alipay_public_key", "Alipay's public key for the application, PEM or base64"),
        Field(
            "seller_id",
            "the seller (PID); notifications for another are refused",
            required=False,
        ),
        Field(
            "base_url",
            "the gateway: https://openapi.alipay.com/gateway.do, or the sandbox's for tests",
            required=False,
            default="https://openapi-sandbox.dl.alipaydev.com/gateway.do",
            live_default="https://openapi.alipay.com/gateway.do",
            test_hosts=frozenset({"alipaydev.com"}),
            live_hosts=frozenset({"alipay.com"}),
            ending="/gateway.do",
        ),
    ),
    methods=frozenset({Method.ALIPAY}),
    currencies=frozenset({"CNY"}),
    takes=frozenset({"redirect"}),
)
