"""Tests of the feed rule, by the cache of the catalogue.

Commits that arrive late, in another order than their stamps, by writers whose clocks are wrong, hide nothing from a
warm reader; and no entry ever goes back.

The table is simulated, since nobody can choose the time of a commit in a real one. It does the same as a local index of
DynamoDB: a query returns the items as they stand, in the order of their stamps, page by page, and others commit
meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personas.errors import Unavailable
from personas.runtime import CLOCK_SKEW, CONNECT_TIMEOUT, FEED_WINDOW, LATE_COMMIT, READ_TIMEOUT
from personas.store import keys
from personas.store.attributes import Value
from personas.store.change_feed import Change, SeqOf
from personas.store.table import Table
from personas.views.catalogues import CatalogueCache

GROUP: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e01"
PAGE: Final = 1
PAGE_TIME: Final = timedelta(seconds=0.5)
LONGEST_TO_COMMIT: Final = CONNECT_TIMEOUT + READ_TIMEOUT + LATE_COMMIT
"""From the stamp of an attempt to the last moment at which it can still take effect."""


def color_at(seq: int) -> dict[str, Value]:
    """Return the row of a color that contains its seq."""
    return {"name": "Teal", "hex_code": "#16818A", "description": None, "seq": seq}


class Entry(NamedTuple):
    """An item of the catalogue as it stands in the simulated table."""

    id: str
    seq: int
    stamp: str
    deleted: bool
    committed_at: datetime


class Commit(NamedTuple):
    """A write that takes effect now. It was stamped ``age`` ago by a clock that is ``skew`` ahead of the true one.

    A writer has read what it writes over before it stamps, so a stamp is no older than the previous commit of its item.
    """

    entry: int
    age: timedelta
    skew: timedelta
    deletes: bool


class Read(NamedTuple):
    """A reader asks. ``meanwhile`` commits between its pages; it may fail after a page."""

    reader: int
    meanwhile: list[Commit]
    fails: bool


class Pause(NamedTuple):
    """A time in which nothing happens."""

    time: timedelta


@dataclass
class Feed:
    """A table with a catalogue in it. ``true_time`` is what the best of clocks would say."""

    true_time: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    entries: dict[str, Entry] = field(default_factory=dict)
    history: dict[tuple[str, int], bool] = field(default_factory=dict)
    """True for each seq of an entry at which it was deleted."""
    moved_back: set[str] = field(default_factory=set)
    """The entries whose last stamp is older than the one before it: of two writers, the later has a slow clock."""

    def commit(self, commit: Commit) -> None:
        entry_id = str(commit.entry)
        before = self.entries.get(entry_id)
        seq = before.seq + 1 if before else 1
        stamped_at = self.true_time - commit.age
        if before:
            stamped_at = max(stamped_at, before.committed_at)
        stamp = keys.stamp(keys.RESOURCE_CHANGES, stamped_at + commit.skew)
        if before and stamp < before.stamp:
            self.moved_back.add(entry_id)
        self.entries[entry_id] = Entry(entry_id, seq, stamp, commit.deletes, self.true_time)
        self.history[entry_id, seq] = commit.deletes

    def page(self, first: str, last: str, after: tuple[str, str]) -> list[Entry]:
        """Return the next few entries of a range, as they stand at this moment."""
        found = sorted(
            (
                entry
                for entry in self.entries.values()
                if first <= entry.stamp <= last and (entry.stamp, entry.id) > after
            ),
            key=lambda entry: (entry.stamp, entry.id),
        )
        return found[:PAGE]

    def state(self) -> dict[str, int]:
        """Return the seq of every entry."""
        return {entry.id: entry.seq for entry in self.entries.values()}


class Reader:
    """A warm environment: a catalogue view over the feed, with a clock of its own."""

    def __init__(self, feed: Feed, skew: timedelta) -> None:
        self._feed = feed
        self._skew = skew
        self._meanwhile: list[Commit] = []
        self._fails = False
        self._view = CatalogueCache(cast("Table", self))
        self.pages = 0

    def read(self, meanwhile: list[Commit], *, fails: bool = False) -> None:
        """Bring the view up to date.

        Raises:
            Unavailable: ``fails``.
        """
        self._meanwhile, self._fails = list(meanwhile), fails
        self._view.current(GROUP)

    def seen(self) -> dict[str, int]:
        """Return the seq of every entry that the view shows, as its row says."""
        catalogue = self._view.cached(GROUP)
        rows = catalogue.rows("colors") if catalogue else {}
        return {entry_id: cast("int", row["seq"]) for entry_id, row in rows.items()}

    # ---- What the view asks of a table -------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self._feed.true_time + self._skew

    def changes(self, partition: str, prefix: str, since: datetime | None, seq_of: SeqOf) -> Iterator[Change]:
        assert (partition, prefix) == (keys.group_partition(GROUP), keys.RESOURCE_CHANGES)
        first, last = keys.range_of(prefix, since)
        position = ("", "")
        while page := self._feed.page(first, last, position):
            self.pages += 1
            self._feed.true_time += PAGE_TIME
            for entry in page:
                row: dict[str, Value] = {} if entry.deleted else color_at(entry.seq)
                yield Change(keys.resource(GROUP, "colors", entry.id).sk, entry.seq, row, entry.deleted, 1, 0)
                position = (entry.stamp, entry.id)
            if self._fails:
                raise Unavailable("made up by a test")
            if self._meanwhile:
                self._feed.commit(self._meanwhile.pop(0))
        if self._fails:
            raise Unavailable("made up by a test")
        while self._meanwhile:
            self._feed.commit(self._meanwhile.pop(0))


def seconds(most: timedelta) -> st.SearchStrategy[timedelta]:
    """Draw a time of up to ``most``; the extremes come often, since mistakes are likely there."""
    return st.sampled_from((timedelta(0), most)) | st.timedeltas(timedelta(0), most)


# CLOCK_SKEW is how far two clocks may lie apart, so each may be half of it off the true time.
skews = st.sampled_from((-CLOCK_SKEW / 2, CLOCK_SKEW / 2)) | st.timedeltas(-CLOCK_SKEW / 2, CLOCK_SKEW / 2)
commits = st.builds(Commit, st.integers(0, 5), seconds(LONGEST_TO_COMMIT), skews, st.sampled_from((False, False, True)))
reads = st.builds(Read, st.integers(0, 1), st.lists(commits, max_size=3), st.sampled_from((False, False, False, True)))
pauses = st.builds(Pause, seconds(timedelta(seconds=30)) | seconds(timedelta(milliseconds=1)))


@settings(max_examples=1_000)
@given(
    offsets=st.tuples(skews, skews), happenings=st.lists(st.one_of(commits, commits, reads, reads, pauses), max_size=40)
)
def test_nothing_stays_hidden_and_nothing_goes_back(
    offsets: tuple[timedelta, timedelta], happenings: list[Commit | Read | Pause]
) -> None:
    feed = Feed()
    readers = [Reader(feed, offset) for offset in offsets]
    for happening in happenings:
        match happening:
            case Commit():
                feed.commit(happening)
            case Pause():
                feed.true_time += happening.time
            case Read(number, meanwhile, fails):
                reader = readers[number]
                before, at_start = reader.seen(), feed.state()
                feed.moved_back.clear()
                if fails:
                    with pytest.raises(Unavailable):
                        reader.read(meanwhile, fails=True)
                    assert reader.seen() == before
                    continue
                reader.read(meanwhile)
                shows_all_of(feed, at_start, reader.seen())
                goes_not_back(before, reader.seen())
    # Then, when all is quiet, every reader shows exactly what is there.
    for reader in readers:
        reader.read([])
        assert reader.seen() == {entry.id: entry.seq for entry in feed.entries.values() if not entry.deleted}


def shows_all_of(feed: Feed, at_start: dict[str, int], seen: dict[str, int]) -> None:
    """Check that the reader shows every entry that existed at the start of the read, or a newer state of it.

    No reader of pages can avoid one exception: an entry that moves back while the pages are read may move from a page
    that is still to come to one that is past. The next read asks for it again, and must show it.
    """
    for entry_id in at_start.keys() - feed.moved_back:
        newest = feed.entries[entry_id].seq
        possible = {None if feed.history[entry_id, each] else each for each in range(at_start[entry_id], newest + 1)}
        assert seen.get(entry_id) in possible


def goes_not_back(before: dict[str, int], after: dict[str, int]) -> None:
    for entry_id in before.keys() & after.keys():
        assert after[entry_id] >= before[entry_id]


class TestTheWindow:
    """Tests that a warm reader asks just far enough back."""

    def test_covers_the_longest_time_to_commit_and_two_clocks_apart(self) -> None:
        assert FEED_WINDOW >= LONGEST_TO_COMMIT + CLOCK_SKEW

    @pytest.fixture
    def warm(self) -> tuple[Feed, Reader]:
        """Provide a reader whose clock is as far ahead as permitted, and which has just read."""
        feed = Feed()
        reader = Reader(feed, CLOCK_SKEW / 2)
        reader.read([])
        return feed, reader

    def test_the_latest_commit_of_the_slowest_clock_is_seen(self, warm: tuple[Feed, Reader]) -> None:
        feed, reader = warm
        feed.commit(Commit(0, LONGEST_TO_COMMIT, -CLOCK_SKEW / 2, deletes=False))
        reader.read([])
        assert reader.seen() == {"0": 1}

    def test_is_needed(self, warm: tuple[Feed, Reader]) -> None:
        """The proof above would notice: what is stamped before the window is not seen."""
        feed, reader = warm
        too_late = LONGEST_TO_COMMIT + timedelta(milliseconds=1)
        feed.commit(Commit(0, too_late, -CLOCK_SKEW / 2, deletes=False))
        reader.read([])
        assert reader.seen() == {}

    def test_is_all_that_a_warm_reader_asks_for(self, warm: tuple[Feed, Reader]) -> None:
        feed, reader = warm
        for number in range(10):
            feed.commit(Commit(number, timedelta(0), timedelta(0), deletes=False))
        reader.read([])
        feed.true_time += FEED_WINDOW + CLOCK_SKEW
        reader.read([])
        reader.pages = 0
        reader.read([])
        assert (reader.pages, len(reader.seen())) == (0, 10)

    @pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=-1)], ids=["fast", "frozen"])
    def test_no_writer_moves_the_mark_by_its_stamp(self, warm: tuple[Feed, Reader], ahead: timedelta) -> None:
        feed, reader = warm
        feed.commit(Commit(0, timedelta(0), ahead, deletes=False))
        reader.read([])
        feed.true_time += timedelta(seconds=1)
        feed.commit(Commit(1, timedelta(0), timedelta(0), deletes=False))
        reader.read([])
        assert reader.seen()["1"] == 1

    def test_a_clock_that_is_set_back_during_a_read_does_not_move_the_mark_ahead(self) -> None:
        # Given a reader whose clock is an hour fast until it is corrected, while it reads
        class Corrected(Reader):
            def changes(self, partition: str, prefix: str, since: datetime | None, seq_of: SeqOf) -> Iterator[Change]:
                yield from super().changes(partition, prefix, since, seq_of)
                self._skew = timedelta(0)

        feed = Feed()
        reader = Corrected(feed, timedelta(hours=1))
        reader.read([])
        # When somebody writes then
        feed.commit(Commit(0, timedelta(0), timedelta(0), deletes=False))
        reader.read([])
        # Then the reader sees it
        assert reader.seen() == {"0": 1}

    def test_a_read_that_failed_does_not_move_the_mark(self, warm: tuple[Feed, Reader]) -> None:
        feed, reader = warm
        feed.commit(Commit(0, timedelta(0), timedelta(0), deletes=False))
        feed.true_time += timedelta(minutes=1)
        with pytest.raises(Unavailable):
            reader.read([], fails=True)
        feed.true_time += timedelta(minutes=1)
        reader.read([])
        assert reader.seen() == {"0": 1}


class TestWhatIsHandedOut:
    def test_a_catalogue_never_changes(self) -> None:
        feed = Feed()
        feed.commit(Commit(0, timedelta(0), timedelta(0), deletes=False))
        reader = Reader(feed, timedelta(0))
        first = reader._view.current(GROUP)
        feed.commit(Commit(0, timedelta(0), timedelta(0), deletes=False))
        feed.commit(Commit(1, timedelta(0), timedelta(0), deletes=False))
        second = reader._view.current(GROUP)
        assert {entry_id: row["seq"] for entry_id, row in first.rows("colors").items()} == {"0": 1}
        assert {entry_id: row["seq"] for entry_id, row in second.rows("colors").items()} == {"0": 2, "1": 1}

    def test_it_stays_the_same_object_while_nothing_changes(self) -> None:
        feed = Feed()
        feed.commit(Commit(0, timedelta(0), timedelta(0), deletes=False))
        reader = Reader(feed, timedelta(0))
        assert reader._view.current(GROUP) is reader._view.current(GROUP)

    def test_nothing_is_held_of_a_group_that_was_never_read(self) -> None:
        assert CatalogueCache(cast("Table", None)).cached(GROUP) is None

    def test_the_groups_that_were_not_asked_for_the_longest_are_dropped(self) -> None:
        view = CatalogueCache(cast("Table", Told()))
        for number in (*range(64), 0, 64):
            view.current(f"group {number}")
        assert view.cached("group 1") is None
        assert view.cached("group 0") is not None
        assert view.cached("group 2") is not None
        assert view.cached("group 64") is not None


@dataclass
class Told:
    """A table whose feed says what a test wants, one list of changes a read; then nothing."""

    reads: list[list[Change]] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime(2026, 11, 24, 12, tzinfo=UTC)

    def changes(self, partition: str, prefix: str, since: datetime | None, seq_of: SeqOf) -> Iterator[Change]:
        yield from self.reads.pop(0) if self.reads else ()


told_changes = st.builds(
    lambda entry, seq: Change(keys.resource(GROUP, "colors", entry).sk, seq, color_at(seq), seq % 4 == 0, 1, 0),
    st.sampled_from("abc"),
    st.integers(1, 9),
)


@given(st.lists(st.lists(told_changes, max_size=6), max_size=4))
def test_only_a_higher_seq_is_taken_in_whatever_order_and_however_often_changes_come(reads: list[list[Change]]) -> None:
    view = CatalogueCache(cast("Table", Told(list(reads))))
    highest: dict[str, Change] = {}
    for changes in reads:
        for change in changes:
            if change.key not in highest or change.seq > highest[change.key].seq:
                highest[change.key] = change
        rows = view.current(GROUP).rows("colors")
        assert {entry_id: row["seq"] for entry_id, row in rows.items()} == {
            keys.id_of(key): change.seq for key, change in highest.items() if not change.deleted
        }
