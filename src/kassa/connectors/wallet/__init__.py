"""A wallet of the /v1/payments/pay family, with Kassa as its merchant."""

from kassa.connectors.kind import Field, Kind
from kassa.connectors.wallet.demo import DEMO
from kassa.payments.domain.payments import Method

KIND = Kind(
    name="wallet",
    title="Wallet",
    connector="kassa.connectors.wallet.connector:WalletConnector",
    fields=(
        Field("client_id", "the Client-Id that the wallet gave to the merchant"),
        Field(
            "private_key",
            "the merchant's RSA private key, PEM or base64; the wallet knows its public half",
            secret=True,
        ),
        Field(
            "wallet_public_key",
            "the wallet's public key, PEM or base64; proves its answers",
            verifies=True,
        ),
        Field(
            "base_url",
            "what stands before /v1/payments/pay, such as https://wallet.example.com/api",
        ),
        Field(
            "key_version",
            "the number under which the wallet keeps the merchant's public key",
            required=False,
            default="1",
        ),
        Field(
            "product_code",
            "the product with which a payer pays in the wallet's cashier",
            required=False,
            default="51051000101000000011",
        ),
        Field(
            "authorization_product_code",
            "the product that only reserves the amount, to be captured later",
            required=False,
            default="51051000101000000012",
        ),
        Field(
            "agreement_product_code",
            "the product that pays at once with a code that the wallet made",
            required=False,
            default="51051000101000100031",
        ),
    ),
    methods=frozenset({Method.EWALLET}),
    currencies=None,
    takes=frozenset({"redirect", "token"}),
    demo=DEMO,
)
