"""The state tables, every cell: what a payment or an attempt that is so becomes when that happens.

The tables here are written out by hand, whole, and share nothing with the code they judge.
"""

from typing import Any

import pytest

from kassa.base.domain import lifecycle
from kassa.base.domain.errors import IllegalTransition
from kassa.base.domain.lifecycle import (
    AT_PROVIDER,
    AWAITED,
    AWAITS_PAYOUT,
    CAPTURE_OR_VOID,
    CLOSED,
    DECIDED,
    ENDED,
    FUNDS_MOVED,
    FUNDS_SECURED,
    MAY_COME,
    NOT_LOST,
    OPEN,
    PENDING,
    RATED,
    TRANSITIONS,
    UNDECIDED,
    UNDER_WAY,
    UNPAID_FOR_GOOD,
    AttemptStatus,
    DisputeStatus,
    ModificationStatus,
    OrderStatus,
    PaymentEvent,
    PaymentStatus,
    SettlementStatus,
    next_attempt_status,
    next_dispute_status,
    next_modification_status,
    next_order_status,
    next_settlement_status,
    next_status,
)

# What moves each state, and where to. What is not named here is refused.
PAYMENT_TABLE = """
created          submit processing, capture captured, cancel canceled, expire expired
requires_action  submit processing, authorize authorized, capture captured, decline failed,
requires_action  cancel canceled, expire expired
processing       not_sent created, action_needed requires_action, authorize authorized,
processing       reroute created, capture captured, decline failed
authorized       capture captured, cancel canceled, expire expired
captured         authorize captured, capture captured, release captured, settle settled
settled
canceled         capture captured
failed           submit processing, capture captured
expired          capture captured
"""

# Whether the attempt in the row may become the one in the column. A dot: it is that already.
ATTEMPT_TABLE = """
            prepared dispatched in_doubt succeeded declined abandoned
prepared    .        yes        -        -         -        yes
dispatched  -        .          yes      yes       yes      yes
in_doubt    -        yes        .        yes       yes      -
succeeded   -        -          -        .         -        -
declined    -        -          -        yes       .        -
abandoned   -        -          -        yes       -        .
"""

MODIFICATION_TABLE = """
            requested processing succeeded failed
requested   .         yes        yes       yes
processing  yes       .          yes       yes
succeeded   -         -          .         yes
failed      -         -          yes       .
"""

DISPUTE_TABLE = """
                needs_response under_review won lost closed
needs_response  .              yes          yes yes  yes
under_review    yes            .            yes yes  yes
won             yes            yes          .   yes  yes
lost            yes            yes          yes .    yes
closed          yes            yes          yes yes  .
"""

SETTLEMENT_TABLE = """
         open closed paid failed carried
open     .    yes    -    -      yes
closed   -    .      yes  yes    -
paid     -    -      .    yes    -
failed   -    -      yes  .      -
carried  -    -      -    -      .
"""

ORDER_TABLE = """
         active paid expired canceled
active   .      yes  yes     yes
paid     -      .    -       -
expired  -      -    .       -
canceled -      -    -       .
"""

# What each named set of statuses has.
SETS: dict[str, tuple[frozenset[Any], str]] = {
    "OPEN": (OPEN, "created requires_action"),
    "AT_PROVIDER": (AT_PROVIDER, "processing authorized"),
    "AWAITED": (AWAITED, "requires_action processing"),
    "UNDER_WAY": (UNDER_WAY, "created requires_action processing authorized"),
    "FUNDS_MOVED": (FUNDS_MOVED, "captured settled"),
    "FUNDS_SECURED": (FUNDS_SECURED, "authorized captured settled"),
    "ENDED": (ENDED, "canceled failed expired"),
    "CLOSED": (CLOSED, "canceled expired"),
    "UNDECIDED": (UNDECIDED, "dispatched in_doubt"),
    "MAY_COME": (MAY_COME, "dispatched in_doubt abandoned"),
    "RATED": (RATED, "succeeded declined in_doubt"),
    "PENDING": (PENDING, "requested processing"),
    "CAPTURE_OR_VOID": (CAPTURE_OR_VOID, "capture void"),
    "DECIDED": (DECIDED, "won lost closed"),
    "NOT_LOST": (NOT_LOST, "won closed"),
    "AWAITS_PAYOUT": (AWAITS_PAYOUT, "closed failed"),
    "UNPAID_FOR_GOOD": (UNPAID_FOR_GOOD, "expired canceled"),
}

OTHERS: list[tuple[str, Any, Any]] = [
    (MODIFICATION_TABLE, ModificationStatus, next_modification_status),
    (DISPUTE_TABLE, DisputeStatus, next_dispute_status),
    (SETTLEMENT_TABLE, SettlementStatus, next_settlement_status),
    (ORDER_TABLE, OrderStatus, next_order_status),
]


def cells(table: str) -> list[tuple[str, str, str]]:
    """(row, column, what stands there) of a table in text."""
    head, *rows = [line.split() for line in table.strip().splitlines()]
    assert all(len(row) == len(head) + 1 for row in rows)
    return [(row[0], name, cell) for row in rows for name, cell in zip(head, row[1:], strict=True)]


def moves(table: str) -> dict[tuple[str, str], str]:
    """(state, event) to state."""
    found = {}
    for line in table.strip().splitlines():
        state, _, rest = line.partition(" ")
        for pair in filter(str.strip, rest.split(",")):
            event, after = pair.split()
            found[state, event] = after
    return found


MOVES = moves(PAYMENT_TABLE)


def test_the_tables_name_every_state() -> None:
    assert {line.split()[0] for line in PAYMENT_TABLE.strip().splitlines()} == set(PaymentStatus)
    assert {(row, name) for row, name, _ in cells(ATTEMPT_TABLE)} == {
        (one.value, other.value) for one in AttemptStatus for other in AttemptStatus
    }


@pytest.mark.parametrize("event", PaymentEvent)
@pytest.mark.parametrize("status", PaymentStatus)
def test_a_payment_moves_by_the_table(status: PaymentStatus, event: PaymentEvent) -> None:
    expected = status if event is PaymentEvent.NOTE else MOVES.get((status, event))

    if expected is None:
        with pytest.raises(IllegalTransition, match=f"cannot {event} a payment that is {status}"):
            next_status(status, event)
    else:
        assert next_status(status, event) is PaymentStatus(expected)


@pytest.mark.parametrize(("status", "wanted", "expected"), cells(ATTEMPT_TABLE))
def test_an_attempt_moves_by_the_table(status: str, wanted: str, expected: str) -> None:
    before, after = AttemptStatus(status), AttemptStatus(wanted)

    if expected == "-":
        with pytest.raises(IllegalTransition, match=f"that is {status} cannot become {wanted}"):
            next_attempt_status(before, after)
    else:
        assert next_attempt_status(before, after) is after


@pytest.mark.parametrize(("table", "kind", "step"), OTHERS)
def test_the_others_move_by_their_tables(table: str, kind: Any, step: Any) -> None:
    named = cells(table)
    assert {(row, name) for row, name, _ in named} == {
        (one.value, other.value) for one in kind for other in kind
    }
    for status, wanted, expected in named:
        if expected == "-":
            with pytest.raises(IllegalTransition, match=f"that is {status} cannot become {wanted}"):
                step(kind(status), kind(wanted))
        else:
            assert step(kind(status), kind(wanted)) is kind(wanted)


def test_funds_that_moved_never_read_as_not_moved() -> None:
    for (before, _), after in TRANSITIONS.items():
        assert before not in FUNDS_MOVED or after in FUNDS_MOVED


def test_evidence_of_money_is_taken_in_every_state_that_has_none() -> None:
    for status in PaymentStatus:
        if status not in FUNDS_MOVED:
            assert next_status(status, PaymentEvent.CAPTURE) is PaymentStatus.CAPTURED


def test_what_has_ended_is_left_only_by_money_or_where_it_failed_by_another_try() -> None:
    for (before, event), after in TRANSITIONS.items():
        if before in ENDED and event is not PaymentEvent.CAPTURE:
            assert (before, event) == (PaymentStatus.FAILED, PaymentEvent.SUBMIT)
        if before is PaymentStatus.SETTLED:
            raise AssertionError(f"{event} leads from settled to {after}")


def test_what_is_at_a_provider_never_expires() -> None:
    assert PaymentStatus.PROCESSING not in OPEN
    with pytest.raises(IllegalTransition):
        next_status(PaymentStatus.PROCESSING, PaymentEvent.EXPIRE)


def test_every_state_can_be_reached_from_the_first() -> None:
    reached = {PaymentStatus.CREATED}
    for _ in PaymentStatus:
        reached |= {after for (before, _), after in TRANSITIONS.items() if before in reached}

    assert reached == set(PaymentStatus)


@pytest.mark.parametrize("name", SETS)
def test_a_set_of_statuses_has_these(name: str) -> None:
    words, said = SETS[name]

    assert sorted(words) == sorted(said.split())


def test_every_set_of_statuses_is_written_out_here() -> None:
    assert SETS.keys() == {
        name for name, words in vars(lifecycle).items() if isinstance(words, frozenset)
    }


def test_every_status_is_of_one_kind() -> None:
    """It waits for its payer, is at its provider, has its money, or has ended without."""
    kinds = [OPEN, AT_PROVIDER, FUNDS_MOVED, ENDED]

    assert {
        status: sum(status in kind for kind in kinds) for status in PaymentStatus
    } == dict.fromkeys(PaymentStatus, 1)
