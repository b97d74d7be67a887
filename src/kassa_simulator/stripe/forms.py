"""Form fields with brackets: metadata[order]=1, line_items[0][quantity]=2, expand[]=charge."""

import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

from kassa_simulator.stripe.errors import StripeError, missing

_NAME = re.compile(r"([^\[\]]{1,99}+)((?>(?:\[[^\[\]]{0,99}+\]){0,9}))")
_INSIDE = re.compile(r"\[([^\[\]]{0,99}+)\]")
_MOST_FIELDS = 1000
_LARGEST = 99_999_999
_MOST_METADATA, _LONGEST_NAME, _LONGEST_VALUE = 50, 40, 500

Params = dict[str, Any]


def read_form(text: str) -> Params:
    """Nested by the brackets; what is nested by numbers or by nothing becomes a list.

    Raises: StripeError.
    """
    tree: Params = {}
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise StripeError("Invalid request: too many parameters.") from None
    for name, value in fields:
        found = _NAME.fullmatch(name)
        if found is None:
            raise StripeError(f"Invalid parameter name: {name}", param=name)
        _place(tree, [found[1], *_INSIDE.findall(found[2])], value, name)
    return {name: _with_lists(value) for name, value in tree.items()}


def _place(tree: Params, path: list[str], value: str, name: str) -> None:
    for step, following in pairwise(path):
        inner = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(inner, dict):
            raise StripeError(f"Invalid hash: {following}", param=name)
        tree = inner
    tree[path[-1] or str(len(tree))] = value


def _with_lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _with_lists(each) for name, each in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


def check_known(params: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raises: StripeError for a parameter that the address does not take."""
    for name in params:
        if name not in known:
            raise StripeError(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def text_of(params: Mapping[str, Any], name: str, usual: str | None = None) -> str:
    value = params.get(name, "")
    if not isinstance(value, str):
        raise StripeError("Invalid string: " + name, param=name)
    if value:
        return value
    if usual is None:
        raise missing(name)
    return usual


def whole_of(params: Mapping[str, Any], name: str, usual: int | None = None) -> int:
    text = text_of(params, name, None if usual is None else str(usual))
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise StripeError(f"Invalid integer: {text}", code="parameter_invalid_integer", param=name)
    return int(text)


def amount_of(params: Mapping[str, Any], name: str, usual: int | None = None) -> int:
    amount = whole_of(params, name, usual)
    if amount < 1:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=name,
        )
    if amount > _LARGEST:
        raise StripeError(
            f"{name} must be no more than $999,999.99", code="amount_too_large", param=name
        )
    return amount


def flag_of(params: Mapping[str, Any], name: str) -> bool:
    text = text_of(params, name, "false")
    if text not in ("true", "false"):
        raise StripeError(f"Invalid boolean: {text}", param=name)
    return text == "true"


def metadata_of(params: Mapping[str, Any], name: str = "metadata") -> dict[str, str]:
    value = params.get(name) or {}
    if isinstance(value, list):  # its names were numbers
        value = {str(place): each for place, each in enumerate(value)}
    if not isinstance(value, dict):
        raise StripeError("Invalid hash", param=name)
    for key, each in value.items():
        if not isinstance(each, str):
            raise StripeError("Metadata values must be strings.", param=f"{name}[{key}]")
        if len(key) > _LONGEST_NAME or len(each) > _LONGEST_VALUE:
            raise StripeError(
                f"Metadata keys can be up to {_LONGEST_NAME} characters long, and values up to"
                f" {_LONGEST_VALUE}.",
                param=f"{name}[{key}]",
            )
    if len(value) > _MOST_METADATA:
        raise StripeError("You can only have 50 metadata keys.", param=name)
    return {key: each for key, each in value.items() if each}


def listed_of(params: Mapping[str, Any], name: str) -> list[Any]:
    value = params.get(name) or []
    if not isinstance(value, list):
        raise StripeError("Invalid array", param=name)
    return value
