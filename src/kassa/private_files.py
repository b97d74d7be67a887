"""Files that only their owner can read, written whole or not at all."""

import os
import secrets
from pathlib import Path


def write(path: Path, content: bytes, *, replace: bool = True) -> bytes:
    """Put `content` at `path` and return what stands there now.

    `replace` False: of several writers at once the first wins, and all get its content.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o711)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
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
