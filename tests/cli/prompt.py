"""The command line typed in this process, on the test's own database."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kassa.cli import main
from kassa.settings import Settings


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def content(self) -> Any:
        return json.loads(self.out)


Type = Callable[..., Said]


@pytest.fixture
def kassa(
    settings: Settings,
    owner_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> Type:
    """Types `kassa …`, and tells what it said and how it ended."""

    def typed(*arguments: str) -> Said:
        for name in [name for name in os.environ if name.startswith("KASSA_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("KASSA_DATABASE_URL", owner_url)
        monkeypatch.setenv("KASSA_DATA_DIR", settings.data_dir)
        monkeypatch.setattr(sys, "argv", ["kassa", *arguments])
        monkeypatch.setattr(sys.modules["__main__"], "__package__", None)
        capfdbinary.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfdbinary.readouterr()
        return Said(int(ended.value.code or 0), said.out.decode(), said.err.decode())

    return typed
