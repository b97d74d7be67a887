"""Files that only their owner can read, written whole or not at all."""

import os
import secrets
import stat
from pathlib import Path

from kassa.base.domain.errors import InvalidRequest


def read(path: Path) -> bytes:
    """Raises: InvalidRequest for a file that others may read."""
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InvalidRequest(f"{path} can be read by others; make it private (chmod 600)")
    return path.read_bytes()


def write(
    path: Path,
    content: bytes,
    *,
    replace: bool = True,
    at: float | None = None,  # seconds, not money
) -> bytes:
    """Put `content` at `path` and return what stands there now.

    `replace` False: of several writers at once the first wins, and all get its content. `at`: the
    file's time, in seconds since 1970, from when on it is to be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if at is not None:
        os.utime(draft, (at, at))
    if replace:
        draft.rename(path)
        return content
    try:
        os.link(draft, path)
    except FileExistsError:
        return path.read_bytes()
    finally:
        draft.unlink()
    return content
