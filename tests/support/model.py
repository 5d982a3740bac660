"""A group as the contract has it, in plain dicts: what its callers must be shown, whatever was done to it.

Written from the contract's words and not from the code, so that the two can disagree. It knows no stores, no views and
no caches. The ids of texts cannot be computed; they are learnt from answers, and must stay what they were.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from unicodedata import normalize

from support.form import SEVERAL, SINGLE

DRAFT_LIFE: Final = timedelta(days=90)
HISTORY: Final = timedelta(days=365)
KINDS: Final = ("departments", "colors", "icons", "voices", "parameters", "fields", "scenarios")
FACETS: Final = ("scenarios", "fields", "departments", "colors", "icons", "voices", "instructions")
SELECTED: Final = {"scenarios": "scenario_ids", "fields": "field_ids", "departments": "filter_department_ids"}
FORMULA: Final = re.compile(r"\s*[=+\-@\t\r\n]")

FORM: Final = (
    *("name", "description", "instructions", "color", "icon", "active", "departments"),
    *("parameter_fields", "examples", "voices"),
)
"""The ten fields of a form."""

type Entry = dict[str, object]
type Selection = str | tuple[str, ...] | None


def fold(text: str) -> str:
    return normalize("NFKC", normalize("NFKC", text).casefold())


class Link(NamedTuple):
    """A field of a parameter: what a persona links to as a parameter field."""

    parameter: str
    field: str


@dataclass(frozen=True)
class Caller:
    """Somebody who calls."""

    name: str
    role: str
    departments: frozenset[str] = frozenset()

    @property
    def sees_all(self) -> bool:
        return self.role == "superadmin"

    def sees(self, departments: Collection[str]) -> bool:
        """Tell whether a persona of those departments exists for the caller."""
        return self.sees_all or not departments or not self.departments.isdisjoint(departments)

    def may_assign(self, departments: Collection[str]) -> bool:
        """Tell whether the caller may save a persona with those departments."""
        return self.sees_all or (bool(departments) and self.departments.issuperset(departments))


@dataclass(frozen=True)
class Persona:
    """A persona; links are ids, texts are texts."""

    id: str
    version: int
    name: str
    instructions: str
    color: str
    icon: str
    description: str | None = None
    active: bool = False
    departments: tuple[str, ...] = ()
    parameter_fields: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()
    mcp: bool = False
    scenarios: tuple[str, ...] = ()
    updated_at: str | None = None
    """None where the contract does not say which moment that is."""
    made: int = 0
    """Its number among all personas that were ever created: one that comes back under its id is another."""

    @property
    def contents(self) -> tuple[object, ...]:
        """All that a restoration brings back."""
        return (*(getattr(self, name) for name in FORM), self.mcp, self.made)


@dataclass(frozen=True)
class Version:
    """A version of a persona: as it was, or, where this one ``deletes`` it, as it was deleted."""

    persona: Persona
    deletes: bool = False
    ended: datetime | None = None


@dataclass
class Draft:
    """A draft: ``fields`` holds what was ever patched, texts as texts, by the names of the form state."""

    id: str
    owner: str
    version: int
    created_at: datetime
    written_at: datetime
    fields: dict[str, Selection] = field(default_factory=dict)
    changed_in: dict[str, int] = field(default_factory=dict)
    """The version in which a field last changed; one that is not there did in the first."""

    def patched(self, fields: Mapping[str, Selection], now: datetime) -> None:
        """Lay fields over it."""
        self.version, self.written_at = self.version + 1, now
        self.fields |= fields
        self.changed_in |= dict.fromkeys(fields, self.version)

    def conflicts(self, fields: Mapping[str, Selection], expected: int) -> set[str]:
        """Return those of ``fields`` that have changed since a version to another value."""
        return {
            name
            for name, value in fields.items()
            if self.changed_in.get(name, 1) > expected and (value or None) != (self.fields.get(name) or None)
        }


@dataclass(frozen=True)
class Query:
    """The question of a search or an export."""

    text: str = ""
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, object]:
        return {"search": self.text, **{SELECTED[facet]: list(ids) for facet, ids in self.chosen.items()}}


@dataclass
class Group:
    """The group."""

    callers: dict[str, Caller]
    library: dict[str, dict[str, Entry]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    links: dict[str, Link] = field(default_factory=dict)
    """The link that each id of a parameter field stands for."""
    personas: dict[str, Persona] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    """The last version of every persona that there ever was."""
    changed_in: dict[str, dict[str, int]] = field(default_factory=dict)
    """The version in which each field of a persona last changed: all of them in the one that it begins with."""
    copies: dict[str, int] = field(default_factory=dict)
    profiles: dict[str, frozenset[str]] = field(default_factory=dict)
    """The personas that each profile names."""
    drafts: dict[str, Draft] = field(default_factory=dict)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    refreshed: tuple[Persona, ...] | None = None
    """The personas as of the last refresh; None where what it left may be damaged."""
    made: int = 0
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    lines: dict[str, dict[int, "Version"]] = field(default_factory=dict)
    """All versions of every persona, by id and number."""

    # ---- Reading -----------------------------------------------------------------------------------------------------

    def seen(self, who: str) -> Iterator[Persona]:
        """Return the personas that exist for a caller."""
        caller = self.callers[who]
        return (each for each in self.personas.values() if caller.sees(each.departments))

    def in_use(self, persona: Persona) -> bool:
        """Tell whether an active scenario uses it."""
        return any(self.is_active("scenarios", each) for each in persona.scenarios)

    def may_edit(self, who: str, persona: Persona) -> bool:
        return not self.in_use(persona) and self.callers[who].may_assign(persona.departments)

    def may_delete(self, who: str, persona: Persona) -> bool:
        caller = self.callers[who]
        return not self.in_use(persona) and (caller.sees_all or not caller.departments.isdisjoint(persona.departments))

    def is_active(self, kind: str, entry_id: str) -> bool:
        return self.library[kind][entry_id]["active"] is True

    def name(self, kind: str, entry_id: str) -> str:
        return str(self.library[kind][entry_id]["name"])

    def offered(self, who: str, link: Link) -> bool:
        """Tell whether a parameter field can be newly linked by the caller."""
        return self._in_use_still(link) and self._sees(who, link)

    def _sees(self, who: str, link: Link) -> bool:
        return all(self.callers[who].sees(_ids(each["departments"])) for each in self._behind(link))

    def _in_use_still(self, link: Link) -> bool:
        return all(each["active"] is True for each in self._behind(link))

    def _behind(self, link: Link) -> tuple[Entry, Entry]:
        return self.library["parameters"][link.parameter], self.library["fields"][link.field]

    def profiles_of(self, persona_id: str) -> int:
        return sum(persona_id in named for named in self.profiles.values())

    # ---- Searching ---------------------------------------------------------------------------------------------------

    def options(self, facet: str, persona: Persona) -> set[str]:
        """Return the options of a facet that a persona counts for; instructions go by their text."""
        match facet:
            case "scenarios":
                return set(persona.scenarios)
            case "fields":
                return {self.links[each].field for each in persona.parameter_fields}
            case "departments":
                return set(persona.departments)
            case "colors":
                return {persona.color}
            case "icons":
                return {persona.icon}
            case "voices":
                return set(persona.voices)
        return {persona.instructions}

    def found(self, who: str, query: Query, aside: str = "") -> list[Persona]:
        """Return the personas that a search finds, in its order, one facet's selection set ``aside``."""
        text = fold(query.text)

        def matches(persona: Persona) -> bool:
            return (text in fold(persona.name) or text in fold(persona.description or "")) and all(
                facet == aside or not ids or not self.options(facet, persona).isdisjoint(ids)
                for facet, ids in query.chosen.items()
            )

        return sorted(filter(matches, self.seen(who)), key=lambda each: (fold(each.name), each.id))

    def counts(self, who: str, query: Query, facet: str) -> dict[str, int]:
        """Return how many personas would match if an option of a facet were chosen, by option."""
        counts: dict[str, int] = {}
        for persona in self.found(who, query, facet):
            for option in self.options(facet, persona):
                counts[option] = counts.get(option, 0) + 1
        return counts

    def rest(self, who: str, facet: str) -> set[str]:
        """Return what a filter offers of the catalogue, whether anything would match or not."""
        match facet:
            case "departments":
                caller = self.callers[who]
                return {each for each in self._active(facet) if caller.sees_all or each in caller.departments}
            case "fields":
                return {link.field for link in self.links.values() if self.offered(who, link)}
            case "colors" | "icons" | "voices":
                return self._active(facet)
        return set()

    def _active(self, kind: str) -> set[str]:
        return {each for each in self.library[kind] if self.is_active(kind, each)}

    def knows(self, who: str, facet: str, option: str) -> bool:
        """Tell whether a caller may know that there is an option: it is offered it, or sees a persona that has it."""
        caller = self.callers[who]
        offered = (
            caller.sees_all
            or (facet == "departments" and option in caller.departments)
            or (
                facet == "fields"
                and any(self.offered(who, each) for each in self.links.values() if each.field == option)
            )
        )
        return offered or any(option in self.options(facet, each) for each in self.seen(who))

    def called(self, facet: str, option: str) -> str:
        """Return what a filter calls an option."""
        return option[:100] if facet == "instructions" else self.name(facet, option)

    def row(self, who: str, persona: Persona) -> dict[str, object]:
        """Return a persona as search lists it."""
        return {
            "persona_id": persona.id,
            "name": persona.name,
            "description": persona.description,
            "color": self.library["colors"][persona.color]["hex_code"],
            "icon": self.library["icons"][persona.icon]["value"],
            "department_ids": list(persona.departments),
            "scenario_ids": sorted(persona.scenarios),
            "field_ids": list(dict.fromkeys(self.links[each].field for each in persona.parameter_fields)),
            "is_inactive": not persona.active,
            "generated": False,
            "mcp": persona.mcp,
            "num_scenarios": len(persona.scenarios),
            "num_profiles": self.profiles_of(persona.id),
            "can_edit": self.may_edit(who, persona),
            "can_duplicate": True,
            "can_delete": self.may_delete(who, persona),
            "updated_at": persona.updated_at,
        }

    # ---- Exporting ---------------------------------------------------------------------------------------------------

    def cells(self, persona: Persona) -> dict[str, object]:
        """Return a persona as a row of an export, with its cells parsed."""
        return {
            "persona_id": persona.id,
            "name": persona.name,
            "description": persona.description or "",
            "color": self.name("colors", persona.color),
            "icon": self.name("icons", persona.icon),
            "instructions": persona.instructions,
            "active_flag": persona.active,
            "departments": [self.name("departments", each) for each in persona.departments],
            "parameter_fields": [self.label(each) for each in persona.parameter_fields],
            "examples": list(persona.examples),
            "voices": [self.name("voices", each) for each in persona.voices],
            "version": str(persona.version),
        }

    def label(self, link_id: str) -> str:
        """Return what a file calls a parameter field: its name, with its parameter's where another one goes by it."""
        link = self.links[link_id]
        name = self.name("fields", link.field)
        return next((each for each in (name, self._in_full(link)) if self._links_called(each) == [link_id]), name)

    def link_named(self, called: str, held: Collection[str]) -> str:
        """Return the id of the parameter field of that name; a withdrawn one counts only if the persona has it.

        Raises:
            ValueError: no field has that name, or several have it.
        """
        found = [each for each in self._links_called(called) if each in held or self._in_use_still(self.links[each])]
        (link_id,) = found
        return link_id

    def entry_named(self, kind: str, called: object, held: Collection[str]) -> str:
        """Return the id of the entry of another kind, by the same rule.

        Raises:
            ValueError: no entry has that name, or several have it.
        """
        named = [each for each in self.library[kind] if self.name(kind, each) == called]
        active = [each for each in named if self.is_active(kind, each)]
        (entry_id,) = active or [each for each in named if each in held]
        return entry_id

    def _links_called(self, called: str) -> list[str]:
        """Return the parameter fields of that name: those in use, or else those that were withdrawn."""
        named = [
            link_id
            for link_id, link in self.links.items()
            if fold(called) in (fold(self.name("fields", link.field)), fold(self._in_full(link)))
        ]
        return [each for each in named if self._in_use_still(self.links[each])] or named

    def _in_full(self, link: Link) -> str:
        return f"{self.name('parameters', link.parameter)}: {self.name('fields', link.field)}"

    # ---- Forms -------------------------------------------------------------------------------------------------------

    def form(self, persona: Persona | None, draft: Draft | None) -> dict[str, Selection]:
        """Return what a form shows as selected: the draft laid over the persona, by the names of the form state."""
        of_persona: dict[str, Selection] = {}
        if persona:
            of_persona = {
                "name_id": persona.name,
                "description_id": persona.description,
                "instructions_id": persona.instructions,
                "color_id": persona.color,
                "icon_id": persona.icon,
                "active_flag_id": "active" if persona.active else None,
                "department_ids": persona.departments,
                "parameter_field_ids": persona.parameter_fields,
                "example_ids": persona.examples,
                "voice_ids": persona.voices,
            }
        return {**EMPTY, **of_persona, **(draft.fields if draft else {})}

    def drafts_of(self, who: str, now: datetime) -> list[Draft]:
        """Return a caller's drafts, latest first."""
        alive = (each for each in self.drafts.values() if each.owner == who and self.lives(each, now))
        return sorted(alive, key=lambda each: each.written_at, reverse=True)

    def lives(self, draft: Draft, now: datetime) -> bool:
        return now.timestamp() < int((draft.written_at + DRAFT_LIFE).timestamp())

    def offered_texts(self, who: str, kind: str) -> set[str]:
        """Return the texts that a form offers: those of the last refresh, of personas that the caller may see."""
        assert self.refreshed is not None
        caller = self.callers[who]
        return {text for each in self.refreshed if caller.sees(each.departments) for text in TEXTS[kind](each)}

    # ---- Ids of texts ------------------------------------------------------------------------------------------------

    def learn(self, kind: str, text: str, text_id: str) -> None:
        """Take note of the id of a text; it must be the one that the text has had, and no other text's."""
        known = self.texts.setdefault((kind, text), text_id)
        assert known == text_id, f"{text!r} of {kind} was {known} and is {text_id}"

    def id_of(self, kind: str, text: str) -> str | None:
        """Return the id of a text that was in an answer."""
        return self.texts.get((kind, text))

    # ---- Writing -----------------------------------------------------------------------------------------------------

    def put(self, persona: Persona) -> None:
        """Store a persona, as the next version of whatever has been there under its id."""
        former, changed_in = self.personas.get(persona.id), self.changed_in.setdefault(persona.id, {})
        for name in FORM:
            if former is None or getattr(former, name) != getattr(persona, name):
                changed_in[name] = persona.version
        self._next(persona.id, persona.version, Version(persona))
        self.personas[persona.id] = persona
        self.versions[persona.id] = persona.version

    def conflicts(self, persona: Persona, fields: Mapping[str, object], expected: int) -> set[str]:
        """Return those of ``fields``, by their new values, that have changed since a version to another value."""
        changed_in = self.changed_in[persona.id]
        return {
            name for name, value in fields.items() if changed_in[name] > expected and getattr(persona, name) != value
        }

    def next_version(self, persona_id: str) -> int:
        return self.versions.get(persona_id, 0) + 1

    def remove(self, persona_id: str) -> None:
        """Delete a persona.

        The counts of its id continue: its versions, its copies, and the profiles that name it.
        """
        persona = self.personas.pop(persona_id)
        self.versions[persona_id] += 1
        self._next(persona_id, self.versions[persona_id], Version(persona, deletes=True))

    def _next(self, persona_id: str, number: int, version: "Version") -> None:
        """Put the next version at the end of its line; the one before is kept for a time from now on."""
        line = self.lines.setdefault(persona_id, {})
        if number - 1 in line:
            line[number - 1] = replace(line[number - 1], ended=self.clock())
        line[number] = version

    def version(self, who: str, persona_id: str, number: int) -> "Version | None":
        """Return a version of a persona that exists for a caller, if that version does.

        A deletion has the departments of what it deleted, and ends as a tombstone does.
        """
        found, caller = self.lines[persona_id].get(number), self.callers[who]
        if found is None or not caller.sees(found.persona.departments):
            return None
        return None if found.ended and self.clock() >= found.ended + HISTORY else found

    def shown(self, who: str, persona_id: str) -> "Version | None":
        """Return the version that stands, if the persona exists for a caller as one whose history is told."""
        now = self.version(who, persona_id, self.versions[persona_id])
        persona = self.personas.get(persona_id)
        if persona is not None and now is not None:
            return replace(now, persona=persona)
        return now

    def may_bring_back(self, who: str, then: Persona, now: Persona | None) -> bool:
        """Tell whether the caller may assign all that a former version was linked to."""
        caller = self.callers[who]
        if (now is None or now.departments != then.departments) and not caller.may_assign(then.departments):
            return False
        added = [self.links[each] for each in then.parameter_fields if now is None or each not in now.parameter_fields]
        return all(self._sees(who, link) for link in added)

    def restored(self, then: Iterable[Persona]) -> int:
        """Bring back personas as they were; how many had to be."""
        count = 0
        for each in then:
            now = self.personas.get(each.id)
            if now is None or now.contents != each.contents:
                scenarios = each.scenarios if now is None else now.scenarios
                version = self.next_version(each.id)
                self.put(replace(each, version=version, scenarios=scenarios, updated_at=None))
                count += 1
        return count

    def snapshot(self) -> tuple[Persona, ...]:
        return tuple(deepcopy(list(self.personas.values())))


EMPTY: Final[Mapping[str, Selection]] = {**dict.fromkeys(SINGLE), **dict.fromkeys(SEVERAL, ())}

TEXTS: Final[Mapping[str, Callable[[Persona], tuple[str, ...]]]] = {
    "names": lambda persona: (persona.name,),
    "descriptions": lambda persona: (persona.description,) if persona.description else (),
    "instructions": lambda persona: (persona.instructions,),
    "examples": lambda persona: persona.examples,
}


def copy_name(name: str, number: int) -> str:
    """Return the name of the copy of that number."""
    suffix = " Copy" if number == 1 else f" Copy {number}"
    return name[: 200 - len(suffix)].rstrip() + suffix


def _ids(value: object) -> Collection[str]:
    assert isinstance(value, list)
    return value
