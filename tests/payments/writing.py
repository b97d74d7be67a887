"""A process that makes and pays payments until it is told to stop: run as a program by a test."""

import asyncio
import random
import sys

from kassa import assembly
from kassa.base.domain.money import Money
from kassa.identity.usecases.companies import find_side
from kassa.orders.usecases.create_order import NewOrder, create_order
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.settings import Settings


async def write(url: str, directory: str, company: str, name: str, writers: int, each: int) -> None:
    async with assembly.open_core(Settings(data_dir=directory, demo=True), url) as core:
        side = await find_side(core, company)

        async def one(writer: int) -> None:
            chance = random.Random(f"{name} {writer}")
            for number in range(each):
                made = await create_order(
                    core,
                    NewOrder(
                        company=side,
                        business_id=side.business_id,
                        actor="test:writer",
                        face="orders",
                        amount=Money(100, "CNY"),
                        order_id=f"{name}-{writer}-{number}",
                    ),
                )
                await asyncio.sleep(chance.random() / 50)
                recording = Recording(
                    company_id=side.id,
                    payment_id=made.payment.id,
                    method=Method.CASH,
                    actor="test:writer",
                )
                await record_payment(core, recording)

        await asyncio.gather(*(one(writer) for writer in range(writers)))


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(write(*given[:4], *map(int, given[4:])))
