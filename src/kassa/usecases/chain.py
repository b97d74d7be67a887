"""Chain the history: what was added gets links, and a block that seals them."""

import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kassa.store import chain
from kassa.store.chain import Block
from kassa.usecases.core import Core, Secrets

_MOST = 1_000  # statements' worth of rows in one transaction
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def chain_key(secrets: Secrets) -> bytes:
    """The key that seals blocks. It is kept nowhere; who has only the database cannot know it."""
    return hmac.digest(secrets.pepper, b"kassa: the chain of history, 1", hashlib.sha256)


def block_hash(key: bytes, before: bytes, block: Block) -> bytes:
    """What seals `block` onto the block whose hash is `before`; its own hash is not read."""
    micros = (block.at - _EPOCH) // timedelta(microseconds=1)
    head = f"{block.seq}:{block.first_link}:{block.last_link}:{micros}:{block.company_id}"
    message = before.hex() + ":" + block.root.hex() + ":" + head
    return hmac.digest(key, message.encode(), hashlib.sha256)


async def chain_history(core: Core, most: int = _MOST) -> int:
    """Chain what up to `most` statements have added; returns how many links that made.

    Only one process at a time does it; the others have nothing to do meanwhile.
    """
    key = chain_key(core.secrets)
    async with core.db.transaction(long=True) as connection:
        if not await chain.take_the_pen(connection):
            return 0
        pieces = await chain.link_up(connection, most)
        blocks = []
        for piece in pieces:
            block = Block(
                company_id=piece.company_id,
                seq=piece.last_seq + 1,
                first_link=piece.first_link,
                last_link=piece.last_link,
                at=piece.at,
                root=piece.root,
                hash=b"",
            )
            blocks.append(replace(block, hash=block_hash(key, piece.last_hash, block)))
        if blocks:
            await chain.seal(connection, blocks)
    return sum(block.last_link - block.first_link + 1 for block in blocks)
