"""The questions that benchmarks ask of a made-up group: every kind of search, and its answers to be compared."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from library import VARIANTS, Library

from personas.search.queries import Facet, Query


@dataclass(frozen=True)
class Cell:
    """A kind of question, and the questions of that kind."""

    label: str
    kind: str
    queries: list[Query]


class Answer(NamedTuple):
    """An answer to a question. Options are numbers, by `Library.numbers`; those that nothing matches are left out.

    A row has the id of the persona, its name, description, color, number of profiles, and departments in order.
    """

    total: int
    page: list[tuple[str, str, str | None, int, int, list[int]]]
    counts: Mapping[Facet, Mapping[int, int]]


def cells_of(library: Library) -> list[Cell]:
    """Return every kind of question; the questions of a kind differ, wherever there is something to vary."""
    chance = random.Random(23)
    departments, fields = library.options["departments"], library.options["fields"]

    def filtered() -> Query:
        return Query(
            caller_departments=None, department_ids=chance.sample(departments, 3), field_ids=chance.sample(fields, 5)
        )

    def member(text: str | None = None) -> Query:
        return Query(caller_departments=chance.sample(departments, 3), text=text)

    return [
        Cell("no filter", "all", [Query(caller_departments=None)]),
        Cell("no filter, a member of 3 departments", "member", [member() for _ in range(VARIANTS)]),
        Cell("text, 5 hits", "text", [Query(caller_departments=None, text=word) for word in library.rare]),
        Cell("text, 1 % hits", "text", [Query(caller_departments=None, text=word) for word in library.frequent]),
        Cell("text of 2 letters, a member", "member, text", [member(word) for word in library.syllables[:VARIANTS]]),
        Cell("3 departments + 5 fields", "filters", [filtered() for _ in range(VARIANTS)]),
    ]
