"""The suggestions of get: the most used texts and links as of the last refresh, and texts that are searched for.

The pointers to a group's objects arrive with its catalogue, by the change feed. An object never changes under its key,
so only a new pointer costs a read of S3; where S3 cannot be read, a form does without. Texts that are searched for
are those of now: from the texts view and the change feed, or from the feed alone.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from personas.clock import Moment
from personas.contract.persona_fields import TextKind
from personas.contract.views import TEXTS
from personas.domain.catalogue import Catalogue, Pointer
from personas.domain.permissions import departments_seen
from personas.domain.profile import Caller
from personas.domain.suggestions import Suggestions
from personas.domain.text import identified
from personas.errors import Unavailable
from personas.observability import count_evictions, logger
from personas.runtime import Parallel, deadline, nothing
from personas.views.most_used import MostUsed
from personas.views.text_usage import TextsView
from personas.views.text_views import News, TextViews
from personas.views.view_objects import ViewObjectStore, read_object

TEXTS_VIEW: Final = TEXTS.name
MOST_USED_VIEW: Final = "personas_texts_top"
"""The texts view's companion; refresh does not tell it as a view of its own."""

MEMORY_SHARE: Final = 0.5
"""The share of the function's memory that the objects may take."""

PATIENCE: Final = timedelta(seconds=5)
"""The longest wait of a form for what it offers besides; without it, it offers what is selected."""
PAUSE: Final = timedelta(seconds=30)
"""The time for which S3 is not asked again after it could not be read."""


class _CachedMostUsed(NamedTuple):
    """An object under its key, and about how much memory it takes."""

    key: str
    content: MostUsed
    size_bytes: int


class SuggestionViews:
    """The objects that this environment offers from, by group. The least recently used go when they grow too large."""

    def __init__(
        self,
        view_objects: Callable[[], ViewObjectStore],
        texts: TextViews,
        parallel: Parallel,
        clock: Callable[[], datetime],
        budget_bytes: int,
    ) -> None:
        self._view_objects = view_objects
        self._texts = texts
        self._parallel = parallel
        self._budget_bytes = budget_bytes
        self._clock = clock
        self._failed_at: Moment | None = None
        self._most_used: OrderedDict[str, _CachedMostUsed] = OrderedDict()

    def news(self, group_id: str) -> News | None:
        """Read what a search for texts needs besides the catalogue, in the same round.

        Raises:
            ViewRebuilding: there is more than can be read in time; the group is queued.
            Unavailable: the store cannot be read.
        """
        return self._texts.news(group_id)

    def current(
        self, catalogue: Catalogue, caller: Caller, searches: Mapping[TextKind, str], news: News | None
    ) -> Suggestions:
        """Return the suggestions for the caller; only what is searched for where nothing can be read of a refresh.

        Where the group's record has lost the secret of the ids of texts, there is nothing.

        ``searches``, by kind, are looked for in all texts of the personas that the caller may see, as they stand now.
        A round only where an object is not cached, or where a search is on and ``news`` say that a persona has changed.

        Raises:
            ViewRebuilding: the texts that are searched lack more than can be read in time; the group is queued.
            Unavailable: the store cannot be read.
        """
        if catalogue.text_secret_or_none is None:
            return Suggestions({}, None)
        loads = bool(searches) and not self._texts.holds(catalogue.group_id)
        with deadline().within(PATIENCE):
            most_used, loaded = self._parallel.gather(
                lambda: self._load_most_used(catalogue),
                (lambda: self._read(catalogue.pointer(TEXTS_VIEW), TextsView.decode)) if loads else nothing,
            )
        departments = departments_seen(caller)
        suggestions = (
            Suggestions({}, None) if most_used is None else most_used.suggestions(departments, catalogue.text_secret)
        )
        if searches:
            view = self._texts.current(catalogue, news, loaded)
            found = {
                kind: [
                    identified(catalogue.text_secret, kind, use.entry) for use in view.search(kind, search, departments)
                ]
                for kind, search in searches.items()
            }
            suggestions = Suggestions({**suggestions.texts, **found}, suggestions.most_used)
        self._evict()
        return suggestions

    def _load_most_used(self, catalogue: Catalogue) -> MostUsed | None:
        pointer = catalogue.pointer(MOST_USED_VIEW)
        if pointer is None:
            return None
        own = self._most_used.get(catalogue.group_id)
        if own is None or own.key != pointer.key:
            content = self._read(pointer, MostUsed.decode)
            if content is None:
                return None
            own = self._most_used[catalogue.group_id] = _CachedMostUsed(pointer.key, content, content.size_bytes())
        self._most_used.move_to_end(catalogue.group_id)
        return own.content

    def _read[T](self, pointer: Pointer | None, decode: Callable[[memoryview], T]) -> T | None:
        """Read an object from S3. After a failure S3 is left alone for a while, so that not every form waits for it."""
        if pointer is None or (self._failed_at and self._failed_at.is_recent(PAUSE, self._clock())):
            return None
        try:
            return read_object(self._view_objects(), pointer, decode)
        except Unavailable as error:
            self._failed_at = Moment.at(self._clock())
            logger.warning("a form offers only what is selected", extra={"key": pointer.key, "reason": str(error)})
            return None

    def _evict(self) -> None:
        """Drop views until the rest fit; whole views go first, because every call needs a companion."""
        most_used = sum(each.size_bytes for each in self._most_used.values())
        before = len(self._texts) + len(self._most_used)
        while most_used + self._texts.size_bytes > self._budget_bytes and len(self._texts) > 1:
            self._texts.drop_oldest()
        while most_used + self._texts.size_bytes > self._budget_bytes and len(self._most_used) > 1:
            most_used -= self._most_used.popitem(last=False)[1].size_bytes
        count_evictions(before - len(self._texts) - len(self._most_used))
