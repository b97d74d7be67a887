"""The providers that the simulator plays."""

from collections.abc import Mapping
from functools import cache

from kassa_simulator import alipay, cashfree, razorpay, stripe, wallet
from kassa_simulator.frame import ProviderProtocol


@cache
def protocols() -> Mapping[str, ProviderProtocol]:
    """Each by its name, which is also its prefix."""
    found: list[ProviderProtocol] = [
        stripe.PROTOCOL,
        razorpay.PROTOCOL,
        cashfree.PROTOCOL,
        alipay.PROTOCOL,
        wallet.PROTOCOL,
    ]
    return {protocol.name: protocol for protocol in found}
