"""Answers and letters as nobody expects them: with words of next year and things that are none,
in another charset, of somebody else.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from kassa_simulator.frame import Answer, Call, ProviderProtocol, SignsAnswers

_STATUSES = ("status", "state", "stage")
"""How the names of members end that say how something stands."""
NEW_WORD = "a_word_of_next_year"
_MEMBER = re.compile(r'(\\?+"([A-Za-z_]{1,60}+)\\?+":[ ]?+\\?+")[A-Za-z_.]{1,60}+')
_OWN_IDS = frozenset(("id", "cf_payment_id", "transactionRequestId"))
_KEYS = frozenset(("metadata", "notes", "receipt", "reference_id", "client_reference_id"))


def strewn(protocol: ProviderProtocol, call: Call, answer: Answer) -> Answer:
    """The same answer, validly signed, with odd entries before and behind those of each list of
    objects that has any. What stood there before stands there as it was."""
    content = _content(answer)
    odd = _strewn(content)
    return answer if odd == content else _written(protocol, call, answer, odd, "utf-8")


def recoded(protocol: ProviderProtocol, call: Call, answer: Answer, codec: str) -> Answer:
    """The same answer, validly signed, in another charset."""
    content = _content(answer)
    return answer if content is None else _written(protocol, call, answer, content, codec)


def _content(answer: Answer) -> Any:
    """None of what is no JSON."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _written(
    protocol: ProviderProtocol, call: Call, answer: Answer, content: Any, codec: str
) -> Answer:
    if isinstance(protocol, SignsAnswers):
        return protocol.signed(call, content, codec)
    return replace(answer, body=json.dumps(content, ensure_ascii=False).encode(codec, "replace"))


def of_next_year(text: str) -> str:
    """The JSON `text`, and JSON as text within it, with a status that nobody knows for each."""

    def renamed(found: re.Match[str]) -> str:
        is_status = found[2].lower().endswith(_STATUSES)
        return f"{found[1]}{NEW_WORD}" if is_status else found[0]

    return _MEMBER.sub(renamed, text)


def of_another(text: str, keys: Iterable[str], ids: Iterable[str]) -> str:
    """The same about somebody else's: other references of the merchant's and of the provider's."""
    for key in sorted(filter(None, keys), key=len, reverse=True):
        text = text.replace(key, f"shop-{1001 + len(key)}")
    for name in sorted(filter(None, ids), key=len, reverse=True):
        text = text.replace(name, f"{name}0")
    return text


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
    statuses = [name for name in one if name.lower().endswith(_STATUSES)]
    ids = {*_OWN_IDS, *(f"{name[:-6]}{'Id' if name[-6:-5] == 'S' else 'id'}" for name in statuses)}
    odd = {
        name: f"{value}x" if name in ids and isinstance(value, str) else value
        for name, value in one.items()
        if name not in _KEYS
    }
    return {**odd, **dict.fromkeys(statuses, NEW_WORD)}
