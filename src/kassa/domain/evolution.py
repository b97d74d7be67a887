"""What follows from a fact: the next state, and the money that moves. Pure, and the only place.

`evolve` is total: it takes any fact to any state, so that a history can be told again whatever is
in it. Whether a move is allowed is looked up before, by whoever decides.
"""

from kassa.domain import evolution_of_changes, evolution_of_charges
from kassa.domain.movements import Movement, booked
from kassa.domain.state import State, after
from kassa.domain.timeline import TimelineEvent

PARTS = (evolution_of_charges, evolution_of_changes)
"""Where `after` is told what each kind of fact means."""


def evolve(state: State, event: TimelineEvent) -> State:
    """The state after `event`."""
    return after(event.fact, state, event)


def postings(state: State, event: TimelineEvent) -> list[Movement]:
    """What `event`, which comes upon `state`, books."""
    return booked(event.fact, state)
