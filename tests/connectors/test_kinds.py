"""What is typed in for an account is read as it was meant, and connectors are found wherever an
installed package has them."""

from collections.abc import Iterator
from dataclasses import replace
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, plugs

from kassa.base.domain.errors import InvalidRequest
from kassa.connectors import catalog
from kassa.connectors.catalog import kind_of, kinds
from kassa.connectors.declared import InstallationAccount, InstallationSetting
from kassa.connectors.kind import Field, Kind
from kassa.payments.domain.payments import Method

ENDINGS = [
    pytest.param(plug, field, id=plug.name)
    for plug in plugs()
    for field in kind_of(plug.name).fields
    if field.ending
]


@pytest.mark.parametrize(("plug", "field"), ENDINGS)
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_address_needs_no_ending_that_everybody_knows(
    plug: Plug, field: Any, slash: str
) -> None:
    for written in ("https://pay.example", f"https://pay.example{field.ending}"):
        read = kind_of(plug.name).read({**plug.settings, field.name: written + slash}, live=False)

        assert read[field.name] == f"https://pay.example{field.ending}"


OUTSIDE = Kind(
    name="outside",
    title="Outside",
    connector="outside.connector:OutsideConnector",
    fields=(),
    methods=frozenset({Method.CREDIT_CARD}),
    currencies=None,
    takes=frozenset({"redirect"}),
)
TAKEN = Kind(
    name="sandbox",
    title="Another",
    connector="outside.connector:Another",
    fields=(),
    methods=frozenset({Method.CREDIT_CARD}),
    currencies=None,
    takes=frozenset({"redirect"}),
)
NO_KIND = "something else"


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        (InstallationSetting(name="key", field="key", help=""), "must name the secret's file"),
        (InstallationSetting(name="key", field="other", help=""), "has no setting 'other'"),
    ],
)
def test_an_account_of_the_installation_has_no_secret_among_the_settings(
    setting: InstallationSetting, complaint: str
) -> None:
    """They are shown in a repr, and handed to child processes."""
    account = InstallationAccount(settings=(setting,))

    with pytest.raises(ValueError, match=complaint):
        replace(OUTSIDE, fields=(Field("key", "a secret", secret=True),), installation=account)
    right = replace(setting, field="key", is_path=True)
    replace(
        OUTSIDE,
        fields=(Field("key", "a secret", secret=True),),
        installation=InstallationAccount(settings=(right,)),
    )


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Packages beside Kassa that name connectors, not all of them good ones."""
    here = __name__
    points = [
        EntryPoint("broken", "no.such.package:KIND", catalog.GROUP),
        EntryPoint("nothing", f"{here}:NO_KIND", catalog.GROUP),
        EntryPoint("missing", f"{here}:NOT_HERE", catalog.GROUP),
        EntryPoint("taken", f"{here}:TAKEN", catalog.GROUP),
        EntryPoint("outside", f"{here}:OUTSIDE", catalog.GROUP),
    ]
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: points if group else [])
    kinds.cache_clear()
    yield
    kinds.cache_clear()


@pytest.mark.usefixtures("installed")
def test_a_connector_of_another_package_is_one_like_the_others() -> None:
    assert kind_of("outside") is OUTSIDE
    with pytest.raises(InvalidRequest, match="outside"):
        kind_of("nobody")


@pytest.mark.usefixtures("installed")
def test_what_another_package_has_wrong_costs_no_other_connector(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = kinds()

    assert found["sandbox"].title == "Sandbox"
    assert {plug.name for plug in plugs()} < set(found)
    said = capsys.readouterr().out
    for name in ("no.such.package", "NO_KIND", "NOT_HERE", "TAKEN"):
        assert name in said
