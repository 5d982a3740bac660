"""refresh: bring a group's views up to date, and say which."""

from datetime import timedelta
from typing import Final
from uuid import uuid4

from personas.contract.refresh import PersonaRefreshResponse
from personas.domain.catalogue import SNAPSHOTS
from personas.errors import Unavailable
from personas.runtime import FEED_WINDOW
from personas.services import Services
from personas.store.groups import MARK_PAUSE, GroupRecord, Pointer
from personas.store.table import LostRace, mapping
from personas.view.codec import Snapshot, encode
from personas.view.index import Index
from personas.view.personas import SEARCH_VIEW, apply, snapshot_since

REBUILD_EVERY: Final = timedelta(days=7)
"""Views older than this are made of the table anew, so that whatever they missed heals."""
TIME_FOR_A_GROUP: Final = timedelta(seconds=60)
"""With less than this left, a queued group is left to the next invocation."""


def refresh_group(services: Services, group_id: str) -> list[str]:
    """Bring the group's views up to the moment of the call; the names of those that changed.

    The new snapshots are written whole, then the group's record is pointed to them under a condition, all at once.
    Two refreshes at once both read what is there; one of them points first, and the other lets its snapshots go. One
    that dies leaves the old views, or the new ones, and objects that nobody points to.

    Raises:
        Unavailable: the store cannot be read or written now.
    """
    started = services.table.now()
    record = services.groups.read(group_id)
    pointer = record.pointer(SEARCH_VIEW)
    due = pointer is None or started - pointer.rebuilt_at > REBUILD_EVERY
    snapshot = None if pointer is None or due else services.persona_views.snapshot(group_id, pointer)
    index = snapshot.index if snapshot else Index()
    since = snapshot_since(pointer) if pointer and snapshot else None
    news = apply(index, services.persona_views.changes(group_id, since))

    refreshed: list[str] = []
    if snapshot is None or news:
        index.forget_tombstones(int(started.timestamp()))
        content = encode(Snapshot(index, started.isoformat()))
        key = services.snapshots.write(group_id, SEARCH_VIEW, started, content)
        rebuilt_at = pointer.rebuilt_at if pointer and snapshot else started
        if not _point(services, group_id, record, {SEARCH_VIEW: Pointer(key, started, rebuilt_at)}):
            services.snapshots.supersede(key)
            return []
        if pointer:
            services.snapshots.supersede(pointer.key)
        refreshed.append(SEARCH_VIEW)
    # A write marks its group before it takes effect, and an environment that has just marked does not mark again.
    services.groups.unmark(group_id, started - MARK_PAUSE - FEED_WINDOW)
    return refreshed


def refresh_queued(services: Services, group_id: str) -> None:
    """Bring the views of a group up to date that the queue names.

    Raises:
        Unavailable: no time is left to begin it, or the store cannot be read or written now; it stays on the queue.
    """
    left = services.table.deadline.left()
    if left is not None and left < TIME_FOR_A_GROUP:
        raise Unavailable("No time is left to begin this group.")
    refresh_group(services, group_id)


def queue_marked(services: Services) -> int:
    """Leave a message for every group that has changed since its last refresh; how many."""
    return services.refresh_queue.send(services.groups.marked())


def refresh_answer(refreshed: list[str]) -> PersonaRefreshResponse:
    """What a refresh did, in the contract's words: a new pointer makes every warm reader of the group look again."""
    return PersonaRefreshResponse(
        success=True, refreshed_views=refreshed, invalidated_tags=["personas"] if refreshed else []
    )


def _point(services: Services, group_id: str, record: GroupRecord, new: dict[str, Pointer]) -> bool:
    """Point the group's record to the new snapshots, unless another refresh has pointed it elsewhere."""
    write_id = uuid4().hex[:16]
    old = {view: record.pointer(view) for view in new}
    while True:
        snapshots = {**mapping(record.row, SNAPSHOTS), **{view: pointer.as_value() for view, pointer in new.items()}}
        try:
            services.groups.swap(group_id, record, {SNAPSHOTS: snapshots}, write_id)
        except LostRace:
            record = services.groups.read(group_id)
            if {view: record.pointer(view) for view in new} != old:
                return False
        else:
            return True
