"""Alipay, spoken directly: page and wap payments, refunds, queries and notifications."""

from kassa.connectors.alipay.demo import DEMO
from kassa.connectors.declared import (
    InstallationAccount,
    InstallationSetting,
    ReportFormat,
)
from kassa.connectors.kind import Field, Kind
from kassa.payments.domain.payments import Method

_SANDBOX = "https://openapi-sandbox.dl.alipaydev.com/gateway.do"

_INSTALLATION = InstallationAccount(
    settings=(
        InstallationSetting(name="app_id", field="app_id", help="the application's id"),
        InstallationSetting(
            name="private_key_path",
            field="private_key",
            is_path=True,
            help="PEM file of the application's private key",
        ),
        InstallationSetting(
            name="public_key_path",
            field="alipay_public_key",
            is_path=True,
            help="PEM file of Alipay's public key, to verify what comes back",
        ),
        InstallationSetting(
            name="earlier_public_key_path",
            field="earlier_public_key",
            is_path=True,
            default="",
            help="PEM file of the public key before that, believed too for a while",
        ),
        InstallationSetting(
            name="earlier_public_key_until",
            field="earlier_public_key_until",
            default="",
            help="how long: a date such as 2026-12-03, UTC",
        ),
        InstallationSetting(
            name="gateway",
            field="base_url",
            default=_SANDBOX,
            help="the platform's address; this one is its sandbox. One under `alipay.com` moves"
            " real money: it is for live sides alone, and needs `live`",
        ),
        InstallationSetting(
            name="seller_id",
            field="seller_id",
            default="",
            help="when given, notifications for any other seller are foreign",
        ),
    )
)

KIND = Kind(
    name="alipay",
    title="Alipay",
    connector="kassa.connectors.alipay.connector:AlipayConnector",
    fields=(
        Field("app_id", "the application's id, as the open platform shows it"),
        Field("private_key", "the application's RSA2 private key, PEM or base64", secret=True),
        Field(
            "alipay_public_key",
            "Alipay's public key for the application, PEM or base64",
            verifies=True,
        ),
        Field(
            "earlier_public_key",
            "the one before it, believed too for as long as is said; for an account that was"
            " renewed here Kassa knows it",
            required=False,
        ),
        Field(
            "earlier_public_key_until",
            "how long: a date such as 2026-12-03",
            required=False,
        ),
        Field(
            "seller_id",
            "the seller (PID); notifications for another are foreign",
            required=False,
        ),
        Field(
            "base_url",
            "the gateway: https://openapi.alipay.com/gateway.do, or the sandbox's for tests",
            required=False,
            default=_SANDBOX,
            live_default="https://openapi.alipay.com/gateway.do",
            test_hosts=frozenset({"alipaydev.com"}),
            live_hosts=frozenset({"alipay.com"}),
            ending="/gateway.do",
        ),
    ),
    methods=frozenset({Method.ALIPAY}),
    currencies=frozenset({"CNY"}),
    takes=frozenset({"redirect", "token"}),
    reports={"alipay": ReportFormat(reader="kassa.connectors.alipay.report_file:read_alipay")},
    installation=_INSTALLATION,
    demo=DEMO,
)
