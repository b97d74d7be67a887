"""Notifications: repeated, out of order, early, late, lost, forged, altered, of others, of old."""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.connectors.contract.scenes import begun, ended, paid
from tests.connectors.contract.stage import Heard, Stage, connect, staged
from tests.connectors.contract.truth import (
    Contradiction,
    asked,
    standing,
    tells_no_secret,
)

from kassa.connectors.base import (
    ActionNeeded,
    Authorized,
    Captured,
    ChargeEvent,
    Declined,
    DisputeEvent,
    Done,
    InDoubt,
    IrrelevantEvent,
    ModificationEvent,
    NotSent,
    Pending,
    Refused,
    Unknown,
    UnreadEvent,
)
from kassa.connectors.catalog import kind_of
from kassa.connectors.kind import operations
from kassa_simulator.faults import OF_LETTERS

pytestmark = pytest.mark.anyio

WAYS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}") for plug in plugs() for way in plug.ways
]
PARTIES = pytest.mark.parametrize("stage", plugs(), ids=str, indirect=True)
FAULTS = sorted(OF_LETTERS - {"foreign", "next_year"})
LATE = timedelta(days=3)


async def lived(stage: Stage, way: Way) -> tuple[str, list[str]]:
    """A charge that is paid, claimed where it was reserved, and given back in part; our keys."""
    charge, reference = await paid(stage, way)
    keys = [charge.key]
    if way.reserves:
        capture = stage.change_request("capture", charge, reference)
        assert isinstance(await asked(stage, stage.patient.capture(capture)), Done)
        keys.append(capture.key)
    if "refund" in operations(kind_of(stage.plug.name).load()):
        refund = stage.change_request("refund", charge, reference, stage.plug.part)
        await asked(stage, stage.patient.refund(refund))
        keys.append(refund.key)
    return charge.key, keys


def judge_news(stage: Stage, charge_key: str, keys: Iterable[str], news: Any) -> None:
    """That what a genuine letter told is so, now that everything has happened. A letter tells of
    the moment when it was written: less may have been so then, never more or another thing."""
    now = standing(stage, charge_key)
    match news:
        case IrrelevantEvent():
            return
        case Refused():
            raise Contradiction(f"a genuine letter got {news}")
        case ChargeEvent(key=key, outcome=outcome):
            if key not in (charge_key, "") or not (key or news.charge_reference):
                raise Contradiction(f"{news} is about another charge")
            _judge_outcome(stage, outcome, now)
        case ModificationEvent(key=key, outcome=outcome):
            if key not in keys:
                raise Contradiction(f"{news} is about another change")
            if isinstance(outcome, Done) and outcome.amount.minor not in (*now.given, *now.taken):
                raise Contradiction(f"{news} and the books have {now}")
            if isinstance(outcome, Declined | Unknown | NotSent):
                raise Contradiction(f"{news} and the books have {now}")
        case DisputeEvent():
            if not (news.key == charge_key or news.charge_reference):
                raise Contradiction(f"{news} does not say which charge it is about")
        case _:
            raise Contradiction(f"{news!r} is no news")
    if not news.dedupe_key:
        raise Contradiction(f"{news} has no dedupe_key")


def _judge_outcome(stage: Stage, outcome: object, now: Any) -> None:
    match outcome:
        case Captured(amount=amount):
            if (amount.minor, amount.currency) != (sum(now.taken), now.currency):
                raise Contradiction(f"{outcome} and the books have {now}")
        case Authorized(amount=amount):
            if (amount, bool(now.taken or now.reserved)) != (stage.plug.amount, True):
                raise Contradiction(f"{outcome} and the books have {now}")
        case Declined() | Unknown() | NotSent() | InDoubt():
            raise Contradiction(f"a letter told {outcome}, and the books have {now}")
        case ActionNeeded() | Pending():
            pass
        case _:
            raise Contradiction(f"{outcome!r} is no outcome")


async def _letters(stage: Stage) -> list[Heard]:
    await stage.simulator.post_letters()
    return list(stage.heard)


def _forged(stage: Stage) -> int:
    listed = stage.simulator.letters()
    return sum(copy["forged"] for one in listed for copy in one["copies"])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(("plug", "way"), WAYS)
async def test_what_letters_tell_is_so_however_they_come(
    plug: Plug, way: Way, fault: str, tmp_path: Path
) -> None:
    async with staged(plug, tmp_path) as stage:
        stage.play(fault, "letter", seconds=1 if fault == "reordered" else 0)
        charge_key, keys = await lived(stage, way)
        stage.stop()
        await _letters(stage)
        if fault in ("late", "reordered"):
            stage.simulator.advance(LATE if fault == "late" else timedelta(seconds=5))
        letters = await _letters(stage)
        told = [await stage.parsed(letter) for letter in letters]
        tells_no_secret(stage, *told)
        genuine = [news for news in told if not isinstance(news, Refused)]

        assert bool(letters) is (fault != "never")
        assert len(told) - len(genuine) == _forged(stage)
        for news in genuine:
            judge_news(stage, charge_key, keys, news)
        if fault == "duplicated":
            _are_the_same(told)
        if fault != "never":
            # Where a letter does not say all, it says that there is something to ask about.
            wanted = (Authorized, Pending) if way.reserves else Captured
            charged = [news for news in genuine if isinstance(news, ChargeEvent)]
            assert any(isinstance(news.outcome, wanted) for news in charged)


def _are_the_same(told: list[Any]) -> None:
    """Every copy of a letter is told the same: as many different ones as there were letters."""
    by_key: dict[str, Any] = {}
    for news in told:
        if not isinstance(news, IrrelevantEvent):
            assert by_key.setdefault(news.dedupe_key, news) == news
    assert len(told) > len(
        {news.dedupe_key for news in told if not isinstance(news, IrrelevantEvent)}
    )


@PARTIES
async def test_a_letter_that_comes_again_is_the_same_news(stage: Stage) -> None:
    letters = await _heard_of_a_life(stage)
    posted = stage.simulator.letters()[-len(letters) :]
    for one in posted:
        await _post_again(stage, one["id"])
    again = await _letters(stage)
    first = {repr(await stage.parsed(letter)) for letter in letters}
    second = {repr(await stage.parsed(letter)) for letter in again[len(letters) :]}

    assert len(again) >= 2 * len(letters)
    assert second == first


async def _post_again(stage: Stage, letter: str) -> None:
    books = stage.simulator.books
    with books.deed():
        stage.simulator.counter.letterbox.again(letter, 1)


async def _heard_of_a_life(stage: Stage) -> list[Heard]:
    await _letters(stage)
    stage.heard.clear()
    await lived(stage, stage.plug.ways[0])
    letters = await _letters(stage)
    assert letters
    return letters


@PARTIES
async def test_an_altered_letter_is_refused(stage: Stage) -> None:
    for letter in await _heard_of_a_life(stage):
        body = letter.body
        places = sorted({*range(0, len(body), max(1, len(body) // 12)), len(body) - 1})
        for place in places:
            altered = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
            await _is_refused_or_no_other(stage, letter, altered)
        for shorter in (b"", body[:-1], body[: len(body) // 2], b"{}", b"[]", b"\xff\xfe", b"null"):
            said = await stage.parsed(letter, body=shorter)
            assert isinstance(said, Refused), said
            tells_no_secret(stage, said)


async def _is_refused_or_no_other(stage: Stage, letter: Heard, altered: bytes) -> None:
    """A provider that signs decoded values lets through what decodes to the same."""
    said = await stage.parsed(letter, body=altered)
    if not isinstance(said, Refused) and said != await stage.parsed(letter):
        raise Contradiction(f"an altered letter got {said}")


@PARTIES
async def test_a_letter_without_a_signature_or_with_another_is_refused(stage: Stage) -> None:
    letters = await _heard_of_a_life(stage)
    for letter in letters:
        bare = {"content-type": letter.headers["content-type"]}
        if stage.plug.signs_in_headers:
            said = await stage.parsed(letter, headers=bare)
            assert isinstance(said, Refused), said
        for name, value in letter.headers.items():
            for wrong in ("", value + "0", value[::-1], "\x00", "ü"):
                said = await stage.parsed(letter, headers={**letter.headers, name: wrong})
                tells_no_secret(stage, said)
                told = await stage.parsed(letter)
                if not isinstance(said, Refused) and said != told and not _is_asked(said, told):
                    raise Contradiction(f"another {name} made it {said}")


def _is_asked(said: Any, told: Any) -> bool:
    """Whether it is asked about and not believed, and does not stand in the way of what was told:
    a header that nobody signs may name the version."""
    return isinstance(said, UnreadEvent) and said.dedupe_key != told.dedupe_key


@PARTIES
async def test_a_letter_for_another_account_is_refused(stage: Stage) -> None:
    stranger = connect(stage.plug, stage.simulator.url, 1, stage.plug.foreign)
    try:
        for letter in await _heard_of_a_life(stage):
            assert isinstance(await stage.parsed(letter, stranger), Refused)
    finally:
        await stranger.close()


@pytest.mark.parametrize("plug", plugs(), ids=str)
async def test_without_a_secret_nothing_is_believed(plug: Plug, tmp_path: Any) -> None:
    optional = {
        one.name: "" for one in kind_of(plug.name).fields if one.secret and not one.required
    }
    if not optional:
        return  # there is no account without one
    trusting = connect(plug, "http://127.0.0.1:9", 1, optional)
    try:
        assert isinstance(trusting.parse_notification({}, b"{}"), Refused)
    finally:
        await trusting.close()


@PARTIES
async def test_a_letter_of_old_is_refused_where_its_time_is_signed(stage: Stage) -> None:
    for letter in await _heard_of_a_life(stage):
        for away in (timedelta(days=30), timedelta(days=-30)):
            said = await stage.parsed(letter, received_at=letter.at + away)
            if stage.plug.judges_age:
                assert isinstance(said, Refused)
            else:
                assert said == await stage.parsed(letter)


@pytest.mark.parametrize(("stage", "way"), WAYS, indirect=["stage"])
async def test_a_letter_of_a_refusal_is_believed_only_when_nobody_can_pay(
    stage: Stage, way: Way
) -> None:
    changes = {"instrument": way.declines} if way.declines else {}
    request = await begun(stage, way, **changes)
    stage.act(request.key, "decline")
    told = [await stage.parsed(letter) for letter in await _letters(stage)]
    declined = [
        one for one in told if isinstance(one, ChargeEvent) and isinstance(one.outcome, Declined)
    ]
    assert not any(isinstance(one, Refused) for one in told)

    if not way.one_address and stage.act(request.key, "pay"):
        await ended(stage, way, request)
        assert not declined, "told that it is over, and then the payer paid"


@PARTIES
async def test_a_dispute_is_told_with_its_charge_and_its_end(stage: Stage) -> None:
    charge, _ = await paid(stage, stage.plug.ways[0])
    stage.heard.clear()
    if not stage.act(charge.key, "dispute"):
        return  # this provider has none, as the simulator plays it
    assert stage.act(charge.key, "lose_dispute")
    told = [await stage.parsed(letter) for letter in await _letters(stage)]
    disputes = [one for one in told if isinstance(one, DisputeEvent)]

    assert len({one.status for one in disputes}) > 1
    assert {one.amount for one in disputes} == {charge.amount}
    assert len({one.reference for one in disputes}) == 1
    assert len({one.dedupe_key for one in disputes}) == len(disputes)
