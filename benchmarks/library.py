"""A made-up group of any size, for all benchmarks: the same seed always gives the same personas."""

import random
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any
from uuid import UUID, uuid5

from personas.search.queries import Facet

# A row as the store writes it; what it holds is known here, because it is made here.
type Row = dict[str, Any]

NAMESPACE = UUID("5f0c1f0e-8a3b-5d57-9d0a-2d7f6f1c0b11")
OPTION_NUMBERS: Mapping[Facet, int] = {
    "scenarios": 1000,
    "fields": 400,
    "departments": 50,
    "colors": 16,
    "icons": 60,
    "voices": 20,
    "instructions": 500,
}
SYLLABLE = 2
VARIANTS = 40  # more than the view remembers findings for
NAME_CHARACTERS, DESCRIPTION_CHARACTERS = 20, 90


def made_id(*parts: object) -> str:
    """Return the UUID that follows from these parts."""
    return str(uuid5(NAMESPACE, "/".join(map(str, parts))))


class Library:
    """A made-up group of any size: the same seed always gives the same personas."""

    def __init__(self, size: int) -> None:
        self.size = size
        chance = random.Random(20)
        letters = "eeeeeeaaaaiiiinnnnoootttsssrrrhhlldduuccmmpgfwybvk"
        self.words = sorted({"".join(chance.choices(letters, k=chance.randint(2, 10))) for _ in range(4000)})
        self.options: dict[Facet, list[str]] = {
            facet: [made_id(facet, number) for number in range(count)] for facet, count in OPTION_NUMBERS.items()
        }
        self.numbers = {facet: {each: number for number, each in enumerate(ids)} for facet, ids in self.options.items()}
        # One parameter field a field: a field belongs to one parameter.
        self.parameter_fields = [made_id("parameter field", number) for number in range(OPTION_NUMBERS["fields"])]
        self.field_of = dict(zip(self.parameter_fields, self.options["fields"], strict=True))
        self.active_flag = made_id("flag")
        self.heads = [self._text(chance, 100) for _ in self.options["instructions"]]
        # Words of consonants that no other word contains: one in 5 personas, one in 1 % of them.
        self.rare = [f"zq{number:02d}x" for number in range(VARIANTS)]
        self.frequent = [f"xj{number:02d}z" for number in range(VARIANTS)]

    @property
    def syllables(self) -> list[str]:
        """The words of two letters."""
        return [word for word in self.words if len(word) == SYLLABLE]

    @cached_property
    def planted(self) -> dict[int, list[str]]:
        """The rare and the frequent words that a persona's description starts with."""
        chance = random.Random(21)
        planted: dict[int, list[str]] = {}
        for words, hits in ((self.rare, min(5, self.size)), (self.frequent, self.size // 100)):
            for word in words:
                for number in chance.sample(range(self.size), hits):
                    planted.setdefault(number, []).append(word)
        return planted

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Yield the personas: ids and rows as the store writes them."""
        chance = random.Random(22)
        for number in range(self.size):
            yield made_id("persona", number), self.row(chance, number)

    def row(self, chance: random.Random, number: int) -> Row:
        """Return the row of a persona, drawn by chance."""
        name = self._text(chance, NAME_CHARACTERS).title()
        planted = " ".join(self.planted.get(number, ()))
        description = f"{planted} {self._text(chance, DESCRIPTION_CHARACTERS)}".strip()[:DESCRIPTION_CHARACTERS]
        instructions = chance.randrange(OPTION_NUMBERS["instructions"])
        scenarios = self._some(chance, self.options["scenarios"], 0, 4)
        return {
            "n": name,
            "ni": made_id("name", name),
            "d": description,
            "di": made_id("description", description),
            "ii": self.options["instructions"][instructions],
            "ih": self.heads[instructions],
            "c": chance.choice(self.options["colors"]),
            "i": chance.choice(self.options["icons"]),
            "f": chance.choice((self.active_flag, self.active_flag, None)),
            "dp": self._some(chance, self.options["departments"], 0, 3),
            "pf": self._some(chance, self.parameter_fields, 1, 5),
            "ex": [made_id("example", number, each) for each in range(chance.randint(0, 3))],
            "vo": self._some(chance, self.options["voices"], 0, 2),
            "sc": scenarios,
            "as": scenarios[:1],
            "np": chance.randint(0, 9),
            "g": chance.choice((True, False, False)),
            "m": chance.choice((True, False, False, False)),
            "ct": self._time(chance, 2025),
            "ut": self._time(chance, 2026),
        }

    @staticmethod
    def _time(chance: random.Random, year: int) -> str:
        day, microsecond = chance.randint(1, 28), chance.randrange(10**6)
        return f"{year}-02-{day:02d}T{chance.randint(0, 23):02d}:11:12.{microsecond:06d}+00:00"

    def _text(self, chance: random.Random, characters: int) -> str:
        text = ""
        while len(text) < characters:
            text += chance.choice(self.words) + " "
        return text[:characters].strip()

    @staticmethod
    def _some(chance: random.Random, ids: Sequence[str], least: int, most: int) -> list[str]:
        return chance.sample(ids, chance.randint(least, most))
