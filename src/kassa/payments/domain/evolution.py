"""What follows from a fact: the next state, and the money that moves. Pure, and the only place.

`evolve` is total: it takes any fact to any state, so that a history can be told again whatever is
in it. Whether a move is allowed is looked up before, by whoever decides.
"""

from kassa.payments.domain import evolution_of_changes, evolution_of_charges
from kassa.payments.domain.postings import UnbookedPosting, booked
from kassa.payments.domain.state import PaymentState, after
from kassa.payments.domain.timeline import TimelineEvent

PARTS = (evolution_of_charges, evolution_of_changes)
"""Where `after` is told what each kind of fact means."""

# Asked by the fact's own class: to dispatch costs more than to take most steps.
_AFTER, _BOOKED = after.registry, booked.registry


def evolve(state: PaymentState, event: TimelineEvent) -> PaymentState:
    """The state after `event`."""
    return _AFTER.get(type(event.fact), after)(event.fact, state, event)


def postings(state: PaymentState, event: TimelineEvent) -> list[UnbookedPosting]:
    """What `event`, which comes upon `state`, books."""
    return _BOOKED.get(type(event.fact), booked)(event.fact, state)
