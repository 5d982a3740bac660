"""refresh: bring a group's views up to date, and say which."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Final
from uuid import uuid4

from personas.contract.refresh import PersonaRefreshResponse
from personas.domain.catalogue import SNAPSHOTS
from personas.errors import Unavailable, Unreadable, ViewRebuilding
from personas.observability import logger, record_refresh_age
from personas.operations.maintenance import clean_texts, left_behind
from personas.runtime import FEED_WINDOW
from personas.search.index import Index
from personas.search.object_format import SnapshotDamaged
from personas.search.snapshot_format import Base, Snapshot, encode
from personas.services import Services
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.attributes import Item, Value
from personas.store.change_feed import Change, change_in
from personas.store.decoding import each_readable, mapping_or_empty
from personas.store.groups import MARK_PAUSE, GroupRecord, Pointer
from personas.store.load_personas import LOADED_AT_ONCE, load_personas
from personas.store.personas import TOMBSTONE_LIFE, stored_in
from personas.views import export_segments
from personas.views.export_segments import EXPORT_VIEW, Entry, Manifest
from personas.views.most_used import MostUsed
from personas.views.persona_feed import snapshot_since
from personas.views.search_views import SEARCH_VIEW, apply
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_usage import TextsView
from personas.views.view_objects import read_object

VIEWS: Final = (SEARCH_VIEW, TEXTS_VIEW, EXPORT_VIEW)
"""The views that a refresh makes, in the order of its answer. All are made in one pass and swapped in together."""
REBUILD_EVERY: Final = timedelta(days=7)
"""Views older than this are rebuilt from the table, which corrects whatever they missed."""
CLEAN_UP: Final = "text_clean_up"
"""The name in a group's record of the part of its text directory from which the clean-up goes on; None: it is done."""
TIME_FOR_A_GROUP: Final = timedelta(seconds=60)
"""With less than this left, a queued group is left to the next invocation."""


@dataclass
class _Pass:
    """One refresh of a group, up to the moment when the group's record is pointed to what it has written."""

    services: Services
    group_id: str
    record: GroupRecord
    started: datetime
    rebuilt_at: datetime
    pointers: dict[str, Pointer] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    """Objects that nobody needs if the pointers are not swapped."""
    replaced: set[str] = field(default_factory=set)
    """Objects that nobody needs once they are."""
    texts: TextsView = field(init=False)

    @property
    def upkeep(self) -> dict[str, Value]:
        """The record's state of the clean-up of the text directory once the weekly rebuild is pointed to."""
        pointer = self.record.pointer(SEARCH_VIEW)
        return {CLEAN_UP: 0} if pointer and self.started - pointer.rebuilt_at > REBUILD_EVERY else {}

    def point(self, view: str, key: str) -> None:
        """Have the record pointed to the object of a view."""
        self.written.add(key)
        self.pointers[view] = Pointer(self.group_id, view, key, self.started, self.rebuilt_at)
        old = self.record.pointer(view)
        if old:
            self.replaced.add(old.key)


def refresh_requested(services: Services, group_id: str) -> list[str]:
    """Bring the views of a caller's group up to date; the names of those that changed.

    Raises:
        ViewRebuilding: it takes longer than a request may; the group is queued.
        Unavailable: the store cannot be read or written now.
    """
    try:
        return refresh_group(services, group_id)
    except ViewRebuilding:
        services.refresh_queue.send([group_id])
        raise


def refresh_group(services: Services, group_id: str) -> list[str]:
    """Bring the group's views up to the moment of the call; the names of those that changed.

    The new snapshots are written whole, then the group's record is pointed to them under a condition, all at once.
    Two refreshes at once both read what is there; one of them points first, and the other lets its snapshots go. One
    that dies leaves the old views, or the new ones, and objects that nobody points to.

    Raises:
        ViewRebuilding: there is more to read than can be read in time.
        Unavailable: the store cannot be read or written now.
    """
    record = services.groups.read(group_id)
    # Behind the first answer, by which a new environment knows the time.
    started = services.now()
    manifest = _manifest(services, record)
    work = _followed(services, group_id, record, started, manifest) or _rebuilt(services, group_id, record, started)
    if work.pointers:
        if not _point(work):
            _supersede(services, work.written)
            return []
        if manifest and work.rebuilt_at == started:
            work.replaced |= manifest.keys
        _supersede(services, work.replaced)
    try:
        # A write marks its group before it takes effect, and an environment that has just marked does not mark again.
        services.groups.unmark(group_id, started - MARK_PAUSE - FEED_WINDOW)
    except Unavailable:
        # The views are up to date all the same. The mark only has the schedule look once more.
        logger.warning("a group stays marked", extra={"group": group_id})
    _keep_up(work)
    return [view for view in (*VIEWS, MOST_USED_VIEW) if view in work.pointers]


def refresh_queued(services: Services, group_id: str) -> None:
    """Bring the views of a group up to date that the queue names.

    Raises:
        Unavailable: no time is left to begin it, or the store cannot be read or written now; it stays on the queue.
    """
    left = services.deadline.left()
    if left is not None and left < TIME_FOR_A_GROUP:
        raise Unavailable("No time is left to begin this group.")
    refresh_group(services, group_id)


def queue_marked(services: Services) -> int:
    """Leave a message for every group that has changed since its last refresh; how many."""
    waiting = services.groups.marked()
    # A mark of another environment's clock may lie ahead of this one's.
    record_refresh_age(max(services.now() - waiting[0].since, timedelta()) if waiting else timedelta())
    return services.refresh_queue.send(group.group_id for group in waiting)


def refresh_answer(refreshed: list[str]) -> PersonaRefreshResponse:
    """Return the answer of a refresh: a new pointer makes every warm reader of the group look again."""
    views: list[str] = [view for view in VIEWS if view in refreshed]
    tags = {"personas": bool(views), "library": MOST_USED_VIEW in refreshed}
    return PersonaRefreshResponse(
        success=True, refreshed_views=views, invalidated_tags=[tag for tag, dropped in tags.items() if dropped]
    )


# ---- One pass ----------------------------------------------------------------------------------------------------


def _followed(
    services: Services, group_id: str, record: GroupRecord, started: datetime, manifest: Manifest | None
) -> _Pass | None:
    """Return new views from the old ones and the change feed; None if one of the old ones cannot serve any more."""
    pointer = record.pointer(SEARCH_VIEW)
    pointers = [record.pointer(view) for view in VIEWS]
    if pointer is None or manifest is None or None in pointers or started - pointer.rebuilt_at > REBUILD_EVERY:
        return None
    snapshot = services.persona_views.snapshot(pointer)
    texts = _texts(services, record)
    if snapshot is None or texts is None:
        return None
    work = _Pass(services, group_id, record, started, pointer.rebuilt_at)
    work.texts = texts
    index = snapshot.index
    news = apply(index, services.persona_feed.changes(group_id, snapshot_since(pointer)))
    if news:
        try:
            _refresh_export(work, manifest, _noted(work, _whole(services, group_id, news)), len(news))
        except SnapshotDamaged as error:
            logger.warning("the export view cannot be used", extra={"group": group_id, "reason": str(error)})
            return None
        _refresh_search(work, index, snapshot.base)
        if texts.changed:
            _refresh_texts(work)
    return work


def _rebuilt(services: Services, group_id: str, record: GroupRecord, started: datetime) -> _Pass:
    """Return new views from the table, which is read once for all of them."""
    work = _Pass(services, group_id, record, started, rebuilt_at=started)
    index = Index()
    work.texts = TextsView(group_id)
    _refresh_export(work, Manifest(), _noted(work, _taken(index, _all(services, group_id))), 0)
    _refresh_search(work, index)
    older = _texts(services, record)
    if older is not None:
        # Somebody may still send back the id of a text that has just gone out of use.
        work.texts.inherit(older, int(started.timestamp()))
    _refresh_texts(work)
    return work


def _all(services: Services, group_id: str) -> Iterator[Item]:
    """Yield all stored items of the group's personas, in the order of their ids, while there is time.

    Raises:
        ViewRebuilding: there is no time left.
    """
    for number, found in enumerate(services.personas.all(group_id)):
        if number % LOADED_AT_ONCE == 0:
            _check_time(services)
        yield found


def _taken(index: Index, found: Iterable[Item]) -> Iterator[Entry]:
    """Yield what is read from the table, for the export view, and take it into the index on its way.

    The index takes of an item what it would take of the feed, so that a search finds the same whoever made its view.
    """
    for item, change in each_readable(found, lambda item: (item, change_in(item))):
        apply(index, (change,))
        stored = next(each_readable((item,), stored_in), None)
        yield Entry(keys.id_of(change.key), change.seq, stored.persona if stored else None)


def _whole(services: Services, group_id: str, news: Sequence[Change]) -> Iterator[Entry]:
    """Yield the changed personas whole, as they stand now, in the order of their ids.

    Raises:
        ViewRebuilding: there is no time left.
    """
    for some in batched(sorted((keys.id_of(change.key), change.seq) for change in news), LOADED_AT_ONCE, strict=False):
        _check_time(services)
        found = load_personas(services.personas, services.parallel, group_id, [persona_id for persona_id, _ in some])
        for persona_id, seq in some:
            stored = found.get(persona_id)
            # A tombstone that is gone by now still stands for its persona's end.
            yield Entry(persona_id, stored.seq, stored.persona) if stored else Entry(persona_id, seq, None)


def _check_time(services: Services) -> None:
    if not services.deadline.has_time_for_another_item():
        raise ViewRebuilding


# ---- The views ---------------------------------------------------------------------------------------------------


def _refresh_search(work: _Pass, index: Index, base: Base | None = None) -> None:
    index.forget_tombstones(int(work.started.timestamp()))
    content = encode(Snapshot(index, work.started.isoformat(), base=base))
    work.point(SEARCH_VIEW, work.services.snapshots.write(work.group_id, SEARCH_VIEW, work.started, content))


def _refresh_export(work: _Pass, old: Manifest, changes: Iterable[Entry], count: int) -> None:
    snapshots = work.services.snapshots
    store = partial(snapshots.write_parts, work.group_id, EXPORT_VIEW, work.started)
    manifest = export_segments.revise(old, changes, count, snapshots.read_range, store)
    work.written |= manifest.keys - old.keys
    work.replaced |= old.keys - manifest.keys
    work.point(EXPORT_VIEW, snapshots.write(work.group_id, EXPORT_VIEW, work.started, export_segments.encode(manifest)))


def _noted(work: _Pass, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the entries for the export view, and take them into the texts view on their way."""
    forgotten = int((work.started + TOMBSTONE_LIFE).timestamp())
    for entry in entries:
        if entry.persona is None:
            work.texts.delete(entry.id, entry.seq, forgotten)
        else:
            work.texts.upsert(entry.persona)
        yield entry


def _refresh_texts(work: _Pass) -> None:
    """Write the texts view, and its companion if the suggestions have changed."""
    services, group_id = work.services, work.group_id
    work.texts.settle(int(work.started.timestamp()))
    key = services.snapshots.write(group_id, TEXTS_VIEW, work.started, work.texts.encode())
    work.point(TEXTS_VIEW, key)
    links = services.catalogues.current(group_id).parameter_fields
    content = MostUsed.of(work.texts, {each.id: each.parameter_id for each in links.values()}).encode()
    old = work.record.pointer(MOST_USED_VIEW)
    if old is None or read_object(services.snapshots, old, bytes) != content:
        work.point(MOST_USED_VIEW, services.snapshots.write(group_id, MOST_USED_VIEW, work.started, content))


def _texts(services: Services, record: GroupRecord) -> TextsView | None:
    """Return the texts view, or None if it or its companion cannot be used."""
    pointer, companion = record.pointer(TEXTS_VIEW), record.pointer(MOST_USED_VIEW)
    if not pointer or not companion or not read_object(services.snapshots, companion, MostUsed.decode):
        return None
    return read_object(services.snapshots, pointer, TextsView.decode)


def _manifest(services: Services, record: GroupRecord) -> Manifest | None:
    """Return the manifest of the export view, or None if there is none that can be used with all of its segments."""
    pointer = record.pointer(EXPORT_VIEW)
    manifest = read_object(services.snapshots, pointer, export_segments.decode) if pointer else None
    if manifest is None:
        return None
    lengths = services.parallel.run([partial(services.snapshots.length, each.key) for each in manifest.segments])
    if lengths != [each.length for each in manifest.segments]:
        logger.warning("the export view lacks a segment", extra={"key": pointer and pointer.key})
        return None
    return manifest


# ---- The swap ----------------------------------------------------------------------------------------------------


def _point(work: _Pass) -> bool:
    """Point the group's record to the new snapshots, unless another refresh has pointed it elsewhere."""
    old = mapping_or_empty(work.record.row, SNAPSHOTS)
    new = {**old, **{view: pointer.as_value() for view, pointer in work.pointers.items()}}

    def decide(record: GroupRecord) -> Mapping[str, Value] | None:
        unchanged = mapping_or_empty(record.row, SNAPSHOTS) == old
        return {SNAPSHOTS: new, **work.upkeep} if unchanged else None

    try:
        return work.services.groups.change(work.group_id, work.record, decide, uuid4().hex[:16])
    except ConditionFailed as error:
        raise Unavailable("The group's record was written all the time. Try again shortly.") from error


def _supersede(services: Services, unneeded: Iterable[str]) -> None:
    """Say of objects that nobody needs them any more. Those for which it fails are found by the weekly clean-up."""

    def supersede(key: str) -> None:
        try:
            services.snapshots.supersede(key)
        except Unavailable:
            logger.warning("an object stays behind", extra={"key": key})

    services.parallel.run([partial(supersede, key) for key in sorted(unneeded)])


# ---- Upkeep ------------------------------------------------------------------------------------------------------


def _keep_up(work: _Pass) -> None:
    """Find, after the weekly rebuild, what nobody needs, in S3 and in the text directory.

    The views are up to date with or without it, so a failure is left to the next one.
    """
    services, group_id = work.services, work.group_id
    first = work.upkeep.get(CLEAN_UP, work.record.row.get(CLEAN_UP))
    if not isinstance(first, int):
        return
    try:
        if work.upkeep:
            pointed = (work.pointers.get(view) or work.record.pointer(view) for view in (*VIEWS, MOST_USED_VIEW))
            needed = {*work.written, *(pointer.key for pointer in pointed if pointer)}
            _supersede(services, left_behind(services, group_id, needed, work.started))
        following = clean_texts(services, group_id, work.texts, first)
        services.groups.swap(group_id, services.groups.read(group_id), {CLEAN_UP: following}, uuid4().hex[:16])
        if following is not None:
            services.refresh_queue.send([group_id])
    except (Unavailable, ConditionFailed, Unreadable) as error:
        logger.warning("the upkeep of a group is not done", extra={"group": group_id, "reason": str(error)})
