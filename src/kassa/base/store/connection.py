"""What an open connection offers to whoever was handed one, in types: the driver ships none.

A wrong name or a forgotten `None` of what it gives is found by the type checker.
"""

from collections.abc import Awaitable, Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

if TYPE_CHECKING:
    from kassa.base.store.seals import Seals
    from kassa.base.store.vault import Vault


class Row(Protocol):
    """One row of an answer: each value by the name of its column, or by its place."""

    @overload
    def __getitem__(self, key: str | int, /) -> Any: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[Any, ...]: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...
    def keys(self) -> Iterable[str]: ...


class Cursor(Protocol):
    """An answer that is read in parts, while its transaction lasts."""

    async def fetch(self, size: int, /) -> list[Row]: ...


class Connection(Protocol):
    """An open connection with its transaction, if it has one. A deadline is on every statement.

    `seals`: what the rows are sealed with that are written over it. `vault`: what personal data is
    sealed with.
    """

    seals: "Seals | None"
    vault: "Vault | None"

    async def execute(self, query: str, *values: Any) -> str: ...
    async def executemany(self, command: str, args: Iterable[Sequence[Any]]) -> None: ...
    async def fetch(self, query: str, *values: Any) -> list[Row]: ...
    async def fetchrow(self, query: str, *values: Any) -> Row | None: ...
    async def fetchval(self, query: str, *values: Any) -> Any: ...
    def cursor(self, query: str, *values: Any) -> Awaitable[Cursor]: ...
    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Iterable[Sequence[Any]],
        columns: Collection[str] | None = None,
    ) -> str: ...
