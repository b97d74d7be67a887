"""A wallet, played: it takes payments by agreement or in its cashier, and signs what it says."""

from kassa_simulator.wallet.protocol import Wallet

PROTOCOL = Wallet()
