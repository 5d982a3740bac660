"""Loads a library file into a group's catalogue, as often as one likes.

``rows`` (pure) turns a file into the catalogue's entries for one group; ``load`` stores those that differ and says
which. An entry without an id gets the uuid5 of group, kind and name, so that loading a file twice changes nothing. An
entry that is taken out of a file stays stored, since personas may use it; ``active: false`` withdraws one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Final
from uuid import uuid4

from pydantic_core import PydanticCustomError

from personas.contract.names import canonical_id
from personas.domain.folding import fold
from personas.domain.text import resource_id
from personas.errors import Unreadable
from personas.observability import tell_unreadable
from personas.runtime import parallel
from personas.store import keys
from personas.store.attempts import won
from personas.store.attributes import Value
from personas.store.decoding import NUMBER_END, strings, text
from personas.store.groups import GroupStore
from personas.store.personas import PersonaStore
from personas.store.resources import RESOURCE_KINDS, Entry, ResourceKind, ResourceStore
from personas.store.table import Change, Table
from personas.views.catalogues import is_entry
from personas_tools.library_file import (
    Described,
    FileEntry,
    Flag,
    Icon,
    Library,
    LibraryError,
    Parameter,
    ParameterField,
    parse,
)

__all__ = ["Catalogue", "LibraryError", "Report", "load", "parse", "personas_named", "rows", "stored_catalogue"]

type Row = Mapping[str, Value]

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
"""What is referred to is written before what refers to it, so that a reader never meets an id of nothing."""

_SETTINGS: Final = frozenset({"name", "ai_generate"})
_ALWAYS_SAYS_ACTIVE: Final = frozenset({"fields", "parameters", "scenarios"})
_ATTEMPTS: Final = 3


def name_in(kind: ResourceKind, row: Row) -> str:
    """What a stored entry of that kind is called."""
    return str(row[{"flags": "key", "voices": "voice"}.get(kind, "name")])


def id_in(reference: str) -> str | None:
    """The id that a reference is, in its canonical form; None where it is a name."""
    try:
        return canonical_id(reference)
    except PydanticCustomError:
        return None


class Catalogue:
    """What names and ids stand for in a group: entries of a file before stored ones."""

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
        """The id that a name or an id stands for.

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
        """Another id under which that name is stored and which the file does not mention, or None."""
        others = self._stored[kind].get(fold(name), set()) - self._file_ids[kind]
        return None if entry_id in self._stored[kind].get(fold(name), set()) else min(others, default=None)


# ---- From a file to rows ---------------------------------------------------------------------------------------------


def rows(
    library: Library, group_id: str, *, stored: Catalogue | None = None, moment: datetime | None = None
) -> list[Entry]:
    """The entries that a file stands for in a group, in the order of writing; the group's settings come last.

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
        """The entries.

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
        """The fields in their order: those that the file puts first, the file's others, then stored ones it lacks."""
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


# ---- Into the store --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Report:
    """What a load changed: names by kind, how many were as they should be, and what could not be done yet."""

    added: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    unchanged: Counter[str] = field(default_factory=Counter)
    recast: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """The ids of personas that could not be read, and were left as they are."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing was written."""
        return not (self.added or self.changed or self.recast)

    def note(self, kind: str, name: str, *, existed: bool) -> None:
        """Remember an entry that was written."""
        (self.changed if existed else self.added).setdefault(kind, []).append(name)


@dataclass(frozen=True, slots=True)
class _Link:
    """A persona's place in the scenarios as the feed shows it."""

    id: str
    name: str
    scenario_ids: tuple[str, ...]
    active_scenario_ids: tuple[str, ...]

    @classmethod
    def of(cls, change: Change) -> "_Link":
        """The place of the persona that a change of the feed shows.

        Raises:
            Unreadable: it does not say.
        """
        row = change.row
        scenarios, active = strings(row, "sc", NUMBER_END), strings(row, "as", NUMBER_END)
        return cls(keys.id_of(change.key), text(row, "n"), scenarios, active)


type Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


def stored_catalogue(table: Table, group_id: str) -> Catalogue:
    """The group's catalogue as it is stored now. An entry that cannot be read counts as absent."""
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


def personas_named(table: Table, group_id: str) -> dict[str, list[str]]:
    """The ids of the group's personas by folded name, and each by its id as well."""
    found: dict[str, list[str]] = {}
    for link in _links(table, group_id):
        found.setdefault(fold(link.name), []).append(link.id)
        found[link.id] = [link.id]
    return found


def load(table: Table, group_id: str, library: Library, *, progress: Progress = lambda done, total: None) -> Report:
    """Make a group's catalogue, settings and scenario casts what the file says.

    Personas that a scenario names and that do not exist (yet) are reported as missing; the rest is loaded.

    Raises:
        LibraryError: a reference stands for nothing, a name is stored under another id, or names several personas.
        ConditionFailed: somebody else keeps writing the same entries.
    """
    GroupStore(table).found(group_id)
    catalogue = stored_catalogue(table, group_id)
    entries = rows(library, group_id, stored=catalogue, moment=table.now())
    links = _links(table, group_id)
    report = Report()
    casts = _casts(library, [entry.id for entry in entries if entry.kind == "scenarios"], links, report)

    differing = [entry for entry in entries if entry.row != _stored_row(catalogue, entry)]
    report.unchanged.update(Counter(entry.kind for entry in entries))
    report.unchanged.subtract(Counter(entry.kind for entry in differing))
    active = _active_scenarios(catalogue, entries)
    recast = [(link, cast) for link in links if (cast := _cast_of(link, casts, active)) != _cast_in(link)]

    if recast:
        # Before any of them changes, as every write of personas does: so the next refresh takes them in.
        GroupStore(table).mark(group_id)
    store, threads, total, done = ResourceStore(table), parallel(), len(differing) + len(recast), 0
    progress(done, total)
    for kind in (*WRITE_ORDER, "group"):
        of_kind = [entry for entry in differing if entry.kind == kind]
        threads.run([partial(store.put, group_id, entry, str(uuid4())) for entry in of_kind])
        for entry in of_kind:
            existed = _stored_row(catalogue, entry) is not None
            name = "settings" if entry.kind == "group" else name_in(entry.kind, entry.row)
            report.note(kind, name, existed=existed)
        done += len(of_kind)
        progress(done, total)
    were_readable = threads.run([partial(_recast, table, group_id, link, casts, active) for link, _ in recast])
    report.recast.extend(sorted(link.name for (link, _), was in zip(recast, were_readable, strict=True) if was))
    report.unreadable.extend(link.id for (link, _), was in zip(recast, were_readable, strict=True) if not was)
    progress(total, total)
    return report


def _stored_row(catalogue: Catalogue, entry: Entry) -> Row | None:
    if entry.kind == "group":
        return catalogue.settings or None
    return catalogue.rows[entry.kind].get(entry.id)


def _active_scenarios(catalogue: Catalogue, entries: Iterable[Entry]) -> frozenset[str]:
    scenarios = catalogue.rows["scenarios"] | {entry.id: entry.row for entry in entries if entry.kind == "scenarios"}
    return frozenset(scenario_id for scenario_id, row in scenarios.items() if row.get("active", True) is True)


# ---- Scenario casts --------------------------------------------------------------------------------------------------

type Cast = tuple[tuple[str, ...], tuple[str, ...]]
"""The scenarios that a persona is in, and those of them that are active."""


def _links(table: Table, group_id: str) -> list[_Link]:
    found: list[_Link] = []
    for change in table.changes(keys.group_partition(group_id), keys.PERSONA_CHANGES, None):
        if change.deleted:
            continue
        try:
            found.append(_Link.of(change))
        except Unreadable as error:
            tell_unreadable(Unreadable(f"{change.partition} {change.key}", error.reason))
    return found


def _casts(
    library: Library, scenario_ids: Sequence[str], links: Sequence[_Link], report: Report
) -> dict[str, frozenset[str]]:
    """The personas of each scenario whose cast the file gives, by scenario id."""
    by_name: dict[str, set[str]] = {}
    for link in links:
        by_name.setdefault(fold(link.name), set()).add(link.id)
    by_name |= {link.id: {link.id} for link in links}
    casts: dict[str, frozenset[str]] = {}
    faults: list[str] = []
    for position, (scenario_id, scenario) in enumerate(zip(scenario_ids, library.scenarios, strict=True)):
        if scenario.personas is None:
            continue
        cast: set[str] = set()
        for inner, reference in enumerate(scenario.personas):
            found = by_name.get(id_in(reference) or fold(reference), set())
            if len(found) > 1:
                path = f"scenarios[{position}].personas[{inner}]"
                faults.append(f"{path}: {len(found)} personas are named {reference!r}: use the id.")
            if not found:
                report.missing.append(f"scenario {scenario.name!r}: there is no persona {reference!r}")
            cast |= found
        casts[scenario_id] = frozenset(cast)
    if faults:
        raise LibraryError(faults)
    return casts


def _cast_in(link: _Link) -> Cast:
    return link.scenario_ids, link.active_scenario_ids


def _cast_of(link: _Link, casts: Mapping[str, frozenset[str]], active: frozenset[str]) -> Cast:
    """Where a persona belongs: what the file says of its scenarios, what is stored of the others."""
    kept = [each for each in link.scenario_ids if each not in casts or link.id in casts[each]]
    joined = [scenario_id for scenario_id, cast in casts.items() if link.id in cast]
    scenario_ids = tuple(dict.fromkeys([*kept, *joined]))
    return scenario_ids, tuple(each for each in scenario_ids if each in active)


def _recast(
    table: Table, group_id: str, link: _Link, casts: Mapping[str, frozenset[str]], active: frozenset[str]
) -> bool:
    """Store a persona's scenarios: a new ``seq`` for the feed, the same version for its editors.

    False: it cannot be read, so it is left as it is. The feed does not show all of it.
    """
    personas, write_id = PersonaStore(table), str(uuid4())

    def write() -> bool:
        try:
            stored = personas.get(group_id, link.id)
        except Unreadable as error:
            tell_unreadable(error)
            return False
        if stored is None or stored.persona is None:
            return True
        now = stored.persona
        standing = _Link(now.id, now.name.text, now.scenario_ids, now.active_scenario_ids)
        scenarios, actives = _cast_of(standing, casts, active)
        personas.cast(group_id, link.id, scenarios, actives, write_id, seq=stored.seq, version=stored.version)
        return True

    return won(write, _ATTEMPTS)
