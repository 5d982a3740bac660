"""The personas of the groups that were searched last, in memory, kept true by the change feed."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, cast

from personas.contract.views import SEARCH
from personas.domain.catalogue import Catalogue, Pointer
from personas.errors import Unreadable
from personas.observability import count_evictions, count_unreadable
from personas.runtime import Parallel
from personas.search.index import Index
from personas.search.queries import Facet, OptionNames
from personas.search.snapshot_format import Snapshot, decode
from personas.store import keys
from personas.store.change_feed import Change
from personas.views.catalogues import CatalogueCache
from personas.views.persona_feed import FEED_BOUND, FeedPosition, PersonaFeed, snapshot_since
from personas.views.view_objects import ViewObjectStore, read_object

SEARCH_VIEW: Final = SEARCH.name

MEMORY_SHARE: Final = 0.5
"""The share of the function's memory that the views may take; the rest is Python, the libraries and the request."""

_NAME_COLUMNS: Final[Mapping[Facet, str]] = {
    "scenarios": "name",
    "fields": "name",
    "departments": "name",
    "colors": "name",
    "icons": "name",
    "voices": "voice",
}
"""The column of an entry that names it as an option, by facet."""


def take_changes(index: Index, changes: Iterable[Change]) -> list[Change]:
    """Take changes into an index, and return those that were new to it."""
    return [change for change in changes if _take_change(index, change)]


def _take_change(index: Index, change: Change) -> bool:
    """Take a change; report a row that is not one of a persona, and drop the row of its persona."""
    persona_id = keys.id_of(change.key)
    try:
        if not change.deleted:
            return index.upsert(persona_id, change.seq, change.row)
    except ValueError as error:
        count_unreadable(Unreadable(f"{change.partition} {change.key}", type(error).__name__))
    # Items that are left out are remembered until the views are rebuilt: the feed shows them again and again.
    return index.delete(persona_id, change.seq, change.forgotten_at)


class SearchView:
    """One group's index together with the catalogue that names what it counts."""

    def __init__(self, index: Index, catalogue: Catalogue, read_at: datetime, pointer: Pointer | None) -> None:
        self.index = index
        self.position = FeedPosition(read_at, pointer, index.seq_of)
        self._name(catalogue)

    def take_changes(self, catalogue: Catalogue, changes: Iterable[Change]) -> None:
        """Bring the view up to a read of the feed."""
        take_changes(self.index, changes)
        if catalogue is not self.catalogue:
            self._name(catalogue)

    def names(self, facet: Facet) -> OptionNames | None:
        """Return the names of a facet's options; None for instructions, whose names the index has."""
        return self._names.get(facet)

    def _name(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.field_of = {link.id: link.field_id for link in catalogue.parameter_fields.values()}
        self._names = {
            facet: OptionNames({each: cast("str", row[column]) for each, row in catalogue.rows(facet).items()})
            for facet, column in _NAME_COLUMNS.items()
        }


class SearchViewCache:
    """The views that this environment holds; the least recently searched group goes when they grow too large."""

    def __init__(
        self,
        feed: PersonaFeed,
        catalogues: CatalogueCache,
        view_objects: ViewObjectStore,
        parallel: Parallel,
        budget_bytes: int,
    ) -> None:
        self._feed = feed
        self._catalogues = catalogues
        self._view_objects = view_objects
        self._parallel = parallel
        self._budget_bytes = budget_bytes
        self._views: OrderedDict[str, SearchView] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        """About the bytes of memory that the views take."""
        return sum(view.index.size_bytes() for view in self._views.values())

    def current(self, group_id: str) -> SearchView:
        """Return the group's personas as they stand now: one round of two short queries where the group is cached.

        A group that is not cached is loaded from its snapshot and the feed since; one without a snapshot from the feed.

        Raises:
            ViewRebuilding: the view lacks more than can be read in time; the group is queued.
            Unavailable: the store cannot be read.
        """
        view = self._views.get(group_id)
        with self._feed.or_queued(group_id):
            if view is None:
                view = self._load(group_id)
                self._views[group_id] = view
            else:
                self._follow(group_id, view)
                self._views.move_to_end(group_id)
        # A view grows when it is searched, too: its texts come into memory as they are looked at.
        self._evict()
        return view

    def _follow(self, group_id: str, view: SearchView) -> None:
        started = self._feed.now()
        catalogue, news = self._parallel.gather(
            lambda: self._catalogues.current(group_id),
            lambda: self._feed.news(group_id, view.position),
        )
        pointer = catalogue.pointer(SEARCH_VIEW)
        view.take_changes(catalogue, self._feed.with_refresh(group_id, view.position, pointer, news))
        self._feed.advance(view.position, started, pointer)

    def _load(self, group_id: str) -> SearchView:
        catalogue = self._catalogues.current(group_id)
        started = self._feed.now()
        pointer = catalogue.pointer(SEARCH_VIEW)
        snapshot = self.snapshot(pointer) if pointer else None
        index = snapshot.index if snapshot else Index()
        changes = self._feed.changes(group_id, snapshot_since(pointer) if pointer and snapshot else None, index.seq_of)
        if len(changes) > FEED_BOUND or (pointer and not snapshot):
            self._feed.queue_if_possible(group_id)
        view = SearchView(index, catalogue, started, pointer)
        view.take_changes(catalogue, changes)
        return view

    def snapshot(self, pointer: Pointer) -> Snapshot | None:
        """Return the snapshot that a pointer names, or None where it cannot serve any more and the table must.

        It cannot when it is missing, damaged, of another format or another than the pointer says, or when the feed does
        not carry it on.
        """
        return read_object(self._view_objects, pointer, decode) if self._feed.carries_on(pointer) else None

    def _evict(self) -> None:
        sizes = {group_id: view.index.size_bytes() for group_id, view in self._views.items()}
        total, before = sum(sizes.values()), len(sizes)
        while total > self._budget_bytes and len(self._views) > 1:
            group_id, _ = self._views.popitem(last=False)
            total -= sizes[group_id]
        count_evictions(before - len(self._views))
