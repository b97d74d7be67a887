"""The driver ships no types, so nothing but this compares ours with what it does."""

import inspect

import pytest
from asyncpg import Record
from asyncpg.cursor import Cursor as DriversCursor

from kassa.base.store.connection import Connection, Cursor, Row
from kassa.base.store.wire import Wire


@pytest.mark.parametrize(
    ("promised", "kept"), [(Connection, Wire), (Cursor, DriversCursor), (Row, Record)]
)
def test_the_driver_has_what_our_types_promise(promised: type, kept: type) -> None:
    verbs = {
        name: verb
        for name, verb in vars(promised).items()
        if inspect.isfunction(verb) and verb.__qualname__.startswith(f"{promised.__name__}.")
    }
    assert verbs
    for name, verb in verbs.items():
        theirs = getattr(kept, name)
        if name.startswith("__") or name == "keys":
            continue  # slots of the interpreter: they have no signature
        known = inspect.signature(theirs).parameters
        for parameter in inspect.signature(verb).parameters.values():
            if parameter.kind is parameter.KEYWORD_ONLY:
                assert parameter.name in known, (name, parameter.name)
        assert len(inspect.signature(verb).parameters) <= len(known), name
    assert set(Connection.__annotations__) <= set(Wire.__slots__)
