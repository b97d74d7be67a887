"""What the database server says of itself."""

from typing import Any


async def is_standby(connection: Any) -> bool:
    """Whether it only repeats another server's writes."""
    return bool(await connection.fetchval("select pg_is_in_recovery()"))


async def setting(connection: Any, name: str) -> str:
    """The value in force for this connection."""
    return str(await connection.fetchval("select current_setting($1)", name))
