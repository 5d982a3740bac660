"""One pass of a refresh: the views of a group, made from the old ones and the change feed, or from the table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import batched
from typing import Final, NamedTuple

from personas.domain.catalogue import Pointer
from personas.domain.entries import Move
from personas.observability import logger
from personas.search.index import Index
from personas.search.object_format import SnapshotDamaged
from personas.search.snapshot_format import Base, Snapshot, encode
from personas.services import Services
from personas.store import keys
from personas.store.attributes import Item, each_readable
from personas.store.change_feed import DELETION_REMEMBERED, Change, change_in
from personas.store.groups import GroupRecord
from personas.store.load_personas import LOADED_AT_ONCE, load_personas
from personas.store.personas import stored_in
from personas.views import export_segments
from personas.views.export_segments import EXPORT_VIEW, Entry, Manifest
from personas.views.most_used import MostUsed
from personas.views.persona_feed import snapshot_since
from personas.views.search_views import SEARCH_VIEW, take_changes
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_usage import TextsView
from personas.views.view_objects import read_object

VIEWS: Final = (SEARCH_VIEW, TEXTS_VIEW, EXPORT_VIEW)
"""The views that a refresh makes, in the order of its answer. All are made in one pass and swapped in together."""
REBUILD_EVERY: Final = timedelta(days=7)
"""Views older than this are rebuilt from the table, which corrects whatever they missed."""
CLEAN_UP: Final = "text_clean_up"
"""The name in a group's record of the part of its text directory from which the clean-up goes on; None: it is done."""


class StoredTexts(NamedTuple):
    """A texts view as it was stored, with its companion: the bytes, and the most used entries in them."""

    view: TextsView
    companion: bytes
    most_used: MostUsed


@dataclass
class RefreshPass:
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
    older: StoredTexts | None = None
    """The texts view as it was stored."""
    moves: list[Move] | None = None
    """The personas whose entries have changed since the texts view was stored; None where it was made anew."""

    @property
    def is_weekly_rebuild(self) -> bool:
        """True where the views were too old to be carried on: the clean-up of the text directory begins again then."""
        return _are_too_old(self.record, self.started)

    def point(self, view: str, key: str) -> None:
        """Have the record pointed to the object of a view."""
        self.written.add(key)
        self.pointers[view] = Pointer(self.group_id, view, key, self.started, self.rebuilt_at)
        old = self.record.pointer(view)
        if old:
            self.replaced.add(old.key)


def follow_feed(
    services: Services, group_id: str, record: GroupRecord, started: datetime, manifest: Manifest | None
) -> RefreshPass | None:
    """Return new views from the old ones and the change feed; None if one of the old ones cannot serve any more."""
    pointer = record.pointer(SEARCH_VIEW)
    pointers = [record.pointer(view) for view in VIEWS]
    if pointer is None or manifest is None or None in pointers or _are_too_old(record, started):
        return None
    snapshot = services.search_views.snapshot(pointer)
    older = _read_texts(services, record)
    if snapshot is None or older is None:
        return None
    work = RefreshPass(services, group_id, record, started, pointer.rebuilt_at, older=older, moves=[])
    work.texts = older.view
    index = snapshot.index
    news = take_changes(index, services.persona_feed.changes(group_id, snapshot_since(pointer), index.seq_of))
    if news:
        try:
            # This fills the texts view, too: `_into_texts` takes each entry on its way to the export view.
            _write_export(work, manifest, _into_texts(work, _changed_personas(services, group_id, news)), len(news))
            _write_search(work, index, snapshot.base)
        except SnapshotDamaged as error:
            logger.warning("a view cannot be used", extra={"reason": str(error)})
            return None
        if work.moves:
            _write_texts(work)
    return work


def rebuild(services: Services, group_id: str, record: GroupRecord, started: datetime) -> RefreshPass:
    """Return new views from the table, which is read once for all of them."""
    work = RefreshPass(services, group_id, record, started, rebuilt_at=started)
    index = Index()
    work.texts = TextsView(group_id)
    # This fills the index and the texts view, too: they take each entry on its way to the export view.
    _write_export(work, Manifest(), _into_texts(work, _into_index(index, _all_items(services, group_id))), 0)
    _write_search(work, index)
    work.older = _read_texts(services, record)
    if work.older is not None:
        # Somebody may still send back the id of a text that has just gone out of use.
        work.texts.inherit(work.older.view, int(started.timestamp()))
    _write_texts(work)
    return work


def _are_too_old(record: GroupRecord, started: datetime) -> bool:
    """Tell whether a group's views are so old that they are rebuilt from the table."""
    pointer = record.pointer(SEARCH_VIEW)
    return pointer is not None and started - pointer.rebuilt_at > REBUILD_EVERY


def _all_items(services: Services, group_id: str) -> Iterator[Item]:
    """Yield all stored items of the group's personas, in the order of their ids, while there is time.

    Raises:
        ViewRebuilding: there is no time left.
    """
    for number, found in enumerate(services.personas.all(group_id)):
        if number % LOADED_AT_ONCE == 0:
            services.persona_feed.check_time()
        yield found


def _into_index(index: Index, found: Iterable[Item]) -> Iterator[Entry]:
    """Yield the personas that are read from the table, for the other views, and take all into the index on their way.

    The index takes of an item what it would take of the feed, so that a search finds the same whoever made its view.
    A new view of whole personas needs no tombstones: whoever follows the feed reads each persona from the table.
    """
    for item, change in each_readable(found, lambda item: (item, change_in(item))):
        take_changes(index, (change,))
        stored = next(each_readable((item,), stored_in), None)
        if stored and stored.persona:
            yield Entry(stored.persona.id, stored.seq, stored.persona)


def _changed_personas(services: Services, group_id: str, news: Sequence[Change]) -> Iterator[Entry]:
    """Yield the changed personas whole, as they stand now, in the order of their ids.

    Raises:
        ViewRebuilding: there is no time left.
    """
    for some in batched(sorted((keys.id_of(change.key), change.seq) for change in news), LOADED_AT_ONCE, strict=False):
        services.persona_feed.check_time()
        found = load_personas(services.personas, services.parallel, group_id, [persona_id for persona_id, _ in some])
        for persona_id, seq in some:
            stored = found.get(persona_id)
            # A tombstone that is gone by now still stands for its persona's end.
            yield Entry(persona_id, stored.seq, stored.persona) if stored else Entry(persona_id, seq, None)


# ---- The views ---------------------------------------------------------------------------------------------------


def _write_search(work: RefreshPass, index: Index, base: Base | None = None) -> None:
    index.forget_tombstones(int(work.started.timestamp()))
    content = encode(Snapshot(index, work.started.isoformat(), base=base))
    work.point(SEARCH_VIEW, work.services.view_objects.write(work.group_id, SEARCH_VIEW, work.started, content))


def _write_export(work: RefreshPass, old: Manifest, changes: Iterable[Entry], count: int) -> None:
    view_objects = work.services.view_objects
    store = partial(view_objects.write_parts, work.group_id, EXPORT_VIEW, work.started)
    manifest = export_segments.revise(old, changes, count, view_objects.read_range, store)
    work.written |= manifest.keys - old.keys
    work.replaced |= old.keys - manifest.keys
    content = export_segments.encode(manifest)
    work.point(EXPORT_VIEW, view_objects.write(work.group_id, EXPORT_VIEW, work.started, content))


def _into_texts(work: RefreshPass, entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield the entries for the export view, and take them into the texts view on their way."""
    forgotten = int((work.started + DELETION_REMEMBERED).timestamp())
    texts, moves = work.texts, work.moves
    for entry in entries:
        move = texts.upsert(entry.persona) if entry.persona else texts.delete(entry.id, entry.seq, forgotten)
        if moves is not None and move and move[0] != move[1]:
            moves.append(move)
        yield entry


def _write_texts(work: RefreshPass) -> None:
    """Write the texts view, and its companion if the suggestions have changed."""
    services, group_id = work.services, work.group_id
    work.texts.settle(int(work.started.timestamp()))
    links = services.catalogues.current(group_id).parameter_fields
    parameter_of = {each.id: each.parameter_id for each in links.values()}
    if work.older is None or work.moves is None:
        most_used = MostUsed.of(work.texts, parameter_of)
    else:
        most_used = work.older.most_used.revised(work.texts, parameter_of, work.moves)
    work.texts.completeness = most_used.completeness
    key = services.view_objects.write(group_id, TEXTS_VIEW, work.started, work.texts.encode())
    work.point(TEXTS_VIEW, key)
    content = most_used.encode()
    if work.older is None or work.older.companion != content:
        work.point(MOST_USED_VIEW, services.view_objects.write(group_id, MOST_USED_VIEW, work.started, content))


def _read_texts(services: Services, record: GroupRecord) -> StoredTexts | None:
    """Return the texts view with its companion, or None if one of them cannot be used."""
    pointer, companion = record.pointer(TEXTS_VIEW), record.pointer(MOST_USED_VIEW)
    if not pointer or not companion:
        return None
    found = read_object(services.view_objects, companion, lambda content: (bytes(content), MostUsed.decode(content)))
    decode = partial(TextsView.decode, is_carried_on=True)
    view = read_object(services.view_objects, pointer, decode)
    return StoredTexts(view, *found) if found and view is not None else None


def read_manifest(services: Services, record: GroupRecord) -> Manifest | None:
    """Return the manifest of the export view, or None if there is none that can be used with all of its segments."""
    pointer = record.pointer(EXPORT_VIEW)
    manifest = read_object(services.view_objects, pointer, export_segments.decode) if pointer else None
    if manifest is None:
        return None
    lengths = services.parallel.run([partial(services.view_objects.length, each.key) for each in manifest.segments])
    if lengths != [each.length for each in manifest.segments]:
        logger.warning("the export view lacks a segment", extra={"key": pointer and pointer.key})
        return None
    return manifest
