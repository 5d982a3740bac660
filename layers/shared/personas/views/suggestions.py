"""What get offers: the most used texts and links as of the last refresh, and texts that are searched for.

Where a group's objects lie arrives with its catalogue, by the change feed. An object never changes, so what is held
under its key is true, and only a new pointer costs a read of S3. Where S3 cannot be read, a form does without.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from personas.contract.views import TEXTS
from personas.domain.catalogue import Catalogue
from personas.domain.offers import Offers
from personas.domain.permissions import SUPERADMIN
from personas.domain.profile import Caller
from personas.domain.text import Text, TextKind, identified
from personas.errors import Unavailable
from personas.observability import logger, tell_evictions
from personas.runtime import Parallel, deadline
from personas.store.groups import Pointer
from personas.views.popular import Popular
from personas.views.text_usage import TextsView
from personas.views.view_objects import SnapshotStore, pointer_to, read_object

TEXTS_VIEW: Final = TEXTS.name
POPULAR_VIEW: Final = "personas_texts_top"
"""The texts view's companion; refresh does not tell it as a view of its own."""

MEMORY_SHARE: Final = 0.5
"""How much of the function's memory the objects may take."""

PATIENCE: Final = timedelta(seconds=5)
"""How long a form waits for what it offers besides; without it, it offers what is selected."""
PAUSE: Final = timedelta(seconds=30)
"""How long S3 is not asked again after it could not be read."""


class _Sized(Protocol):
    def size_bytes(self) -> int: ...


class _Held[T](NamedTuple):
    """What lies under a key, and about how much memory it takes."""

    key: str
    content: T
    size_bytes: int


class OfferViews:
    """The objects that this environment holds, by group. The least recently used go when they grow too large."""

    def __init__(self, snapshots: Callable[[], SnapshotStore], parallel: Parallel, budget_bytes: int) -> None:
        self._snapshots = snapshots
        self._parallel = parallel
        self._budget_bytes = budget_bytes
        self._not_before = 0.0
        self._popular: OrderedDict[str, _Held[Popular]] = OrderedDict()
        self._texts: OrderedDict[str, _Held[TextsView]] = OrderedDict()

    def current(self, catalogue: Catalogue, caller: Caller, searches: Mapping[TextKind, str]) -> Offers | None:
        """What there is for the caller; None before the group's first refresh, or where its objects cannot be read.

        ``searches``, by kind, are looked for in all texts of the group that the caller may see. A round only where an
        object is not held.
        """
        with deadline().within(PATIENCE):
            popular, texts = self._parallel.pair(
                lambda: self._object(self._popular, catalogue, POPULAR_VIEW, Popular.decode),
                lambda: self._object(self._texts, catalogue, TEXTS_VIEW, TextsView.decode) if searches else None,
            )
        self._evict()
        if popular is None:
            return None
        departments = None if caller.role == SUPERADMIN else caller.department_ids
        offers = popular.offers(departments, catalogue.text_secret)
        found: dict[TextKind, list[Text]] = {}
        for kind, search in searches.items():
            uses = texts.search(kind, search, departments) if texts is not None else []
            found[kind] = [identified(catalogue.text_secret, kind, use.entry) for use in uses]
        return Offers({**offers.texts, **found}, offers.most_used)

    def _object[T: _Sized](
        self, held: OrderedDict[str, _Held[T]], catalogue: Catalogue, view: str, decode: Callable[[memoryview], T]
    ) -> T | None:
        pointer = pointer_to(catalogue, view)
        if pointer is None:
            return None
        own = held.get(catalogue.group_id)
        if own is None or own.key != pointer.key:
            content = self._read(pointer, decode)
            if content is None:
                return None
            own = held[catalogue.group_id] = _Held(pointer.key, content, content.size_bytes())
        held.move_to_end(catalogue.group_id)
        return own.content

    def _read[T](self, pointer: Pointer, decode: Callable[[memoryview], T]) -> T | None:
        """What S3 has. After a failure it is left alone for a while, so that not every form waits for it."""
        if time.monotonic() < self._not_before:
            return None
        try:
            return read_object(self._snapshots(), pointer, decode)
        except Unavailable as error:
            self._not_before = time.monotonic() + PAUSE.total_seconds()
            logger.warning("a form offers only what is selected", extra={"key": pointer.key, "reason": str(error)})
            return None

    def _evict(self) -> None:
        """Whole views go first: a companion is asked for by every call."""
        total = sum(each.size_bytes for each in self._texts.values())
        total += sum(each.size_bytes for each in self._popular.values())
        held = len(self._texts) + len(self._popular)
        while total > self._budget_bytes and len(self._texts) > 1:
            total -= self._texts.popitem(last=False)[1].size_bytes
        while total > self._budget_bytes and len(self._popular) > 1:
            total -= self._popular.popitem(last=False)[1].size_bytes
        tell_evictions(held - len(self._texts) - len(self._popular))
