"""How often somebody who merely holds a payment's address may try to pay it.

Each try costs its provider a call with the merchant's keys, and whoever has many cards to try out
would like to try them all here.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta

from kassa.base.domain.errors import RateLimited
from kassa.base.domain.rate_limits import Quota
from kassa.payments.domain.payments import Attempt

AT_ONCE = 10
WINDOW = timedelta(minutes=10)
IN_ALL = 100
TOO_OFTEN = "attempts_too_often"
"""Reason of a RateLimited until an attempt is free again."""
FOR_GOOD = "attempts_used_up"
"""Reason of a RateLimited that no waiting helps against."""


def refuse_haste(attempts: Iterable[Attempt], now: datetime) -> None:
    """Let another attempt through, or say when. At most 10 in ten minutes, and 100 of a payment.

    Raises: RateLimited.
    """
    begun = sorted(one.created_at for one in attempts)
    if len(begun) >= IN_ALL:
        raise RateLimited(
            "too many attempts at this payment",
            retry_after_seconds=24 * 3600,
            reason=FOR_GOOD,
            quota=Quota("attempts-in-all", IN_ALL),
        )
    if len(begun) < AT_ONCE or (free := begun[-AT_ONCE] + WINDOW) <= now:
        return
    wait = math.ceil((free - now).total_seconds())
    raise RateLimited(
        f"too many attempts at this payment; come back in {wait} s",
        retry_after_seconds=wait,
        reason=TOO_OFTEN,
        quota=Quota("attempts", AT_ONCE, full_in=wait, window=int(WINDOW.total_seconds())),
    )
