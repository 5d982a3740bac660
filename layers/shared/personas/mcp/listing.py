"""The personas that a caller sees, as lists: found by text and names, one by its name, and one after another."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple
from uuid import UUID

from personas.contract.base import PAGE_SIZE_MAX
from personas.contract.filters import PersonaFilter
from personas.domain.folding import fold
from personas.domain.profile import Caller
from personas.operations.search import current_view, known_options, query_of
from personas.search.queries import Facet, SearchResult
from personas.search.rows import ListedRow
from personas.services import Services

CUT_TO: Final = 120
"""Characters of a name or a description in a list."""

type Place = tuple[bytes, bytes]
"""The place of a persona in the order of lists: its folded name in UTF-8, and its id."""


class Entry(NamedTuple):
    """A persona of a list."""

    id: str
    row: ListedRow

    @property
    def place(self) -> Place:
        """Its place in the order of lists."""
        return fold(self.row.name).encode(), UUID(self.id).bytes

    @property
    def description(self) -> str | None:
        """The beginning of its description."""
        return self.row.description[:CUT_TO] if self.row.description else None

    @property
    def is_active(self) -> bool:
        """True if it may be used."""
        return self.row.active_flag_id is not None


class Listing:
    """The personas of a group that a caller sees, as they stand now, or those of them whose texts contain a text.

    Raises:
        ViewRebuilding: the group's view lacks more than can be read in time.
        Unavailable: the store cannot be read.
    """

    def __init__(self, services: Services, caller: Caller, text: str | None = None) -> None:
        self._view = current_view(services, caller.group_id)
        self._caller = caller
        self._query = query_of(caller, PersonaFilter(search=text))

    def only(self, facet: Facet, name: str) -> bool:
        """Keep those that have an option of this name; return False where the caller knows none of it.

        A field may be named with its parameter, as the tools name it: it is the field of all parameters all the same.
        """
        wanted, catalogue = fold(name.strip()), self._view.catalogue
        ids = [each for each, row in catalogue.rows(facet).items() if fold(str(row["name"])) == wanted]
        if facet == "fields":
            links = catalogue.parameter_fields.values()
            ids += [link.field_id for link in links if fold(catalogue.full_name(link)) == wanted]
        known = known_options(self._view, self._caller, facet, ids)
        if facet == "departments":
            self._query = replace(self._query, department_ids=known)
        else:
            self._query = replace(self._query, field_ids=known)
        return bool(known)

    def page(self, offset: int, size: int) -> tuple[int, list[Entry]]:
        """Return the number of personas, and some of them in the order of lists: by name, then by id."""
        found = self._search(offset, size)
        return found.total, [Entry(*each) for each in found.personas]

    def named(self, name: str) -> list[Entry]:
        """Return those of exactly this name, in whatever case; of more than a page of them, the first."""
        wanted = fold(name.strip())
        first = self.position((wanted.encode(), b""))
        _, entries = self.page(first, PAGE_SIZE_MAX)
        return [each for each in entries if fold(each.row.name) == wanted]

    def position(self, place: Place) -> int:
        """Return the number of personas before a place."""
        total = self._search(0, 0).total
        return bisect_left(range(total), place, key=lambda offset: self.page(offset, 1)[1][0].place)

    def beginning_at(self, place: Place) -> Iterator[Entry]:
        """Yield the personas from a place on."""
        offset = self.position(place)
        while True:
            _, entries = self.page(offset, PAGE_SIZE_MAX)
            yield from entries
            if len(entries) < PAGE_SIZE_MAX:
                return
            offset += PAGE_SIZE_MAX

    def _search(self, offset: int, size: int) -> SearchResult:
        query = replace(self._query, page_offset=offset, page_size=size)
        return self._view.index.search(query, self._view.field_of)
