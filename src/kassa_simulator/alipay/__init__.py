"""Alipay, played: one gateway for all methods, a cashier for browsers, and bills."""

from kassa_simulator.alipay.protocol import Alipay

PROTOCOL = Alipay()
