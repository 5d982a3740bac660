"""What the personas of a group can be filtered by, and the options that are offered for it."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from personas.domain.folding import fold_all

type Facet = Literal["scenarios", "fields", "departments", "colors", "icons", "voices", "instructions"]

FACETS: Final[tuple[Facet, ...]] = (
    "scenarios",
    "fields",
    "departments",
    "colors",
    "icons",
    "voices",
    "instructions",
)
OPTIONS_MAX: Final = 100

FACET_KEYS: Final[Mapping[Facet, str]] = {
    "scenarios": "sc",
    "fields": "pf",
    "departments": "dp",
    "colors": "c",
    "icons": "i",
    "voices": "vo",
    "instructions": "ii",
}


@dataclass(frozen=True, slots=True)
class Option:
    """Something to filter by, and how many personas would match if it were chosen."""

    id: str
    name: str
    count: int


type RankedOption = tuple[int, str, str, str]
"""An option, in the order of the options: its count, negated, its folded name, its id, its name. It is a plain tuple,
because there may be a thousand of them at every search."""


class OptionNames:
    """What the options of a facet are called. Names are folded once, so keep it as long as they stay the same."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._folded = dict(zip(names, fold_all(names.values()), strict=True))
        self._in_order = sorted((folded, each) for each, folded in self._folded.items())

    def ranked(self, counts: Iterable[tuple[str, int]], needle: str = "") -> list[RankedOption]:
        """Options that have a name here, and one that contains the needle."""
        names, folded = self._names, self._folded
        return [
            (-count, folded[each], each, names[each])
            for each, count in counts
            if each in names and needle in folded[each]
        ]

    def unused(self, used: Container[str], needle: str, offered: Callable[[str], bool]) -> Iterator[RankedOption]:
        """Yield the options without a count, in their order, that contain the needle and are ``offered``."""
        return (
            (0, folded, each, self._names[each])
            for folded, each in self._in_order
            if each not in used and needle in folded and offered(each)
        )
