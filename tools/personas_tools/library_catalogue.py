"""A group's catalogue as a library sees it: the stored entries, and the names and ids that refer to them."""

from collections.abc import Iterable, Mapping
from typing import Final

from pydantic_core import PydanticCustomError

from personas.contract.base import canonical_id
from personas.domain.folding import fold
from personas.store import keys
from personas.store.attributes import Value
from personas.store.table import Table
from personas.views.catalogues import is_entry
from personas_tools.library_store import RESOURCE_KINDS, Entry, ResourceKind

type Row = Mapping[str, Value]

_SETTINGS: Final = frozenset({"name", "ai_generate"})


def name_in(kind: ResourceKind, row: Row) -> str:
    """Return the name of a stored entry of that kind."""
    return str(row[{"flags": "key", "voices": "voice"}.get(kind, "name")])


def id_in(reference: str) -> str | None:
    """Return the id that a reference is, in its canonical form; None where it is a name."""
    try:
        return canonical_id(reference)
    except PydanticCustomError:
        return None


class Catalogue:
    """The names and ids of a group's entries: those of a file before stored ones."""

    def __init__(self, stored: Iterable[Entry] = ()) -> None:
        self.settings: Row = {}
        self.rows: dict[ResourceKind, dict[str, Row]] = {kind: {} for kind in RESOURCE_KINDS}
        self._stored: dict[ResourceKind, dict[str, set[str]]] = {kind: {} for kind in RESOURCE_KINDS}
        self._in_file: dict[ResourceKind, dict[str, set[str]]] = {kind: {} for kind in RESOURCE_KINDS}
        self._file_ids: dict[ResourceKind, set[str]] = {kind: set() for kind in RESOURCE_KINDS}
        for entry in stored:
            if entry.kind == "group":
                # The rest of the record is not the library's: a refresh keeps there where the views lie.
                self.settings = {name: value for name, value in entry.row.items() if name in _SETTINGS}
            else:
                self.rows[entry.kind][entry.id] = entry.row
                self._stored[entry.kind].setdefault(fold(name_in(entry.kind, entry.row)), set()).add(entry.id)

    def add(self, kind: ResourceKind, entry_id: str, names: Iterable[str]) -> None:
        """Make an entry of the file known by its id and its names."""
        self._file_ids[kind].add(entry_id)
        for name in names:
            self._in_file[kind].setdefault(fold(name), set()).add(entry_id)

    def find(self, kind: ResourceKind, reference: str) -> str:
        """Return the id that a name or an id stands for.

        Raises:
            LookupError: it stands for nothing, or for several; the message says which.
        """
        entry_id = id_in(reference)
        if entry_id is not None:
            if entry_id in self._file_ids[kind] or entry_id in self.rows[kind]:
                return entry_id
            raise LookupError(f"{kind} have no entry with the id {reference}")
        folded = fold(reference)
        found = self._in_file[kind].get(folded) or self._stored[kind].get(folded, set())
        if not found:
            raise LookupError(f"{kind} have no entry named {reference!r}")
        if len(found) > 1:
            raise LookupError(f"{reference!r} names {len(found)} entries of {kind}: use the id")
        return next(iter(found))

    def stored_otherwise(self, kind: ResourceKind, name: str, entry_id: str) -> str | None:
        """Return another id under which that name is stored and which the file does not mention, or None."""
        others = self._stored[kind].get(fold(name), set()) - self._file_ids[kind]
        return None if entry_id in self._stored[kind].get(fold(name), set()) else min(others, default=None)


def stored_catalogue(table: Table, group_id: str) -> Catalogue:
    """Return the group's catalogue as it is stored now. An entry that cannot be read counts as absent."""
    entries: list[Entry] = []
    for change in table.changes(keys.group_partition(group_id), keys.RESOURCE_CHANGES, None):
        if change.key == keys.group(group_id).sk:
            entries.append(Entry("group", group_id, change.row))
            continue
        entry_id = keys.id_of(change.key)
        kinds = [kind for kind in RESOURCE_KINDS if keys.resource(group_id, kind, entry_id).sk == change.key]
        if not change.deleted:
            entries.extend(Entry(kind, entry_id, change.row) for kind in kinds if is_entry(kind, change))
    return Catalogue(entries)
