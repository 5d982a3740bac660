"""The loading of a library file into a group's catalogue, as often as one likes.

``library_rows.rows`` turns a file into the catalogue's entries for one group; ``load`` stores those that differ and
reports them. An entry without an id gets the uuid5 of group, kind and name, so that loading a file twice changes
nothing. An entry that is taken out of a file stays stored, since personas may use it; ``active: false`` withdraws one.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from uuid import uuid4

from personas.runtime import parallel
from personas.store.groups import GroupStore
from personas.store.table import Table
from personas_tools.library_catalogue import Catalogue, Row, name_in, stored_catalogue
from personas_tools.library_file import Library
from personas_tools.library_rows import WRITE_ORDER, rows
from personas_tools.library_store import Entry, ResourceStore
from personas_tools.scenario_casts import cast_of, casts_in, recast, stored_links

type Progress = Callable[[int, int], None]
"""Called with how many of how many steps are done."""


@dataclass(slots=True)
class Report:
    """The changes of a load: names by kind, how many were as they should be, and what could not be done yet."""

    added: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    unchanged: Counter[str] = field(default_factory=Counter)
    recast: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    """The ids of personas that could not be read, and were left as they are."""

    @property
    def is_empty(self) -> bool:
        """True if nothing was written."""
        return not (self.added or self.changed or self.recast)

    def note(self, kind: str, name: str, *, existed: bool) -> None:
        """Remember an entry that was written."""
        (self.changed if existed else self.added).setdefault(kind, []).append(name)


def load(table: Table, group_id: str, library: Library, *, progress: Progress = lambda done, total: None) -> Report:
    """Make a group's catalogue, settings and scenario casts what the file says.

    Personas that a scenario names and that do not exist (yet) are reported as missing; the rest is loaded.

    Raises:
        LibraryError: a reference stands for nothing, a name is stored under another id, or names several personas.
        ConditionFailed: somebody else keeps writing the same entries.
    """
    groups = GroupStore(table)
    groups.ensure_secret(group_id)
    catalogue = stored_catalogue(table, group_id)
    entries = rows(library, group_id, stored=catalogue, moment=table.now())
    links = stored_links(table, group_id)
    casts, missing = casts_in(library, [entry.id for entry in entries if entry.kind == "scenarios"], links)
    report = Report(missing=missing)

    differing = [entry for entry in entries if entry.row != _stored_row(catalogue, entry)]
    report.unchanged.update(Counter(entry.kind for entry in entries))
    report.unchanged.subtract(Counter(entry.kind for entry in differing))
    active = _active_scenarios(catalogue, entries)
    to_recast = [link for link in links if cast_of(link, casts, active) != link.cast]

    store, threads, total, done = ResourceStore(table), parallel(), len(differing) + len(to_recast), 0
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
    were_readable = threads.run([partial(recast, table, groups, group_id, link, casts, active) for link in to_recast])
    report.recast.extend(sorted(link.name for link, was in zip(to_recast, were_readable, strict=True) if was))
    report.unreadable.extend(link.id for link, was in zip(to_recast, were_readable, strict=True) if not was)
    progress(total, total)
    return report


def _stored_row(catalogue: Catalogue, entry: Entry) -> Row | None:
    if entry.kind == "group":
        return catalogue.settings or None
    return catalogue.rows[entry.kind].get(entry.id)


def _active_scenarios(catalogue: Catalogue, entries: Iterable[Entry]) -> frozenset[str]:
    scenarios = catalogue.rows["scenarios"] | {entry.id: entry.row for entry in entries if entry.kind == "scenarios"}
    return frozenset(scenario_id for scenario_id, row in scenarios.items() if row.get("active", True) is True)
