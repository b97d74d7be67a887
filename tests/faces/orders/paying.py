"""Ways to pay an order in a test, and to let it be paid in two steps."""

from typing import Any

from tests.faces.orders.bad_requests import GOOD

from kassa.payments.domain.payments import Method, Payment
from kassa.payments.usecases.find_payments import payments_of_order
from kassa.payments.usecases.record_payment import Recording, record_payment
from kassa.payments.usecases.submit_payment import Submission, submit_payment
from kassa.wallet.usecases.pay_from_wallet import WalletPay, pay_from_wallet


async def pay_with_card(
    core: Any, demo: Any, payment_id: str, instrument: str = "pm_sandbox_paid"
) -> Payment:
    """Try to pay at the sandbox provider."""
    return await submit_payment(
        core,
        Submission(
            company_id=demo.company_id,
            payment_id=payment_id,
            method=Method.CREDIT_CARD,
            connector="sandbox",
            instrument=instrument,
            instrument_shown="•••• 4242",
            actor="payer",
            return_url="https://shop.example/done",
        ),
    )


async def the_payment(core: Any, demo: Any, order_id: str) -> Payment:
    """The order's only payment, as the core has it."""
    [view] = await payments_of_order(core, demo.company_id, order_id)
    return view.payment


async def an_order(ask: Any, **members: Any) -> str:
    created = await ask("/v1/orders:create", GOOD | members)
    order_id: str = created.json()["order_id"]
    return order_id


async def reserved(ask: Any, core: Any, demo: Any, card: str = "paid", **members: Any) -> str:
    """An order of 299.99 whose money a sandbox card has reserved."""
    order_id = await an_order(ask, capture_method="manual", **members)
    payment = await the_payment(core, demo, order_id)
    await pay_with_card(core, demo, payment.id, f"pm_sandbox_{card}")
    return order_id


async def reserved_in_wallet(ask: Any, core: Any, demo: Any, **members: Any) -> str:
    """An order whose money is held in the demo user's wallet."""
    order_id = await an_order(ask, capture_method="manual", **members)
    await pay_by_wallet(core, demo, order_id)
    return order_id


async def pay_by_wallet(core: Any, demo: Any, order_id: str) -> None:
    payment = await the_payment(core, demo, order_id)
    await pay_from_wallet(
        core,
        WalletPay(
            company_id=demo.company_id,
            payment_id=payment.id,
            auth_code=demo.wallet_auth_code,
            actor="payer",
        ),
    )


async def paid_in_cash(ask: Any, core: Any, demo: Any, **members: Any) -> str:
    order_id = await an_order(ask, **members)
    payment = await the_payment(core, demo, order_id)
    await record_payment(
        core,
        Recording(
            company_id=demo.company_id, payment_id=payment.id, method=Method.CASH, actor="till"
        ),
    )
    return order_id


async def paid_by_card(ask: Any, core: Any, demo: Any, card: str = "paid", **members: Any) -> str:
    order_id = await an_order(ask, **members)
    payment = await the_payment(core, demo, order_id)
    await pay_with_card(core, demo, payment.id, f"pm_sandbox_{card}")
    return order_id
