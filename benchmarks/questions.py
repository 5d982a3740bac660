"""The questions that benchmarks ask of a made-up group: every kind of search."""

import random
from dataclasses import dataclass

from library import VARIANTS, Library

from personas.search.queries import Query


@dataclass(frozen=True)
class Cell:
    """A kind of question, and the questions of that kind."""

    label: str
    kind: str
    queries: list[Query]


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
