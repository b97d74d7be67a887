"""A renewed secret: what was signed with the old one is believed for as long as is said."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.connectors.contract.plug import Plug, plugs
from tests.connectors.contract.stage import Heard, Stage
from tests.connectors.contract.test_notifications import lived

from kassa.connectors.base import Refused
from kassa.connectors.catalog import kind_of
from kassa.connectors.earlier import Earlier
from kassa.connectors.http import ProviderHttp
from kassa.connectors.kind import Field, Tools

pytestmark = pytest.mark.anyio
PARTIES = pytest.mark.parametrize("stage", plugs(), ids=str, indirect=True)


def renewable(plug: Plug) -> list[Field]:
    return [one for one in kind_of(plug.name).fields if one.verifies]


def renewed(stage: Stage, at: datetime, earlier: Mapping[str, Sequence[Earlier]]) -> Any:
    """The account with new secrets, at that moment."""
    new = {one.name: stage.plug.foreign[one.name] for one in renewable(stage.plug)}
    address = {"base_url": f"{stage.simulator.url}{stage.plug.base_path}"}
    tools = Tools(http=ProviderHttp(), clock=lambda: at, base_url="https://pay.example")
    settings = {**stage.plug.settings, **address, **new}
    return kind_of(stage.plug.name).make(settings, replace(tools, earlier=earlier))


async def heard(stage: Stage) -> list[Heard]:
    await lived(stage, stage.plug.ways[0])
    await stage.simulator.post_letters()
    assert stage.heard
    return list(stage.heard)


@pytest.mark.parametrize("plug", plugs(), ids=str)
def test_every_connector_says_what_proves_its_letters(plug: Plug) -> None:
    assert renewable(plug)
    assert {one.name for one in renewable(plug)} <= set(plug.foreign)


@PARTIES
async def test_what_the_old_secret_signed_is_believed_for_a_while(stage: Stage) -> None:
    for letter in await heard(stage):
        told = await stage.parsed(letter)
        for ahead, good in ((timedelta(hours=1), True), (timedelta(0), False)):
            until = letter.at + ahead
            earlier = {
                one.name: [Earlier(stage.plug.settings[one.name], until)]
                for one in renewable(stage.plug)
            }
            connector = renewed(stage, letter.at, earlier)
            try:
                said = await stage.parsed(letter, connector)
                assert said == told if good else isinstance(said, Refused)
            finally:
                await connector.close()


@PARTIES
async def test_without_an_overlap_the_old_secret_signs_nothing(stage: Stage) -> None:
    for letter in await heard(stage):
        connector = renewed(stage, letter.at, {})
        try:
            assert isinstance(await stage.parsed(letter, connector), Refused)
        finally:
            await connector.close()
