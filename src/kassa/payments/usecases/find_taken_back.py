"""What banks have taken back of payments that are shown."""

from collections.abc import Mapping, Sequence

from kassa.base.usecases.core import Core
from kassa.payments.domain.payments import Payment
from kassa.payments.domain.taken_back import NOTHING_TAKEN, TakenBack
from kassa.payments.store import payments


async def find_taken_back(core: Core, shown: Sequence[Payment]) -> Mapping[str, TakenBack]:
    """By each payment's id. Most have no dispute, and then nothing is read."""
    found: dict[str, TakenBack] = dict.fromkeys((one.id for one in shown), NOTHING_TAKEN)
    disputed = [(one.company_id, one.id) for one in shown if one.disputes]
    if disputed:
        async with core.db.connection() as connection:
            found |= await payments.taken_back_of(connection, disputed)
    return found


async def taken_of(core: Core, payment: Payment) -> TakenBack:
    """The same of one payment."""
    return (await find_taken_back(core, [payment]))[payment.id]
