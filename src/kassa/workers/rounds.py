"""The rounds: each chore again and again, at its own pace, whatever happens to the others."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from kassa.base.usecases.core import Core
from kassa.modifications.usecases.look_again import looker
from kassa.modifications.usecases.pursue_modifications import pursuer
from kassa.modifications.usecases.release_authorizations import release_authorizations
from kassa.modifications.usecases.return_overpayments import return_overpayments
from kassa.orders.usecases.expire_orders import expire_orders
from kassa.orders.usecases.people import conceal_old, forget_people
from kassa.orders.usecases.terminate_order import pursue_terminations
from kassa.payments.usecases.poll_payments import poller
from kassa.proof.usecases.chain import chain_history, follow_heads
from kassa.proof.usecases.old_rows import seal_old_rows
from kassa.providers.usecases.recovery import probe_silent
from kassa.reconciliation.usecases.stuck_money import report_stuck_money
from kassa.reconciliation.usecases.watch_accounts import watch_accounts
from kassa.reconciliation.usecases.watch_reports import watch_reports
from kassa.wallet.usecases.wallet_codes import forget_misses
from kassa.webhooks_in.usecases.apply import apply_news
from kassa.webhooks_out.usecases.deliver import WebhookSender
from kassa.webhooks_out.usecases.events import forget_deliveries

_log = structlog.get_logger("kassa.worker")
_LAST_WORK_SECONDS = 20.0  # seconds, not money
_LONGEST_PAUSE = 30.0  # seconds, not money: after failure upon failure, unless it is rarer anyway
_MOST_DOUBLINGS = 16  # a night of failures must not grow a number beyond all floats


@dataclass(frozen=True, slots=True)
class Chore:
    """`every_seconds`: the pause when there was nothing to do; with work at hand there is none.

    `finish`: waits at the end for what `run` has started and left under way. `after_seconds`: how
    long after the start it runs for the first time.
    """

    name: str
    every_seconds: float  # seconds, not money
    run: Callable[[Core], Awaitable[int]]
    finish: Callable[[], Awaitable[None]] | None = None
    after_seconds: float = 0.0  # seconds, not money


def standard_chores() -> list[Chore]:
    """What every installation's worker does. A fresh list: some know what they have under way."""
    sending, polling, pursuit, looking = WebhookSender(), poller(), pursuer(), looker()
    return [
        Chore("deliver", 0.25, sending.set_out, sending.finish),  # seconds, not money
        Chore("inbox", 0.5, apply_news),  # seconds, not money
        Chore("poll", 0.5, polling.set_out, polling.finish),  # seconds, not money
        Chore("recover", 1.0, probe_silent),  # seconds, not money
        Chore("expire", 1.0, expire_orders),  # seconds, not money
        Chore("pursue", 0.5, pursuit.set_out, pursuit.finish),  # seconds, not money
        Chore("again", 1.0, looking.set_out, looking.finish),  # seconds, not money
        Chore("terminate", 1.0, pursue_terminations),  # seconds, not money
        Chore("surplus", 1.0, return_overpayments),  # seconds, not money
        Chore("chain", 1.0, chain_history),  # seconds, not money
        Chore("old rows", 60.0, seal_old_rows),  # seconds, not money
        Chore("open rows", 60.0, conceal_old),  # seconds, not money
        Chore("people", 3_600.0, forget_people),  # seconds, not money
        Chore("heads", 60.0, follow_heads),  # seconds, not money
        Chore("deadlines", 10.0, release_authorizations),  # seconds, not money
        Chore("reports", 3_600.0, watch_reports),  # seconds, not money
        # What lay here while nobody served comes first, and a provider may start while we do.
        Chore("accounts", 1_200.0, watch_accounts, after_seconds=60.0),  # seconds, not money
        Chore("guesses", 600.0, forget_misses),  # seconds, not money
        Chore("deliveries", 600.0, forget_deliveries),  # seconds, not money
        Chore("stuck", 60.0, report_stuck_money),  # seconds, not money
    ]


async def make_rounds(core: Core, chores: Sequence[Chore], stop: asyncio.Event) -> None:
    """Run every chore until `stop` is set; what is under way is finished first."""
    await asyncio.gather(*(_repeat(core, chore, stop) for chore in chores))
    last = [chore.finish() for chore in chores if chore.finish is not None]
    try:
        await asyncio.wait_for(asyncio.gather(*last), _LAST_WORK_SECONDS)
    except TimeoutError:
        _log.warning("stopped with work under way", seconds=_LAST_WORK_SECONDS)


async def _repeat(core: Core, chore: Chore, stop: asyncio.Event) -> None:
    failures = 0
    await _pause(chore.after_seconds, stop)
    while not stop.is_set():
        try:
            done = await chore.run(core)
            failures = 0
        except Exception:  # noqa: BLE001 - a chore that fails is tried again, later and later
            failures += 1
            done = 0
            _log.exception("chore failed", chore=chore.name, failures=failures)
        grown = chore.every_seconds * 2 ** min(failures, _MOST_DOUBLINGS)
        pause = min(grown, max(chore.every_seconds, _LONGEST_PAUSE)) if not done else 0
        await _pause(pause * (0.8 + 0.4 * random.random()), stop)  # noqa: S311


async def _pause(seconds: float, stop: asyncio.Event) -> None:  # seconds, not money
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
