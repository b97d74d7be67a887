"""The provider simulator: it plays real providers over their real wire protocols.

It shares nothing with the gateway: its own books, its own money, its own signatures, so that an
error of the gateway cannot hide behind the same error here.
"""
