"""What a search asks for, and what it finds."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import Protocol

from pyroaring import BitMap

from personas.domain.folding import fold
from personas.search.facets import OPTIONS_MAX, Facet, Option, OptionNames, RankedOption
from personas.search.rows import ListedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to look for: the text and each of the lists that is not empty must match, a list by any of its ids.

    ``caller_departments`` is what the caller belongs to; None is a superadmin, who sees everything.
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


class _Counting(Protocol):
    """The part of an index that counts."""

    @property
    def version(self) -> int: ...

    def counts(self, facet: Facet, docs: BitMap) -> dict[str, int]: ...

    def best(
        self, docs: BitMap, needle: str, chosen: Collection[str]
    ) -> tuple[list[RankedOption], list[RankedOption]]: ...


class SearchResult:
    """What a search found: ``total`` in all, and ``personas``, ids and listed rows, as far as the page goes.

    Counts are made when they are asked for, from the index as it was: ask before it changes.
    """

    def __init__(
        self,
        index: _Counting,
        total: int,
        personas: list[tuple[str, ListedRow]],
        matches: BitMap,
        aside: Mapping[Facet, BitMap],
    ) -> None:
        self.total = total
        self.personas = personas
        self._index = index
        self._version = index.version
        self._matches = matches
        self._aside = aside
        self._counts: dict[Facet, dict[str, int]] = {}

    def counts(self, facet: Facet) -> dict[str, int]:
        """How many personas would match if an option were chosen, the facet's own selection set aside, by id.

        Options that nothing would match are left out.

        Raises:
            RuntimeError: the index has changed since the search.
        """
        if facet not in self._counts:
            self._counts[facet] = self._index.counts(facet, self._docs(facet))
        return self._counts[facet]

    def options(
        self,
        facet: Facet,
        names: OptionNames | None = None,
        search: str | None = None,
        selected: Collection[str] = (),
        offered: Callable[[str], bool] | None = None,
    ) -> list[Option]:
        """At most 100 options of the facet, by count from the highest, then by folded name, then by id.

        They are those that have a name and a count and whose name contains ``search``, compared folded; behind them
        those without a count that are ``offered``. The selected ones that have a name are always among them, whatever
        their count and name; only if more than 100 are selected are there more than 100 options. ``names`` may be left
        out for instructions, whose names came with the rows.

        Raises:
            RuntimeError: the index has changed since the search.
        """
        needle, chosen = fold(search or ""), dict.fromkeys(selected)
        if names is None:
            kept, best = self._index.best(self._docs(facet), needle, chosen)
        else:
            counts = self.counts(facet)
            kept = names.ranked((each, counts.get(each, 0)) for each in chosen)
            best = names.ranked((each for each in counts.items() if each[0] not in chosen), needle)
            if offered is not None and len(kept) + len(best) < OPTIONS_MAX:
                unused = names.unused(counts.keys() | chosen.keys(), needle, offered)
                best += islice(unused, OPTIONS_MAX - len(kept) - len(best))
        ranked = sorted(kept + nsmallest(OPTIONS_MAX - len(kept), best))
        return [Option(each, name, -less) for less, _, each, name in ranked]

    def _docs(self, facet: Facet) -> BitMap:
        if self._index.version != self._version:
            raise RuntimeError("the index has changed since it was searched")
        return self._aside.get(facet, self._matches)
