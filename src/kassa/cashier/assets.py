"""The cashier's static files: a short list, under names that change with their content."""

from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

PREFIX = "/pay/static/"


@dataclass(frozen=True, slots=True)
class Asset:
    """`name` carries a digest of `content`, so that browsers may keep it for ever."""

    name: str
    media_type: str
    content: bytes

    @property
    def address(self) -> str:
        return PREFIX + self.name


def _load(stem: str, suffix: str, media_type: str) -> Asset:
    content = files(__package__).joinpath(f"static/{stem}.{suffix}").read_bytes()
    return Asset(f"{stem}.{sha256(content).hexdigest()[:12]}.{suffix}", media_type, content)


CSS = _load("cashier", "css", "text/css")
ICON = _load("icon", "svg", "image/svg+xml")

BY_NAME = {asset.name: asset for asset in (CSS, ICON)}
"""Everything that is served; a name outside it does not exist, so no path is ever opened."""
