"""Pages of lists and searches, and objects unfolded on demand.

Source: https://docs.stripe.com/api/pagination, https://docs.stripe.com/api/expanding_objects
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kassa_simulator.stripe.asked import NAME, Asked
from kassa_simulator.stripe.errors import StripeError, no_such
from kassa_simulator.stripe.forms import listed_of, text_of, whole_of
from kassa_simulator.stripe.rendering import charge_json, intent_json, refund_json

_MOST = 100
_USUAL = 10
_DEEPEST = 4
_COMPARES: Mapping[str, Callable[[int, int], bool]] = {
    "gt": lambda one, other: one > other,
    "gte": lambda one, other: one >= other,
    "lt": lambda one, other: one < other,
    "lte": lambda one, other: one <= other,
}


def page(asked: Asked, things: Sequence[dict[str, Any]], url: str) -> dict[str, Any]:
    """The part of `things` (newest first) that was asked for."""
    chosen = [thing for thing in things if _is_of_time(asked, thing["created"])]
    limit = _limit(asked)
    names = [thing["id"] for thing in chosen]
    if after := text_of(asked.params, "starting_after", ""):
        chosen = chosen[_place(names, after, "starting_after") + 1 :]
    if before := text_of(asked.params, "ending_before", ""):
        chosen = chosen[: _place(names, before, "ending_before")]
        shown = chosen[-limit:]
    else:
        shown = chosen[:limit]
    return {
        "object": "list",
        "data": shown,
        "has_more": len(chosen) > len(shown),
        "url": url,
    }


def found(asked: Asked, things: Sequence[dict[str, Any]], url: str) -> dict[str, Any]:
    """A page of search results; `page` is the place to go on at."""
    limit, start = _limit(asked), whole_of(asked.params, "page", 0)
    more = len(things) > start + limit
    return {
        "object": "search_result",
        "data": list(things[start : start + limit]),
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": url,
    }


def _limit(asked: Asked) -> int:
    limit = whole_of(asked.params, "limit", _USUAL)
    if not 1 <= limit <= _MOST:
        raise StripeError(
            f"Invalid limit: must be between 1 and {_MOST}",
            code="parameter_invalid_integer",
            param="limit",
        )
    return limit


def _place(names: list[str], name: str, param: str) -> int:
    if name not in names:
        raise no_such("object", name, param=param, status=400)
    return names.index(name)


def _is_of_time(asked: Asked, created: int) -> bool:
    wanted = asked.params.get("created")
    if wanted is None:
        return True
    if isinstance(wanted, str):
        return created == whole_of(asked.params, "created")
    if not isinstance(wanted, dict) or not set(wanted) <= set(_COMPARES):
        raise StripeError("Invalid created", param="created")
    return all(_COMPARES[name](created, whole_of(wanted, name)) for name in wanted)


def expanded(asked: Asked, thing: dict[str, Any]) -> dict[str, Any]:
    """`thing` with the ids that `expand` names replaced by what they are ids of."""
    for path in listed_of(asked.params, "expand"):
        if not isinstance(path, str) or path.count(".") >= _DEEPEST:
            raise StripeError("Invalid expand", param="expand")
        thing = _unfold(asked, thing, path.split("."))
    return thing


def _unfold(asked: Asked, thing: dict[str, Any], path: list[str]) -> dict[str, Any]:
    name, *rest = path
    if name not in thing:
        raise StripeError(f"This property cannot be expanded ({name}).", param="expand")
    value = thing[name]
    if isinstance(value, list):
        return {
            **thing,
            name: [_unfold(asked, each, rest) if rest else each for each in value],
        }
    if isinstance(value, str):
        value = _load(asked, value)
    if isinstance(value, dict) and rest:
        value = _unfold(asked, value, rest)
    return {**thing, name: value}


def _load(asked: Asked, name: str) -> Any:
    """What the id is of, or the id itself where it cannot be unfolded."""
    books = asked.books
    match name.partition("_")[0]:
        case "pi":
            charge = books.charge(NAME, name)
            return name if charge is None else intent_json(charge)
        case "ch":
            kept = books.get(NAME, "charge", name)
            charge = books.charge(NAME, kept["intent"]) if kept else None
            return charge_json(books, charge, kept) if charge and kept else name
        case "re":
            change = books.change(NAME, name)
            charge = books.charge(NAME, change.charge_id) if change else None
            return refund_json(charge, change) if charge and change else name
        case "txn" | "po" | "du" as kind:
            table = {"txn": "txn", "po": "payout", "du": "dispute"}[kind]
            held = books.get(NAME, table, name)
            return held["shown"] if held else name
    return name
