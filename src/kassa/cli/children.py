"""What `kassa serve` tells its children through their environment."""

import os

import msgspec

from kassa.settings import Settings

_SETTINGS = "KASSA_CHILD_SETTINGS"
_DATABASE = "KASSA_CHILD_DATABASE"


def environment(settings: Settings, database_url: str) -> dict[str, str]:
    return {_SETTINGS: msgspec.json.encode(settings).decode(), _DATABASE: database_url}


def told() -> tuple[Settings, str]:
    """The settings and the database of this child; taken out of its environment."""
    settings = msgspec.json.decode(os.environ.pop(_SETTINGS), type=Settings)
    return settings, os.environ.pop(_DATABASE)
