"""Answers whose lists hold more than anybody expects: words of next year, and things that are none.

What stood in a list before stands there as it was.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kassa_simulator.frame import Answer, Call, ProviderProtocol, SignsAnswers

NEW_WORD = "a_word_of_next_year"
_OWN_IDS = frozenset(("id", "cf_payment_id", "transactionRequestId"))
_KEYS = frozenset(("metadata", "notes", "receipt", "reference_id", "client_reference_id"))


def strewn(protocol: ProviderProtocol, call: Call, answer: Answer) -> Answer:
    """The same answer, validly signed, with odd entries before and behind those of each list of
    objects that has any."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return answer
    odd = _strewn(content)
    if odd == content:
        return answer
    if isinstance(protocol, SignsAnswers):
        return protocol.signed(call, odd)
    return replace(answer, body=json.dumps(odd, ensure_ascii=False).encode())


def _strewn(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: _strewn(value) for name, value in content.items()}
    if not isinstance(content, list):
        return content
    objects = [one for one in content if isinstance(one, dict)]
    inner = [_strewn(one) for one in content]
    return [None, _odd(objects[0]), *inner, _odd(objects[-1])] if objects else inner


def _odd(one: Mapping[str, Any]) -> dict[str, Any]:
    """The like of it, which says nothing of whose it is, in a status that nobody knows."""
    statuses = [name for name in one if name.lower().endswith("status")]
    ids = {*_OWN_IDS, *(f"{name[:-6]}{'Id' if name[-6] == 'S' else 'id'}" for name in statuses)}
    odd = {
        name: f"{value}x" if name in ids and isinstance(value, str) else value
        for name, value in one.items()
        if name not in _KEYS
    }
    return {**odd, **dict.fromkeys(statuses, NEW_WORD)}
