"""One stage for all tests of a way to pay: every charge has a key of its own."""

from collections.abc import AsyncIterator

import pytest
from tests.connectors.contract.stage import Stage, staged


@pytest.fixture(scope="module")
async def stage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[Stage]:
    async with staged(request.param, tmp_path_factory.mktemp(request.param.name)) as stage:
        yield stage


@pytest.fixture(autouse=True)
def _calm(request: pytest.FixtureRequest) -> None:
    """No fault is left of the test before."""
    if "stage" in request.fixturenames:
        stage: Stage = request.getfixturevalue("stage")
        stage.stop()
        stage.distorted.clear()
        stage.heard.clear()
