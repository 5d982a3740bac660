"""Whole objects of views where others are due, and pointers that lead to others."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from personas.domain.catalogue import Pointer
from personas.store import keys
from personas.store.attributes import mapping
from personas.views.export_segments import EXPORT_VIEW
from personas.views.search_views import SEARCH_VIEW
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from support.views import Views
from support.world import World

VIEWS: Final = (SEARCH_VIEW, TEXTS_VIEW, MOST_USED_VIEW, EXPORT_VIEW)


class Place(NamedTuple):
    """A view of a group, with what was its object before, and the same view of another group."""

    world: World
    views: Views
    view: str
    older: Pointer
    foreign: Pointer

    @property
    def due(self) -> Pointer:
        """Return the pointer in the group's record."""
        return self.views.pointer(self.view)

    def put(self, other: Pointer) -> None:
        """Have another object lie where the due one is."""
        self.views.put(self.due.key, self.views.content(other.key))

    def point(self, pointer: Pointer) -> None:
        """Have the group's record point elsewhere."""
        record = self.views.record
        snapshots = {**mapping(record.row, "snapshots"), self.view: pointer.as_value()}
        self.world.set(keys.group(record.group_id), "row", {**record.row, "snapshots": snapshots})


def _another_view(place: Place) -> None:
    place.put(place.views.pointer(VIEWS[VIEWS.index(place.view) - 1]))


SWAPS: Final[Mapping[str, Callable[[Place], None]]] = {
    "an older object": lambda place: place.put(place.older),
    "another group's object": lambda place: place.put(place.foreign),
    "another view's object": _another_view,
    "a pointer to an older object": lambda place: place.point(place.due._replace(key=place.older.key)),
    "a pointer to another group's object": lambda place: place.point(place.due._replace(key=place.foreign.key)),
    "another group's pointer": lambda place: place.point(place.foreign),
    "a pointer of another time": lambda place: place.point(place.due._replace(watermark=place.older.watermark)),
}
"""Swaps by name."""
