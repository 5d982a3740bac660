"""The catalogue: departments, colors, icons, flags, voices, parameters, fields, scenarios, and the group's settings.

Functions read it through the change feed (``views.catalogues``); only the library loader writes it.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Final, Literal, NamedTuple, get_args

from personas.errors import Unreadable
from personas.store import keys
from personas.store.attributes import Item, Value, integer, mapping
from personas.store.keys import Key
from personas.store.table import Table
from personas.store.write_rule import RECENT_WRITES

ResourceKind = Literal["departments", "colors", "icons", "flags", "voices", "parameters", "fields", "scenarios"]
RESOURCE_KINDS: Final[tuple[ResourceKind, ...]] = get_args(ResourceKind)
_ATTEMPTS: Final = 3
"""Of a write that loses the race against others."""


class Entry(NamedTuple):
    """An entry of the catalogue; ``kind`` "group" stands for the group's own record, whose id is the group's."""

    kind: ResourceKind | Literal["group"]
    id: str
    row: Mapping[str, Value]


class ResourceStore:
    """The catalogues of all groups."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, group_id: str, entries: Iterable[tuple[ResourceKind | Literal["group"], str]]) -> dict[str, Entry]:
        """Return those of the entries that exist, by id."""
        wanted = {(kind, entry_id): self._key(group_id, kind, entry_id) for kind, entry_id in entries}
        items = self._table.get_many(wanted.values())
        found = {}
        for (kind, entry_id), key in wanted.items():
            item = items.get(key)
            if item is not None:
                found[entry_id] = Entry(kind, entry_id, _row_in(item))
        return found

    def put(self, group_id: str, entry: Entry, write_id: str) -> bool:
        """Store an entry where it is new or differs from what is stored; whether it was written.

        Raises:
            ConditionFailed: others keep writing the same entry.
        """
        key = self._key(group_id, entry.kind, entry.id)

        def write(item: Item | None) -> bool:
            stored = _row_in(item)
            # A group's record also says where its views lie, which is the refresh's to write.
            row = {**stored, **_plain(entry.row)} if entry.kind == "group" else _plain(entry.row)
            # There is none, or it does not say: above any that a view may hold.
            body: dict[str, Value] = {"row": row, "version": 1, "seq": int(self._table.now().timestamp() * 1000)}
            with suppress(Unreadable):
                body |= {"seq": integer(item or {}, "seq") + 1, RECENT_WRITES: mapping(item or {}, RECENT_WRITES)}
                if row == stored:
                    return False
            self._table.put(key, body, prefix=keys.RESOURCE_CHANGES, write_id=write_id, based_on=item)
            return True

        read = partial(self._table.get, key)
        return self._table.retry_on_conflict(read(), read, write, _ATTEMPTS)

    @staticmethod
    def _key(group_id: str, kind: str, entry_id: str) -> Key:
        return keys.group(group_id) if kind == "group" else keys.resource(group_id, kind, entry_id)


def _row_in(item: Item | None) -> dict[str, Value]:
    """Return the row of an item; what is none is written over like one that is empty."""
    row = (item or {}).get("row")
    return dict(row) if isinstance(row, Mapping) else {}


def _plain(row: Mapping[str, Value]) -> dict[str, Value]:
    """Return a row as it comes back from the table: tuples are lists there."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
