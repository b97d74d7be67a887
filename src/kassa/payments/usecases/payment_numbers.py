"""Small integers for payments, where an interface needs them: a company's own, each once."""

from collections import Counter
from collections.abc import Sequence

from kassa.base.usecases.batch import batched
from kassa.base.usecases.core import Core
from kassa.payments.store import payments

_NAME = "payment"


async def take_numbers(core: Core, companies: Sequence[str]) -> list[int]:
    """The next number of each company, in the order of asking."""
    wanted = Counter(companies)
    async with core.db.connection(writes=True) as connection:
        last = await payments.last_numbers(connection, wanted, _NAME)
    following = {company: last[company] - many + 1 for company, many in wanted.items()}
    numbers = []
    for company in companies:
        numbers.append(following[company])
        following[company] += 1
    return numbers


next_payment_number = batched(take_numbers, key=lambda company: company)
"""Raises: InProgress, ProviderUnavailable, AmbiguousCommit (a number may be left out)."""
