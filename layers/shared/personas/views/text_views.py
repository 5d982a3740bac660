"""The texts views that this environment has in memory, kept true by the change feed.

The feed does not show the longer texts, so personas that have changed are read whole. A view that was loaded or read
once follows the feed from there on: after a refresh it only reads the feed further back.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from itertools import batched
from typing import Final, NamedTuple

from personas.contract.views import SEARCH
from personas.domain.catalogue import Catalogue, Pointer
from personas.runtime import Parallel
from personas.store import keys
from personas.store.change_feed import Change
from personas.store.load_personas import LOADED_AT_ONCE, load_personas
from personas.store.personas import PersonaStore
from personas.views.persona_feed import FEED_BOUND, FeedPosition, PersonaFeed, snapshot_since
from personas.views.text_usage import TextsView

_REFRESH: Final = SEARCH.name
"""The view whose pointer tells how far the last refresh has read: the texts view's own stays where no text changed."""


class News(NamedTuple):
    """A read of the feed, and when it began."""

    started: datetime
    changes: list[Change]


class _CachedTexts:
    def __init__(self, view: TextsView, position: FeedPosition) -> None:
        self.view = view
        self.position = position
        self.size_bytes = view.size_bytes()


class TextViews:
    """The views of the groups whose texts were searched last."""

    def __init__(self, feed: PersonaFeed, personas: PersonaStore, parallel: Parallel) -> None:
        self._feed = feed
        self._personas = personas
        self._parallel = parallel
        self._cached: OrderedDict[str, _CachedTexts] = OrderedDict()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._cached)

    @property
    def size_bytes(self) -> int:
        """The bytes of memory, about, that they take."""
        return sum(each.size_bytes for each in self._cached.values())

    def holds(self, group_id: str) -> bool:
        """Tell whether the group's is cached."""
        return group_id in self._cached

    def drop_oldest(self) -> None:
        """Let the view go that was searched longest ago."""
        self._cached.popitem(last=False)

    def news(self, group_id: str) -> News | None:
        """Read what was written of the group since its view was read last, or return None where it is not cached.

        To be read side by side with the catalogue that the view is brought up to date with.

        Raises:
            ViewRebuilding: there is more than can be read in time; the group is queued.
            Unavailable: the store cannot be read.
        """
        cached = self._cached.get(group_id)
        if cached is None:
            return None
        started = self._feed.now()
        with self._feed.or_queued(group_id):
            return News(started, self._feed.news(group_id, cached.position))

    def current(self, catalogue: Catalogue, news: News | None, loaded: TextsView | None) -> TextsView:
        """Return the group's texts as they stand now.

        A view that is cached takes the ``news``; otherwise it is what was ``loaded`` of the last refresh and the feed
        since, or the feed alone. No round where nothing is new, one where something is, one more after a refresh.

        Raises:
            ViewRebuilding: the view lacks more than can be read in time; the group is queued.
            Unavailable: the store cannot be read.
        """
        group_id = catalogue.group_id
        pointer = catalogue.pointer(_REFRESH)
        cached = self._cached.get(group_id)
        with self._feed.or_queued(group_id):
            if cached is None or news is None:
                cached = self._begun(group_id, pointer, loaded)
            else:
                self._follow(group_id, cached, pointer, news)
        self._cached[group_id] = cached
        self._cached.move_to_end(group_id)
        return cached.view

    def _follow(self, group_id: str, cached: _CachedTexts, pointer: Pointer | None, news: News) -> None:
        changes = self._feed.with_refresh(group_id, cached.position, pointer, news.changes)
        self._take_changes(group_id, cached, changes)
        self._feed.advance(cached.position, news.started, pointer)

    def _begun(self, group_id: str, pointer: Pointer | None, loaded: TextsView | None) -> _CachedTexts:
        started = self._feed.now()
        if pointer is None or not self._feed.carries_on(pointer):
            loaded = None
        view = TextsView(group_id) if loaded is None else loaded
        changes = self._feed.changes(group_id, snapshot_since(pointer) if pointer and loaded else None, view.seq_of)
        if len(changes) > FEED_BOUND:
            self._feed.queue_if_possible(group_id)
        cached = _CachedTexts(view, FeedPosition(started, pointer, view.seq_of))
        self._take_changes(group_id, cached, changes)
        return cached

    def _take_changes(self, group_id: str, cached: _CachedTexts, changes: Sequence[Change]) -> None:
        """Take changes into a view. A persona that cannot be read has no texts."""
        view, changed = cached.view, dict[str, Change]()
        for change in changes:
            persona_id = keys.id_of(change.key)
            if change.deleted:
                view.delete(persona_id, change.seq, change.forgotten_at)
            changed[persona_id] = change
        living = [persona_id for persona_id, change in changed.items() if not change.deleted]
        for some in batched(living, LOADED_AT_ONCE, strict=False):
            self._feed.check_time()
            found = load_personas(self._personas, self._parallel, group_id, some)
            for persona_id in some:
                stored, change = found.get(persona_id), changed[persona_id]
                if stored and stored.persona:
                    view.upsert(stored.persona)
                else:
                    view.delete(persona_id, change.seq, change.forgotten_at)
        if changed:
            cached.size_bytes = view.size_bytes()
