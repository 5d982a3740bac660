"""The casts of scenarios: the personas that a library file puts into each, and the links that a persona stores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import uuid4

from personas.domain.folding import fold
from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.store import keys
from personas.store.change_feed import Change
from personas.store.groups import GroupStore
from personas.store.persona_rows import cast_in
from personas.store.personas import Found, PersonaStore
from personas.store.table import Table
from personas_tools.library_catalogue import id_in
from personas_tools.library_file import Library, LibraryError

type Cast = tuple[tuple[str, ...], tuple[str, ...]]
"""The scenarios that a persona is in, and those of them that are active."""

_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Link:
    """A persona's place in the scenarios as the feed shows it."""

    id: str
    name: str
    scenario_ids: tuple[str, ...]
    active_scenario_ids: tuple[str, ...]

    @property
    def cast(self) -> Cast:
        """The scenarios that it is in."""
        return self.scenario_ids, self.active_scenario_ids

    @classmethod
    def of(cls, change: Change) -> "Link":
        """Return the place of the persona that a change of the feed shows.

        Raises:
            Unreadable: it does not say.
        """
        return cls(keys.id_of(change.key), *cast_in(change.row))


def stored_links(table: Table, group_id: str) -> list[Link]:
    """Return the places of the group's personas. One that cannot be read is counted and left out."""
    found: list[Link] = []
    for change in table.changes(keys.group_partition(group_id), keys.PERSONA_CHANGES, None):
        if change.deleted:
            continue
        try:
            found.append(Link.of(change))
        except Unreadable as error:
            count_unreadable(Unreadable(f"{change.partition} {change.key}", error.reason))
    return found


def personas_named(table: Table, group_id: str) -> dict[str, list[str]]:
    """Return the ids of the group's personas by folded name, and each by its id as well."""
    found: dict[str, list[str]] = {}
    for link in stored_links(table, group_id):
        found.setdefault(fold(link.name), []).append(link.id)
        found[link.id] = [link.id]
    return found


def casts_in(
    library: Library, scenario_ids: Sequence[str], links: Sequence[Link]
) -> tuple[dict[str, frozenset[str]], list[str]]:
    """Return the personas of each scenario whose cast the file gives, by scenario id."""
    by_name: dict[str, set[str]] = {}
    for link in links:
        by_name.setdefault(fold(link.name), set()).add(link.id)
    by_name |= {link.id: {link.id} for link in links}
    casts: dict[str, frozenset[str]] = {}
    faults: list[str] = []
    missing: list[str] = []
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
                missing.append(f"scenario {scenario.name!r}: there is no persona {reference!r}")
            cast |= found
        casts[scenario_id] = frozenset(cast)
    if faults:
        raise LibraryError(faults)
    return casts, missing


def cast_of(link: Link, casts: Mapping[str, frozenset[str]], active: frozenset[str]) -> Cast:
    """Return the scenarios of a persona: those of the file by the file, the others as they are stored."""
    kept = [each for each in link.scenario_ids if each not in casts or link.id in casts[each]]
    joined = [scenario_id for scenario_id, cast in casts.items() if link.id in cast]
    scenario_ids = tuple(dict.fromkeys([*kept, *joined]))
    return scenario_ids, tuple(each for each in scenario_ids if each in active)


def recast(
    table: Table,
    groups: GroupStore,
    group_id: str,
    link: Link,
    casts: Mapping[str, frozenset[str]],
    active: frozenset[str],
) -> bool:
    """Store a persona's scenarios: a new ``seq`` for the feed, the same version for its editors.

    The group is marked before each, as before every write of a persona, so that the next refresh takes it in.
    False: it cannot be read, so it is left as it is. The feed does not show all of it.
    """
    personas, write_id = PersonaStore(table), str(uuid4())

    def write(found: Found) -> bool:
        if isinstance(found, Unreadable):
            count_unreadable(found)
            return False
        if found is None or found.persona is None:
            return True
        now = found.persona
        standing = Link(now.id, now.name.text, now.scenario_ids, now.active_scenario_ids)
        scenarios, actives = cast_of(standing, casts, active)
        groups.mark(group_id)
        personas.cast(group_id, link.id, scenarios, actives, write_id, seq=found.seq, version=found.version)
        return True

    read = partial(personas.find, group_id, link.id)
    return table.retry_on_conflict(read(), read, write, _ATTEMPTS)
