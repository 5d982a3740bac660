"""Search over 10,000 personas, by the operation itself over a view that is held: counts, and pages."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, cast
from uuid import UUID

import pytest

from personas.contract.search import SearchPersonaRequest, SearchPersonaResponse
from personas.domain.catalogue import Catalogue, Row
from personas.domain.folding import fold
from personas.domain.profile import Caller
from personas.domain.text import resource_id
from personas.operations.search import search_personas
from personas.search.index import Index
from personas.search.queries import Facet
from personas.services import Services
from personas.views.search_views import SearchView

SIZE: Final = 10_000
SEARCHES: Final = 200
GROUP: Final = str(UUID(int=1))
WORDS: Final = ("nervous", "caller", "Straße", "STRASSE", "hotel", "night", "École", "cole", "a", "%", "_", "日本")


def ids(kind: str, number: int) -> list[str]:
    return [resource_id(GROUP, kind, str(each)) for each in range(number)]


# Fewer than 100 of each, so that every option is offered.
OPTIONS: Final[Mapping[Facet, list[str]]] = {
    "scenarios": ids("scenarios", 90),
    "fields": ids("fields", 60),
    "departments": ids("departments", 30),
    "colors": ids("colors", 16),
    "icons": ids("icons", 60),
    "voices": ids("voices", 20),
    "instructions": ids("instructions", 80),
}
# A field may belong to two parameters, and a persona have both: it counts once.
PARAMETERS: Final = {each: OPTIONS["fields"][number::4] for number, each in enumerate(ids("parameters", 6))}
CHOSEN: Final[Mapping[Facet, str]] = {
    "scenarios": "scenario_ids",
    "fields": "field_ids",
    "departments": "filter_department_ids",
}


FOR_ALL: Final[Row] = {"active": True, "department_ids": []}
"""The attributes of an entry that is offered to everybody."""


def entries(facet: Facet) -> dict[str, Row]:
    named = OPTIONS[facet]
    shown: Row = {"voice": "v", "hex_code": "#000000", "value": "v", **FOR_ALL}
    return {each: {**shown, "name": f"{facet} {each}", "voice": each} for each in named}


CATALOGUE: Final = Catalogue(
    GROUP,
    {
        **{facet: entries(facet) for facet in OPTIONS if facet != "instructions"},
        "parameters": {
            each: {"name": each, "field_ids": fields, "persona_parameter": True, **FOR_ALL}
            for each, fields in PARAMETERS.items()
        },
    },
)
LINKS: Final = {each.id: each.field_id for each in CATALOGUE.parameter_fields.values()}


@cache
def library() -> dict[str, dict[str, Any]]:
    """Return the rows of the personas, the same in every run."""
    chance = random.Random(11)

    def some(of: Sequence[str], most: int) -> list[str]:
        return chance.sample(list(of), chance.randint(0, most))

    return {
        str(UUID(int=chance.getrandbits(128))): {
            # A few hundred names for all of them: most are somebody else's too.
            "n": " ".join(chance.choices(WORDS, k=chance.randint(1, 2))),
            "d": chance.choice((None, " ".join(chance.choices(WORDS, k=5)))),
            "ii": chance.choice(OPTIONS["instructions"]),
            "ih": "You answer.",
            "c": chance.choice(OPTIONS["colors"]),
            "i": chance.choice(OPTIONS["icons"]),
            "dp": some(OPTIONS["departments"], 3),
            "pf": some(list(LINKS), 5),
            "vo": some(OPTIONS["voices"], 2),
            "sc": some(OPTIONS["scenarios"], 4),
            "as": [],
        }
        for _ in range(SIZE)
    }


@dataclass
class Held:
    """A source of the group's view, for the operation: the view is held, and nothing has changed."""

    view: SearchView
    size_bytes: int = 0

    def current(self, _group_id: str) -> SearchView:
        return self.view


@dataclass
class Acting:
    """The one of the services by which a search acts."""

    search_views: Held


@cache
def services() -> Services:
    index = Index()
    for number, (persona_id, row) in enumerate(library().items()):
        index.upsert(persona_id, 1, row)
        if number == SIZE * 9 // 10:
            index.to_columns()  # the rest is late
    return cast("Services", Acting(Held(SearchView(index, CATALOGUE, datetime.now(UTC), None))))


def caller(departments: Sequence[str] | None) -> Caller:
    role = "superadmin" if departments is None else "instructional"
    own = frozenset(departments or ())
    return Caller(group_id=GROUP, profile_id="p", name="Ada", role=role, department_ids=own, session_id="s")


def search(departments: Sequence[str] | None, **body: object) -> SearchPersonaResponse:
    return search_personas(services(), caller(departments), SearchPersonaRequest.model_validate(body))


def counts(answer: SearchPersonaResponse, facet: Facet) -> dict[str, int]:
    section = getattr(answer, f"{facet.removesuffix('s').removesuffix('s')}_filter")
    return {str(each.id): each.count for each in section.options if each.count}


def options_of(row: Mapping[str, Any]) -> dict[Facet, set[str]]:
    return {
        "scenarios": set(row["sc"]),
        "fields": {LINKS[each] for each in row["pf"]},
        "departments": set(row["dp"]),
        "colors": {row["c"]},
        "icons": {row["i"]},
        "voices": set(row["vo"]),
        "instructions": {row["ii"]},
    }


def found_by_looking(departments: Sequence[str] | None, body: Mapping[str, Any]) -> list[dict[Facet, set[str]]]:
    """Return the options of the personas that match, by a look at each of them."""
    text = fold(body.get("search", ""))
    found = []
    for row in library().values():
        own = set(row["dp"])
        if departments is not None and own and own.isdisjoint(departments):
            continue
        if text not in fold(row["n"]) and text not in fold(row["d"] or ""):
            continue
        options = options_of(row)
        if all(not body.get(name) or options[facet] & set(body[name]) for facet, name in CHOSEN.items()):
            found.append(options)
    return found


def random_search(chance: random.Random) -> tuple[list[str] | None, dict[str, Any]]:
    departments = chance.choice((None, chance.sample(OPTIONS["departments"], chance.randint(0, 4))))
    body: dict[str, Any] = {"page_size": 1}
    if chance.random() < 0.5:
        body["search"] = chance.choice((chance.choice(WORDS), " ".join(chance.choices(WORDS, k=2)), "n", "er h"))
    for facet, name in CHOSEN.items():
        if chance.random() < 0.4:
            body[name] = chance.sample(OPTIONS[facet], chance.randint(1, 5))
    return departments, body


def check_counts(seed: int) -> None:
    """Check the total and all counts of one random search.

    They are found again by a look at each persona and, if there is a filter for the facet, by choosing each option.
    """
    # Given a search,
    departments, body = random_search(random.Random(seed))
    # when it is answered,
    answer = search(departments, **body)
    # then the total and the counts of all seven are those of what is found, a facet's own selection set aside,
    assert answer.total_count == len(found_by_looking(departments, body))
    for facet in OPTIONS:
        name = CHOSEN.get(facet, "")
        aside = found_by_looking(departments, {each: value for each, value in body.items() if each != name})
        assert counts(answer, facet) == Counter(each for options in aside for each in options[facet]), (facet, body)
        # and choosing an option finds as many as it said.
        if name:
            for option, count in counts(answer, facet).items():
                assert search(departments, **body | {name: [option]}).total_count == count, (facet, option, body)


@pytest.mark.parametrize("seed", range(4))
def test_every_count_is_what_choosing_the_option_finds(seed: int) -> None:
    check_counts(seed)


@pytest.mark.large
@pytest.mark.parametrize("first", range(4, SEARCHES, 28))
def test_every_count_is_what_choosing_the_option_finds_in_many_searches(first: int) -> None:
    for seed in range(first, min(first + 28, SEARCHES)):
        check_counts(seed)


def test_pages_of_100_meet_each_of_10_000_once_also_with_equal_names() -> None:
    # Given 10,000 personas of a few hundred names, when all pages of 100 are read,
    pages = [search(None, page_size=100, page_offset=offset) for offset in range(0, SIZE, 100)]
    # then each is met exactly once, in the order of the list.
    met = [str(each.persona_id) for page in pages for each in page.personas or ()]
    rows = library()
    assert len({fold(row["n"]) for row in rows.values()}) < SIZE / 50
    assert met == sorted(rows, key=lambda each: (fold(rows[each]["n"]), each))
    assert {page.total_count for page in pages} == {SIZE}
