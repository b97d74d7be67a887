"""The demo company's wallet client, as a merchant that signs."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.faces.wallet.calls import Merchant

from kassa.base.usecases.core import Core


@pytest.fixture
def merchant(client: Any, core: Core, demo: Any) -> Merchant:
    pem = demo.wallet_private_key_pem
    key = load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, None)
    assert isinstance(key, RSAPrivateKey)
    return Merchant(client, core, demo.wallet_client_id, key)
