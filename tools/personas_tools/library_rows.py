"""From a library file to the entries that it stands for in one group, without a look at the store."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from personas.domain.folding import fold
from personas.domain.text import resource_id
from personas.store.attributes import Value
from personas_tools.library_catalogue import Catalogue, Row, id_in
from personas_tools.library_file import (
    Described,
    FileEntry,
    Flag,
    Icon,
    Library,
    LibraryError,
    Parameter,
    ParameterField,
)
from personas_tools.library_store import Entry, ResourceKind

WRITE_ORDER: Final[tuple[ResourceKind, ...]] = (
    "departments",
    "colors",
    "icons",
    "flags",
    "voices",
    "fields",
    "parameters",
    "scenarios",
)
"""Entries are written before those that refer to them, so that a reader never meets an id of nothing."""
_ALWAYS_SAYS_ACTIVE: Final = frozenset({"fields", "parameters", "scenarios"})


def rows(
    library: Library, group_id: str, *, stored: Catalogue | None = None, moment: datetime | None = None
) -> list[Entry]:
    """Return the entries that a file stands for in a group, in the order of writing; the group's settings come last.

    ``stored`` is what the group has already: references may name it, times of creation are kept, and fields that the
    file lists no more stay with their parameter. ``moment`` is when what is new was created.

    Raises:
        LibraryError: a reference stands for nothing, or a name is stored under another id.
    """
    return _Rows(library, group_id, stored or Catalogue(), moment or datetime.now(UTC)).made()


class _Rows:
    """The rows of one file for one group, and the faults met on the way."""

    def __init__(self, library: Library, group_id: str, catalogue: Catalogue, moment: datetime) -> None:
        self._library = library
        self._group_id = group_id
        self._catalogue = catalogue
        self._moment = moment
        self._ids: dict[str, str] = {}
        self._faults: list[str] = []

    def made(self) -> list[Entry]:
        """Return the entries.

        Raises:
            LibraryError: there was at least one fault.
        """
        self._identify()
        made = [
            Entry(place.kind, self._ids[place.path], self._row(place.kind, place.path, place.entry))
            for kind in WRITE_ORDER
            for place in self._library.places()
            if place.kind == kind
        ]
        if self._faults:
            raise LibraryError(self._faults)
        return [*made, Entry("group", self._group_id, self._settings())]

    def _identify(self) -> None:
        """Give every entry its id, and make it known to references."""
        owners: dict[tuple[ResourceKind, str], str] = {}
        for kind, path, entry, parameter in self._library.places():
            own_name = f"{parameter.name}/{entry.called}" if parameter else entry.called
            entry_id = str(entry.id) if entry.id else resource_id(self._group_id, kind, own_name)
            self._ids[path] = entry_id
            names = {entry.called, entry.value} if isinstance(entry, Icon) else {entry.called}
            self._catalogue.add(kind, entry_id, names)
            owner = owners.setdefault((kind, entry_id), path)
            if owner != path:
                self._faults.append(f"{path}: has the same id as {owner}.")
        for kind, path, entry, parameter in self._library.places():
            other = self._catalogue.stored_otherwise(kind, entry.called, self._ids[path])
            if other is not None and parameter is None:
                self._faults.append(
                    f"{path}: {entry.called!r} is stored already, under the id {other}. "
                    "Give it that id to change it, or another name."
                )

    def _row(self, kind: ResourceKind, path: str, entry: FileEntry) -> Row:
        row: dict[str, Value] = entry.model_dump(exclude={"id", "fields", "personas"})
        if isinstance(entry, Flag):
            row["icon_id"] = self._id("icons", entry.icon_id, f"{path}.icon_id") if entry.icon_id else None
        if isinstance(entry, Described):
            row["department_ids"] = self._id_list("departments", entry.department_ids, f"{path}.department_ids")
            row["created_at"] = self._created_at(kind, path, entry)
        if isinstance(entry, ParameterField):
            row["conditional_parameter_ids"] = self._id_list(
                "parameters", entry.conditional_parameter_ids, f"{path}.conditional_parameter_ids"
            )
        if isinstance(entry, Parameter):
            row["field_ids"] = self._field_ids(path, entry)
        if entry.active and kind not in _ALWAYS_SAYS_ACTIVE:
            del row["active"]
        return row

    def _created_at(self, kind: ResourceKind, path: str, entry: Described) -> str:
        before = self._catalogue.rows[kind].get(self._ids[path], {}).get("created_at")
        if isinstance(before, str) and entry.created_at is None:
            return before
        return (entry.created_at or self._moment).astimezone(UTC).isoformat()

    def _field_ids(self, path: str, parameter: Parameter) -> list[Value]:
        """Return the fields in order: those that the file puts first, its others, then stored ones that it lacks."""
        own = {fold(each.name): self._ids[f"{path}.fields[{i}]"] for i, each in enumerate(parameter.fields)}
        before = self._catalogue.rows["parameters"].get(self._ids[path], {}).get("field_ids", ())
        kept = [each for each in before if isinstance(each, str)] if isinstance(before, Sequence) else []
        first: list[str] = []
        for position, reference in enumerate(parameter.field_ids):
            found = id_in(reference) or own.get(fold(reference))
            if found is None or (found not in own.values() and found not in kept):
                self._faults.append(f"{path}.field_ids[{position}]: {reference!r} is no field of this parameter.")
            else:
                first.append(found)
        return list(dict.fromkeys([*first, *own.values(), *kept]))

    def _settings(self) -> Row:
        given = self._library.settings
        settings: dict[str, Value] = {"name": self._group_id, "ai_generate": [], **self._catalogue.settings}
        if given.name is not None:
            settings["name"] = given.name
        if given.ai_generate is not None:
            settings["ai_generate"] = list(dict.fromkeys(given.ai_generate))
        return settings

    def _id(self, kind: ResourceKind, reference: str, path: str) -> str:
        try:
            return self._catalogue.find(kind, reference)
        except LookupError as error:
            self._faults.append(f"{path}: {error}.")
            return ""

    def _id_list(self, kind: ResourceKind, references: Sequence[str], path: str) -> list[Value]:
        found = [self._id(kind, reference, f"{path}[{i}]") for i, reference in enumerate(references)]
        return list(dict.fromkeys(found))
