"""The gateway face's routes: read the request, call the use case, write its answer."""

import re
from dataclasses import replace
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from kassa.base.domain.errors import NotFound, UnsupportedOperation
from kassa.base.domain.lifecycle import AWAITED, ModificationKind
from kassa.base.domain.money import Money, payable
from kassa.checkout.usecases.request_payment import RequestedPayment, request_payment
from kassa.faces import edge
from kassa.faces.api_keys import principal_of
from kassa.faces.gateway import contract
from kassa.faces.gateway.accounts import bare_number, is_code, mask_account, read_source
from kassa.faces.once import RepeatingCaller, once, read_key
from kassa.faces.peer import address_of
from kassa.identity.domain.principals import Principal
from kassa.identity.usecases.businesses import known_business
from kassa.modifications.usecases.find_modifications import find_modification
from kassa.modifications.usecases.modify_payment import (
    ModifyPayment,
    modify_payment,
)
from kassa.orders.domain.orders import Module
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.find_payments import View, get_payment
from kassa.payments.usecases.find_taken_back import taken_of
from kassa.payments.usecases.sync_payment import sync_payment

REFUND_SCOPE = "gateway.refunds"


async def create(request: Request) -> Response:
    core, principal = edge.core_of(request), await principal_of(request)
    wanted = contract.check_texts(await edge.read_json(request, contract.PaymentRequest))
    caller = _caller(request, principal)
    asked = replace(
        _requested(wanted, principal), address=address_of(request.scope), key=caller.name
    )
    await known_business(core, principal, asked.business_id, field="businessId")

    async def work() -> tuple[Response, bool]:
        view = await request_payment(core, asked)
        taken = await taken_of(core, view.payment)
        answer = contract.write_created(view.payment, _cashier(request, view), taken)
        return answer, contract.is_final(view.payment, taken)

    content = msgspec.json.encode(asked.fingerprint_of, order="sorted")
    return await once(request, caller, content, work)


async def show(request: Request) -> Response:
    core, principal = edge.core_of(request), await principal_of(request)
    payment_id = contract.read_request_id(request.path_params["payment_request_id"])
    view = await get_payment(core, principal.company.id, payment_id)
    payment = view.payment
    if payment.status in AWAITED:  # its provider may know more by now
        payment = await sync_payment(core, payment.company_id, payment.id, actor=principal.actor)
    return contract.write_result(payment, _cashier(request, view), await taken_of(core, payment))


async def create_refund(request: Request) -> Response:
    core, principal = edge.core_of(request), await principal_of(request)
    payment_id = contract.read_request_id(request.path_params["payment_request_id"])
    wanted = contract.check_refund(await edge.read_json(request, contract.RefundRequest))
    payment = (await get_payment(core, principal.company.id, payment_id)).payment
    caller = _caller(request, principal)

    amount = None
    if wanted.amount is not None:
        amount = payable(Money.from_major(wanted.amount, payment.amount.currency))
    asked = ModifyPayment(
        company_id=payment.company_id,
        payment_id=payment.id,
        kind=ModificationKind.REFUND,
        amount=amount,
        actor=principal.actor,
        face="gateway",
        request_scope=REFUND_SCOPE,
        request_id=wanted.refundId,
        reason=wanted.reason or "",
    )

    async def work() -> tuple[Response, bool]:
        refund = (await modify_payment(core, asked)).modification
        return contract.write_refund(refund), not refund.is_open

    content = f"{wanted.refundId} {asked.fingerprint}".encode()
    return await once(request, caller, content, work)


def _caller(request: Request, principal: Principal) -> RepeatingCaller:
    """Raises: InvalidRequest."""
    return RepeatingCaller(principal.company.id, principal.credential, read_key(request.headers))


async def show_refund(request: Request) -> Response:
    core, principal = edge.core_of(request), await principal_of(request)
    payment_id = contract.read_request_id(request.path_params["payment_request_id"])
    refund_id = contract.read_refund_id(request.path_params["refund_id"])
    refund = await find_modification(
        core, principal.company.id, scope=REFUND_SCOPE, request_id=refund_id
    )
    if refund.payment_id != payment_id:
        raise NotFound(contract.NO_REFUND)
    return contract.write_refund(refund)


def _requested(wanted: contract.PaymentRequest, principal: Principal) -> RequestedPayment:
    """The request in the core's words, with every account number masked that will be kept.

    Raises: InvalidRequest.
    """
    amount = payable(Money.from_major(wanted.amount, principal.company.currency))
    source = read_source(wanted.paymentMethod, wanted.payerAccount)
    module = Module(wanted.module.lower()) if wanted.module else None
    payer_account = mask_account(wanted.payerAccount, secret=_is_secret(wanted, source.method))
    return RequestedPayment(
        company=principal.company,
        business_id=wanted.businessId or principal.business_id,
        actor=principal.actor,
        order_id=wanted.orderId,
        user_id=wanted.userId,
        amount=amount,
        method=source.method,
        instrument=source.instrument,
        instrument_shown=source.instrument_shown,
        payer_account=payer_account,
        payer_name=payer_account.get("accountName", ""),
        payee_account=mask_account(wanted.payeeAccount),
        payee_number=wanted.payeeAccount.accountNumber,
        auth_code=source.auth_code,
        module=module,
        fingerprint_of=_content(wanted, amount, source.method),
    )


def _content(wanted: contract.PaymentRequest, amount: Money, method: Method) -> dict[str, Any]:
    """What makes a repeat the same request: the meaning, so that 1, 1.0 and 1.00 are one amount,
    "credit card" is "CREDIT_CARD", and no module is RETAIL. The use case hashes it; never kept.
    """
    # Absent, it counts as it did when there was no such member.
    business = {"business_id": wanted.businessId} if wanted.businessId else {}
    return {
        **business,
        "user_id": wanted.userId,
        "order_id": wanted.orderId,
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "method": method.value,
        # A wallet's code is compared as it is: it has no digits to group.
        "payer": _account(wanted.payerAccount, exact=_is_secret(wanted, method)),
        "payee": _account(wanted.payeeAccount),
        "module": wanted.module or "RETAIL",
    }


def _is_secret(wanted: contract.PaymentRequest, method: Method) -> bool:
    """Whether the payer's account number is a code, and so as good as money."""
    payer = wanted.payerAccount
    by_code = method is Method.ALIPAY and payer is not None and is_code(payer)
    return method is Method.WALLET or by_code


def _account(account: contract.Account | None, *, exact: bool = False) -> Any:
    if account is not None and not exact:
        number = bare_number(account.accountNumber)
        account = msgspec.structs.replace(account, accountNumber=number)
    return msgspec.to_builtins(account)


def _cashier(request: Request, view: View) -> str:
    return f"{edge.core_of(request).policy.base_url}/pay/{view.order.session_token}"


async def refuse(request: Request) -> Response:
    """Whatever else is asked for here: a verb that the address does not take, or no address.

    Raises: NotFound.
    """
    takes = [one.methods or () for one in served if one.matches(request.scope)[0] is Match.PARTIAL]
    if not takes:
        raise NotFound(contract.NOT_YOURS)
    allowed = ", ".join(sorted(set().union(*takes)))
    error = UnsupportedOperation(f"this address takes {allowed}", reason="method_not_allowed")
    answer = contract.write_error(request, error)
    answer.headers["Allow"] = allowed
    return answer


served = [
    edge.route("POST", "/gateway/payment-requests", create, contract.write_error),
    edge.route("GET", "/gateway/payment-requests/{payment_request_id}", show, contract.write_error),
    edge.route(
        "POST",
        "/gateway/payment-requests/{payment_request_id}/refunds",
        create_refund,
        contract.write_error,
    ),
    edge.route(
        "GET",
        "/gateway/payment-requests/{payment_request_id}/refunds/{refund_id}",
        show_refund,
        contract.write_error,
    ),
]
# Last, for every verb, and known by its beginning: {:path} would end at a line break.
elsewhere = edge.route((), "/gateway/", refuse, contract.write_error)
elsewhere.path_regex = re.compile("/gateway/")

routes = [*served, elsewhere]
