"""What a connector can do is what its class says, and the suite drives all of it."""

import inspect
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, Way, plugs
from tests.connectors.contract.scenes import (
    FAULTS,
    about,
    at_once,
    calm,
    faulted,
    operations_of,
    paid,
)
from tests.connectors.contract.stage import Stage, connect
from tests.connectors.contract.truth import Contradiction, asked, tells_no_secret

from kassa.connectors.base import (
    ActionNeeded,
    Capturer,
    InDoubt,
    NotSent,
    Probe,
    Refunder,
    Report,
    Reporter,
    Unknown,
)
from kassa.connectors.catalog import kind_of, kinds
from kassa.connectors.forms import FormCharge, FormSource
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Tools, operations
from kassa_simulator.protocols import protocols

pytestmark = pytest.mark.anyio

DRIVEN = frozenset(
    "charge query capture void refund query_modification close_charge report probe close form"
    " came_back refunds_of list_charges".split()
)
"""The verbs that this suite plays with faults; `close` at the end of every stage."""

LONG_ENOUGH = timedelta(days=10)
"""After so long every provider has settled, and has said so."""

TAKES = {"token": "a way whose payer gives an instrument", "redirect": "a way without one"}
UNHARMED = frozenset(
    {"duplicate_answer", "decline", "wrong_amount", "wrong_currency", "odd_entries"}
)
"""Faults that leave the answer to a probe as it is."""


def test_every_connector_that_a_company_can_add_is_driven_by_the_suite() -> None:
    """Those that speak to a provider over HTTP; the others have no address to be moved."""
    remote = {
        kind.name
        for kind in kinds().values()
        if kind.addable and any(one.name == "base_url" for one in kind.fields)
    }
    assert remote == {plug.name for plug in plugs()}


@pytest.mark.parametrize("plug", plugs(), ids=str)
def test_the_suite_drives_every_verb_of_the_class(plug: Plug) -> None:
    found = {
        name
        for name, member in inspect.getmembers(kind_of(plug.name).load())
        if not name.startswith("_") and inspect.iscoroutinefunction(member)
    }

    assert found <= DRIVEN, "the suite has no scene for it"


@pytest.mark.parametrize("plug", plugs(), ids=str)
def test_the_plug_has_a_way_to_everything_that_the_class_can_do(plug: Plug) -> None:
    kind, can = kind_of(plug.name), operations(kind_of(plug.name).load())

    assert plug.name in protocols(), "the simulator does not play this provider"
    assert any(not way.reserves for way in plug.ways)
    assert any(way.reserves for way in plug.ways) is ("capture" in can)
    instruments = {bool(way.fields.get("instrument")) for way in plug.ways}
    assert instruments == {what == "token" for what in kind.takes}, TAKES
    assert set(plug.never) <= can
    assert kind.currencies is None or plug.amount.currency in kind.currencies
    assert 0 < plug.part.minor < plug.amount.minor


@pytest.mark.parametrize("plug", plugs(), ids=str)
def test_the_class_says_what_the_protocol_wants_of_it(plug: Plug) -> None:
    connector: Any = kind_of(plug.name).load()

    content_type, body = connector.acknowledgement
    assert connector.name == plug.name
    assert content_type.isascii()
    assert isinstance(body, bytes)
    after = connector.not_found_final_after
    assert after is None or after >= timedelta(0)
    if isinstance(connector, Capturer):
        assert isinstance(connector.captures_in_parts, bool)
    asks = isinstance(connector, Capturer | Refunder)
    assert asks is hasattr(connector, "query_modification")


@pytest.mark.parametrize("stage", plugs(), ids=str, indirect=True)
async def test_no_secret_is_shown(stage: Stage) -> None:
    assert stage.plug.secrets, "the kind marks no setting of it as secret"
    kind = kind_of(stage.plug.name)
    tells_no_secret(stage, stage.patient, str(stage.patient), vars(type(stage.patient)))
    for name in stage.plug.settings:
        with pytest.raises(Exception) as caught:  # noqa: PT012 - either may refuse it
            broken = {**stage.plug.settings, name: "\0broken"}
            kind.make({**broken, "base_url": stage.simulator.url}, _tools())
            raise LookupError
        tells_no_secret(stage, str(caught.value), repr(caught.value))


def _tools() -> Any:
    return Tools(
        http=ProviderHttp(), clock=lambda: datetime.now(UTC), base_url="https://pay.example"
    )


PROBES = [plug for plug in plugs() if "test" in operations(kind_of(plug.name).load())]
REPORTERS = [plug for plug in plugs() if "report" in operations(kind_of(plug.name).load())]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", PROBES, ids=str, indirect=True)
async def test_credentials_are_right_only_when_the_provider_says_so(
    stage: Stage, fault: str
) -> None:
    connector: Probe = stage.patient
    with about(stage, stage.plug.ways[0], "probe", fault, "*"):
        told = await faulted(stage, fault, "*", lambda one: one.probe())
        if fault != "not_found" and bool(told) is (fault in UNHARMED):
            raise Contradiction(f"the probe said {told!r}")
        assert await asked(stage, connector.probe()) == ""


@pytest.mark.parametrize("stage", PROBES, ids=str, indirect=True)
async def test_wrong_credentials_are_told(stage: Stage) -> None:
    stranger = connect(stage.plug, stage.simulator.url, 5, stage.plug.foreign)
    try:
        told = await asked(stage, stranger.probe())
        assert told
        request = stage.charge_request(stage.plug.ways[0])
        said = await asked(stage, stranger.query(request.key))
        assert isinstance(said, NotSent | InDoubt)
    finally:
        await stranger.close()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("stage", REPORTERS, ids=str, indirect=True)
async def test_a_report_is_whole_or_there_is_none(stage: Stage, fault: str) -> None:
    way: Way = stage.plug.ways[0]
    connector: Reporter = stage.patient
    day, whole = await _settled(stage, way)
    for operation in await operations_of(
        stage, way, "report", at_once(lambda: connector.report(day))
    ):
        with about(stage, way, "report", fault, operation):
            told = await faulted(stage, fault, operation, lambda one: one.report(day))
            if not isinstance(told, Report | NotSent | InDoubt | Unknown):
                raise Contradiction(f"{told!r} is no answer")
            if isinstance(told, Unknown) and fault != "not_found":
                raise Contradiction("there is a report, and it said there is none")
            more = stage.distorted or fault == "odd_entries"
            if isinstance(told, Report) and not more and told != whole:
                raise Contradiction("a report was told in part")
            calm(stage)
            assert await asked(stage, connector.report(day)) == whole


async def _settled(stage: Stage, way: Way) -> tuple[date, Report]:
    """A day of which there is a report, and the report. The first to ask has money settled."""
    today = datetime.now(UTC).date()
    if not stage.charges_of_all():
        await paid(stage, way)
        stage.simulator.advance(LONG_ENOUGH)
    for days in range(LONG_ENOUGH.days):
        told = await asked(stage, stage.patient.report(today + timedelta(days=days)))
        if isinstance(told, Report):
            return today + timedelta(days=days), told
        assert isinstance(told, Unknown), told
    raise AssertionError("money was paid, and no day has a report of it")


FORMS = [
    pytest.param(plug, way, id=f"{plug.name}-{way.name}")
    for plug in plugs()
    for way in plug.ways
    if way.by_form
]


@pytest.mark.parametrize(("stage", "way"), FORMS, indirect=["stage"])
async def test_the_way_to_a_page_by_form_asks_the_provider_for_nothing(
    stage: Stage, way: Way
) -> None:
    """Strangers may ask for it, so it must not cost a call."""
    connector: FormSource = stage.patient
    request = stage.charge_request(way)
    said = await asked(stage, stage.patient.charge(request))
    assert isinstance(said, ActionNeeded)
    assert said.url == f"{request.notify_url}/pay/{request.key}"
    charge = FormCharge(
        reference=said.reference,
        amount=request.amount,
        returns_to=f"{request.notify_url}/paid/{request.key}",
        back=request.return_url,
    )
    before = len(stage.simulator.calls())
    assert connector.form(charge).action.startswith(stage.simulator.url)
    assert connector.came_back(said.reference, {})
    assert len(stage.simulator.calls()) == before


@pytest.mark.parametrize("plug", plugs(), ids=str)
def test_pages_by_form_have_a_way_to_them(plug: Plug) -> None:
    by_form = isinstance(kind_of(plug.name).load(), FormSource)

    assert any(way.by_form for way in plug.ways) is by_form
