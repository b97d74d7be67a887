"""Asking for captures, voids and refunds through any interface; what is answered is noted."""

from collections import Counter
from typing import Any

from hypothesis import note
from tests.faces.wallet.calls import CAPTURE, REFUND, VOID
from tests.money.model import Paying
from tests.money.world import Tenant, World

from kassa.base.domain.errors import KassaError
from kassa.base.domain.lifecycle import ModificationKind
from kassa.base.domain.money import Money
from kassa.modifications.usecases.modify_payment import ModifyPayment, modify_payment


class Asking:
    """What came of it, the database tells."""

    world: World
    tenant: Tenant
    tally: Counter[str]

    def _by_use_case(
        self, paying: Paying, kind: str, minor: int | None, last: bool, request: str
    ) -> None:
        try:
            wanted = ModifyPayment(
                company_id=self.tenant.company.id,
                payment_id=paying.id,
                kind=ModificationKind(kind),
                amount=None if minor is None else Money(minor, "CNY"),
                actor="machine",
                request_scope="machine",
                request_id=request,
                is_last=last,
                rest=True,
            )
            self.world.run(modify_payment(self.world.core, wanted))
        except KassaError as error:
            self.tally[f"refused: {error.reason}"] += 1
            note(f"{wanted} -> {error.reason}: {error}")

    def _by_wallet(
        self, paying: Paying, kind: str, minor: int | None, last: bool, request: str
    ) -> None:
        path = {"capture": CAPTURE, "void": VOID, "refund": REFUND}[kind]
        members: dict[str, Any] = {f"{kind}RequestId": request, "paymentId": paying.id}
        if minor is not None:
            members[f"{kind}Amount"] = {"currency": "CNY", "value": str(minor)}
        if kind == "capture":
            members["isLastCapture"] = last
        answer = self.world.run(self.tenant.wallet.ask(path, members))
        # U with an id: it is kept, and the provider has not said what became of it.
        unknown = answer["result"]["resultCode"] == "UNKNOWN_EXCEPTION"
        assert not unknown or f"{kind}Id" in answer, answer
        note(f"{path} {members} -> {answer}")

    def _by_http(
        self, paying: Paying, kind: str, minor: int | None, last: bool, request: str, face: str
    ) -> None:
        members: dict[str, Any]
        amount = None if minor is None else minor / 100
        headers = self.tenant.key if face == "gateway" else self.tenant.orders
        if face == "gateway":
            path = f"/gateway/payment-requests/{paying.id}/refunds"
            members = {"refundId": request, "amount": amount}
        elif kind == "refund":
            path = f"/pg/orders/{paying.order_id}/refunds"
            members = {"refund_id": request, "refund_amount": amount}
        else:
            path = f"/pg/orders/{paying.order_id}/authorization"
            members = {"action": kind.upper(), "amount": amount}
            if kind == "capture":
                members["is_last_capture"] = last
        members = {name: said for name, said in members.items() if said is not None}
        answer = self.world.run(self.world.post(path, headers, members))
        note(f"{path} {members} -> {answer.status} {answer.body!r}")
