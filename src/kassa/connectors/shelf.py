"""Connectors by name, some of which are made when somebody first asks for them: most commands
never do."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping

from kassa.connectors.base import Connector


class Shelf(MutableMapping[str, Connector]):
    def __init__(self, makers: Mapping[str, Callable[[], Connector]]) -> None:
        self._makers = dict(makers)
        self._made: dict[str, Connector] = {}

    @property
    def made(self) -> list[Connector]:
        """Those that there are to close."""
        return list(self._made.values())

    def __getitem__(self, name: str) -> Connector:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = self._makers[name]()
        return made

    def __setitem__(self, name: str, connector: Connector) -> None:
        self._makers[name] = lambda: connector
        self._made[name] = connector

    def __delitem__(self, name: str) -> None:
        del self._makers[name]
        self._made.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
