"""The questions to an index, and its answers."""

from array import array
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Final, Literal, overload

from pyroaring import BitMap

from personas.domain.folding import fold, fold_all
from personas.search.rows import ID_BYTES, ListedRow, unpacked

type Facet = Literal["scenarios", "fields", "departments", "colors", "icons", "voices", "instructions"]

FACET_KEYS: Final[Mapping[Facet, str]] = {
    "scenarios": "sc",
    "fields": "pf",
    "departments": "dp",
    "colors": "c",
    "icons": "i",
    "voices": "vo",
    "instructions": "ii",
}
"""The key of the rows that holds the options of a facet."""
FACETS: Final = tuple(FACET_KEYS)
OPTIONS_MAX: Final = 100


# ---- Facets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """An option to filter by, and the number of personas that would match if it were chosen."""

    id: str
    name: str
    count: int


type RankedOption = tuple[int, str, str, str]
"""An option in the order of the options: its count, negated, its folded name, its id, its name. It is a plain tuple,
because there may be a thousand of them at every search."""


class OptionNames:
    """The names of a facet's options. Names are folded once, so keep it as long as they stay the same."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)
        self._folded = dict(zip(names, fold_all(names.values()), strict=True))
        self._in_order = sorted((folded, each) for each, folded in self._folded.items())

    def ranked(self, counts: Iterable[tuple[str, int]], needle: str = "") -> list[RankedOption]:
        """Return the options that have a name here, and one that contains the needle."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetQuery:
    """A question for the options of a facet: at most 100, by count from the highest, then by folded name, then by id.

    They are those that have a name and a count and whose name contains ``search``, compared folded; behind them those
    without a count that are ``offered``. The selected ones that have a name are always among them, whatever their count
    and name; only if more than 100 are selected are there more than 100 options. ``names`` is None for instructions,
    whose names came with the rows.
    """

    names: OptionNames | None
    search: str | None = None
    selected: Collection[str] = ()
    offered: Callable[[str], bool] | None = None

    @property
    def needle(self) -> str:
        """The folded text that names must contain."""
        return fold(self.search or "")

    @property
    def chosen(self) -> Collection[str]:
        """The selected options, each once."""
        return dict.fromkeys(self.selected)

    def best(self, names: OptionNames, counts: Mapping[str, int]) -> list[Option]:
        """Return the options by their counts."""
        needle, chosen = self.needle, self.chosen
        kept = names.ranked((each, counts.get(each, 0)) for each in chosen)
        others = names.ranked((each for each in counts.items() if each[0] not in chosen), needle)
        if self.offered is not None and len(kept) + len(others) < OPTIONS_MAX:
            unused = names.unused(counts.keys() | chosen, needle, self.offered)
            others += islice(unused, OPTIONS_MAX - len(kept) - len(others))
        return merge(kept, others)


def merge(kept: list[RankedOption], others: list[RankedOption]) -> list[Option]:
    """Return the options that are kept, and the best of the others, in their order."""
    ranked = sorted(kept + nsmallest(OPTIONS_MAX - len(kept), others))
    return [Option(each, name, -less) for less, _, each, name in ranked]


# ---- Searches ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A question for personas: the text and each of the lists that is not empty must match, a list by any of its ids.

    ``caller_departments`` are those that the caller belongs to; None is a superadmin, who sees everything.
    """

    caller_departments: Collection[str] | None
    text: str | None = None
    scenario_ids: Collection[str] = ()
    field_ids: Collection[str] = ()
    department_ids: Collection[str] = ()
    page_size: int = 12
    page_offset: int = 0

    def __post_init__(self) -> None:
        if self.page_size < 0 or self.page_offset < 0:
            raise ValueError("a page has no negative size or offset")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to a query: the ``total``, the ids and rows of the page, and the options that were asked for."""

    total: int
    personas: list[tuple[str, ListedRow]]
    options: Mapping[Facet, list[Option]]


class Selection(Sequence[str]):
    """The ids of all personas that a query found, in their own order, each with the seq that it is known at.

    It holds four bytes a persona and looks the rest up in the index: read it before that changes.
    """

    def __init__(self, ids: array[int], seqs: array[int], docs: BitMap) -> None:
        self._ids = ids.tobytes()
        self._seqs = seqs
        self._docs = array("I", sorted(docs, key=self._key_of))

    def __len__(self) -> int:
        return len(self._docs)

    @overload
    def __getitem__(self, at: int) -> str: ...

    @overload
    def __getitem__(self, at: slice) -> list[str]: ...

    def __getitem__(self, at: int | slice) -> str | list[str]:
        if isinstance(at, slice):
            return [unpacked(self._key_of(doc)) for doc in self._docs[at]]
        return unpacked(self._key_of(self._docs[at]))

    def seqs(self, at: slice) -> list[int]:
        """Return the seqs of some of them."""
        return [self._seqs[doc] for doc in self._docs[at]]

    def _key_of(self, doc: int) -> bytes:
        return self._ids[ID_BYTES * doc : ID_BYTES * (doc + 1)]
