"""Stories of one payment, an event a line: what happens, and how payment and order stand then.

`try METHOD` opens an attempt, `charge`, `notify` and `query` bring the provider's word about
attempt N, `clock H:MM` sets the hours since the order was made (it expires after one).
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from tests.payments.cases import HUNDRED, NOW, a_case, booked

from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import AttemptStatus
from kassa.base.domain.money import Money
from kassa.connectors.base import (
    ActionNeeded,
    Captured,
    Declined,
    InDoubt,
    NotSent,
    Outcome,
    Pending,
    Unknown,
)
from kassa.payments.domain.aggregate import PaymentAggregate
from kassa.payments.domain.facts import PaymentCanceled, PaymentExpired
from kassa.payments.domain.payments import Method
from kassa.payments.usecases.take_outcome import take_outcome

OUTCOMES: dict[str, Outcome] = {
    "captured": Captured(reference="ref", amount=HUNDRED, fee=Money(29, "CNY")),
    "other_amount": Captured(reference="ref", amount=Money(9_999, "CNY")),
    "action": ActionNeeded(reference="ref", url="https://provider.example/approve"),
    "pending": Pending(reference="ref"),
    "declined": Declined(code="card_declined", message="The bank said no.", provider_code="05"),
    "not_sent": NotSent(reason="no route"),
    "doubt": InDoubt(reason="no answer"),
    "unknown": Unknown(reason="no such charge"),
}
METHODS = {"card": Method.CREDIT_CARD, "alipay": Method.ALIPAY, "wallet": Method.WALLET}
OPEN_ATTEMPTS = (AttemptStatus.DISPATCHED, AttemptStatus.IN_DOUBT)


class Provider:
    """Promises that what it does not know after a minute will never appear."""

    name: ClassVar[str] = "sandbox"
    acknowledgement: ClassVar[tuple[str, bytes]] = ("text/plain", b"ok")
    not_found_final_after: ClassVar[timedelta | None] = timedelta(seconds=60)

    async def charge(self, request: Any) -> Outcome:
        raise AssertionError("nothing is sent here")

    async def query(self, key: str, known: Any = None) -> Outcome:
        raise AssertionError("nothing is asked here")

    def parse_notification(self, headers: Any, body: bytes, **about: Any) -> Any:
        raise AssertionError("nothing comes in here")

    async def close(self) -> None:
        """Nothing to give back."""


ENDS = {"expire": PaymentExpired, "cancel": PaymentCanceled}


def news(case: PaymentAggregate, number: int, outcome: str, how: str = "notification") -> None:
    attempt = next(item for item in case.attempts.values() if item.number == number)
    take_outcome(
        case, attempt, OUTCOMES[outcome], connector=Provider(), actor="provider:x", how=how
    )


def play(case: PaymentAggregate, event: str) -> None:
    match event.split():
        case ["try", method]:
            name = "wallet" if method == "wallet" else "sandbox"
            case.start_attempt(METHODS[method], name, actor="payer", instrument="shown")
        case ["record", method]:
            attempt = case.start_attempt(Method(method), "offline", actor="clerk")
            case.capture(attempt, reference="till", fee=None, actor="clerk", by="recorded")
        case ["charge" | "notify" | "query" as how, number, outcome]:
            told = "notification" if how == "notify" else how
            news(case, int(number), outcome, told)
        case ["clock", time]:
            hours, minutes = time.split(":")
            case.now = NOW + timedelta(hours=int(hours), minutes=int(minutes))
        case ["expire" | "cancel" as end]:
            case.close(ENDS[end](), actor="worker", by="clock")
        case _:
            raise AssertionError(f"no such event: {event}")


def standing(case: PaymentAggregate) -> str:
    words = [case.payment.status.value, case.order.status.value]
    if case.payment.surplus_amount.minor:
        words.append(f"surplus {case.payment.surplus_amount.minor // 100}")
    return " ".join(words)


def check(case: PaymentAggregate) -> None:
    """What holds after every event of every story."""
    payment, ledger = case.payment, booked(case)
    assert sum(ledger.values()) == 0
    owed = 0 if payment.surplus else payment.captured.minor
    assert -ledger.get("merchant:b1", 0) == owed - payment.fee.minor
    assert -ledger.get("surplus", 0) == payment.surplus_amount.minor
    assert payment.version == 1 + len(case.events)
    assert [event.seq for event in case.events] == list(range(2, payment.version + 1))
    assert sum(attempt.status in OPEN_ATTEMPTS for attempt in case.attempts.values()) <= 1
    paid = [a for a in case.attempts.values() if a.status is AttemptStatus.SUCCEEDED]
    assert sum(a.amount.minor for a in paid) == owed + payment.surplus_amount.minor
    asked = [a for a in case.attempts.values() if a.status is AttemptStatus.DECLINED]
    assert not any(attempt.next_query_at for attempt in (*paid, *asked))


STORIES = {
    "a card is paid at once": """
        try card             → processing active
        charge 1 captured    → captured paid
        notify 1 captured    → captured paid  # the same news again
        notify 1 pending     → captured paid  # late
        notify 1 declined    → captured paid  # a contradiction: the money is there
        clock 2:00           → captured paid
        expire               → refused
        """,
    "a declined card, then another": """
        try card             → processing active
        charge 1 declined    → failed active
        notify 1 declined    → failed active
        try card             → processing active
        charge 2 captured    → captured paid
        try card             → refused
        """,
    "the answer is lost, the money is not": """
        try card             → processing active
        charge 1 doubt       → processing active
        try card             → refused  # a second write has to wait
        record cash          → refused
        cancel               → refused
        clock 2:00           → processing active
        expire               → refused  # in doubt never expires
        query 1 doubt        → processing active
        query 1 captured     → captured paid
        """,
    "the answer is lost, and so was the request": """
        try card             → processing active
        charge 1 doubt       → processing active
        query 1 unknown      → processing active  # not yet proof
        clock 0:02           → processing active
        query 1 unknown      → failed active
        try card             → processing active
        charge 2 captured    → captured paid
        """,
    "doubt ends in a redirect": """
        try card             → processing active
        charge 1 doubt       → processing active
        query 1 action       → requires_action active
        notify 1 captured    → captured paid
        """,
    "nothing was sent, so it may be sent again": """
        try card             → processing active
        charge 1 not_sent    → created active
        try card             → processing active
        charge 2 captured    → captured paid
        """,
    "nothing was sent, says who was wrong": """
        try card             → processing active
        charge 1 not_sent    → created active
        notify 1 captured    → captured paid
        """,
    "approved on the provider's page": """
        try card             → processing active
        charge 1 action      → requires_action active
        query 1 action       → requires_action active
        query 1 pending      → requires_action active
        query 1 doubt        → requires_action active
        notify 1 captured    → captured paid
        """,
    "nobody approves in time": """
        try card             → processing active
        charge 1 action      → requires_action active
        clock 1:00           → requires_action active
        try card             → refused
        expire               → expired expired
        notify 1 declined    → expired expired
        """,
    "approved too late": """
        try card             → processing active
        charge 1 action      → requires_action active
        clock 1:00           → requires_action active
        expire               → expired expired
        notify 1 captured    → captured expired surplus 100
        notify 1 captured    → captured expired surplus 100
        """,
    "the order is canceled while the payer pays": """
        try card             → processing active
        charge 1 action      → requires_action active
        cancel               → canceled canceled
        notify 1 captured    → captured canceled surplus 100
        """,
    "left a redirect, paid by card, paid the redirect too": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        try card             → processing active
        charge 2 captured    → captured paid
        notify 1 captured    → captured paid surplus 100
        notify 1 captured    → captured paid surplus 100
        """,
    "the redirect that was left is paid while the card is under way": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        try card             → processing active
        notify 1 captured    → captured paid
        charge 2 captured    → captured paid surplus 100
        """,
    "the redirect that was left is paid, and then the card is declined": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        try card             → processing active
        notify 1 captured    → captured paid
        charge 2 declined    → captured paid
        notify 2 declined    → captured paid
        """,
    "the redirect that was left is paid, and the card was never sent": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        try card             → processing active
        notify 1 captured    → captured paid
        charge 2 not_sent    → captured paid
        """,
    "the redirect that was left is paid, and the card is in doubt for long": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        try card             → processing active
        notify 1 captured    → captured paid
        charge 2 doubt       → captured paid
        query 2 pending      → captured paid
        query 2 action       → captured paid
        clock 0:02           → captured paid
        query 2 unknown      → captured paid
        """,
    "declined, and then paid after all": """
        try card             → processing active
        charge 1 declined    → failed active
        notify 1 captured    → captured active surplus 100
        try card             → refused
        """,
    "the first try turns out paid while the second is under way": """
        try card             → processing active
        charge 1 declined    → failed active
        try card             → processing active
        notify 1 captured    → captured paid
        charge 2 captured    → captured paid surplus 100
        """,
    "another amount than was asked for is never booked": """
        try card             → processing active
        charge 1 other_amount → processing active
        query 1 other_amount → processing active
        try card             → refused
        expire               → refused
        """,
    "another amount from the provider's page stops everything else": """
        try alipay           → processing active
        charge 1 action      → requires_action active
        notify 1 other_amount → requires_action active
        try card             → refused
        expire               → refused
        cancel               → refused
        notify 1 captured    → captured paid
        """,
    "paid at the counter": """
        record cash          → captured paid
        record check         → refused
        """,
    "paid from the wallet": """
        try wallet           → processing active
        charge 1 captured    → captured paid
        """,
    "nobody ever tried": """
        clock 0:59           → created active
        clock 1:00           → created active
        try card             → refused
        record cash          → refused
        expire               → expired expired
        expire               → refused
        """,
}


@pytest.mark.parametrize("name", STORIES)
def test_story(name: str) -> None:
    case = a_case()

    for line in STORIES[name].strip().splitlines():
        event, _, expected = line.partition("#")[0].partition("→")
        before = replace(case.payment)
        try:
            play(case, event)
            said = standing(case)
        except IllegalTransition:
            said = "refused"
            assert case.payment == before
        assert said == expected.strip(), line
        check(case)
