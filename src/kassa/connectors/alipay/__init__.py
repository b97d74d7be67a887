"""Alipay, spoken directly: page and wap payments, refunds, queries and notifications."""

from kassa.connectors.alipay.connector import AlipayConnector

__all__ = ["AlipayConnector"]
