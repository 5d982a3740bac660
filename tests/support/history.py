"""A checker of histories: compares what concurrent clients were answered with what one item can have been.

Every persona and every draft is a register with versions: each write that takes effect makes the next version, and its
answer contains that version. That makes linearizability cheap to decide, which for a plain register it is not. The
versions give the one order in which the writes can have taken effect, and a read belongs right behind the write whose
contents it shows. So a history of an item is linearizable exactly if that one order is also possible in time:
**nothing that ended before something else began comes after it**. Sorting decides it, in n log n for n events.

Two kinds of events do not tell their version. A successful delete does not: its version is one that no other write
received, and that a create follows, or the last. And an answer that says no more than "there is none" or "there is
one" fits several versions. Each gets the version that leaves most room to all others: the deletes by earliest end among
those that fit in time (their candidates are intervals, for which that is optimal), the reads the lowest version that
nothing before them has passed.

Besides, these must hold: each version is made by one write; a write that expected a version made the next one; a create
stands where nothing was, an update where something was; and contents add up, field by field: a version holds what its
own write set and, in the field that it left alone, what the version before held. An update that is lost shows there. A
write that was merged over later versions has changed no field that one of them had changed.

Times are of one clock that all clients share, in nanoseconds. No name and no description is ever used twice within a
history, so that a search, which shows no version, shows contents of one version alone.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import inf
from typing import Literal, NamedTuple


class Span(NamedTuple):
    """The time at which a call was sent, the time at which its answer was there, and the client."""

    client: int
    began: int
    ended: int


class Contents(NamedTuple):
    """The two fields that are watched, by the ids of their texts."""

    name: str
    description: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was answered with success. ``version`` is the answered one, None for a delete, which has none.

    ``name`` and ``description`` are what was set, or empty and None where they were left alone. ``expected`` is the
    version that it insisted on, ``merged_from`` the one from which on none that it set had changed.
    """

    item: str
    span: Span
    kind: Literal["create", "update", "delete"]
    version: int | None
    name: str = ""
    description: str | None = None
    expected: int | None = None
    merged_from: int | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy that was told a success: a new item of version 1, and a look at the source as ``shown``."""

    item: str
    span: Span
    source: str
    contents: Contents
    shown: Contents


@dataclass(frozen=True, slots=True)
class Read:
    """The content of an answer about an item: contents, a version, both, or (neither) only its presence or absence."""

    item: str
    span: Span
    exists: bool
    version: int | None = None
    contents: Contents | None = None


type Event = Write | Copy | Read


class Violation(NamedTuple):
    """A contradiction in the history, with the events that show it."""

    rule: str
    item: str
    detail: str


class _Placed(NamedTuple):
    """An event at its place in the one order: even ranks are the versions' writes, odd ones the reads of them."""

    rank: int
    began: int
    ended: int
    what: str


def check(events: Iterable[Event]) -> list[Violation]:
    """Return the contradictions in the history of all items; none if it is linearizable."""
    by_item: dict[str, list[Write | Read]] = defaultdict(list)
    copies: list[Copy] = []
    for event in events:
        if isinstance(event, Copy):
            copies.append(event)
            write = Write(event.item, event.span, "create", 1, event.contents.name, event.contents.description)
            by_item[event.item].append(write)
            by_item[event.source].append(Read(event.source, event.span, exists=True, contents=event.shown))
        else:
            by_item[event.item].append(event)
    found = [violation for item, those in by_item.items() for violation in _Register(item, those).violations()]
    return [*found, *_repeated_names(copies)]


def _repeated_names(copies: Sequence[Copy]) -> Iterator[Violation]:
    named: dict[str, Copy] = {}
    for copy in copies:
        first = named.setdefault(copy.contents.name, copy)
        if first is not copy:
            yield Violation("copies share a name", copy.source, f"{first} and {copy}")


class _Register:
    """The history of one item."""

    def __init__(self, item: str, events: Sequence[Write | Read]) -> None:
        self._item = item
        self._writes = [event for event in events if isinstance(event, Write) and event.version is not None]
        self._deletes = [event for event in events if isinstance(event, Write) and event.version is None]
        self._reads = [event for event in events if isinstance(event, Read)]
        self._placed: list[_Placed] = []

    def violations(self) -> list[Violation]:
        """Return the contradictions in the history of this item.

        After a contradiction at an early step the later steps mean nothing, so they are left out.
        """
        steps = (
            self._versions,
            self._exact_reads,
            self._order,
            self._find_deletes,
            self._lives,
            self._other_reads,
            self._order,
        )
        return next((found for step in steps if (found := list(step()))), [])

    def _wrong(self, rule: str, *those: object) -> Violation:
        return Violation(rule, self._item, "; ".join(map(str, those)))

    # ---- Versions and contents -------------------------------------------------------------------------------------

    def _versions(self) -> Iterator[Violation]:
        """Check that each version belongs to one write and follows the version that this write expected."""
        self._by_version: dict[int, Write] = {}
        self._by_name: dict[str, int] = {}
        for write in self._writes:
            if write.version is None:
                continue
            other = self._by_version.setdefault(write.version, write)
            if other is not write:
                yield self._wrong("a version was made twice", other, write)
            if write.version < 1:
                yield self._wrong("a version below 1", write)
            if write.expected is not None and write.version != write.expected + 1:
                yield self._wrong("a write did not make the version after the one it expected", write)
            if write.name:
                self._by_name[write.name] = write.version
            self._place(2 * write.version, write)
        last = max(self._by_version, default=0)
        self._gaps = [version for version in range(1, last) if version not in self._by_version]
        self._last = last
        self._contents = dict(self._adding_up(last))
        self._by_contents = {contents: version for version, contents in self._contents.items()}
        for write in self._writes:
            yield from self._merged_over(write)

    def _merged_over(self, write: Write) -> Iterator[Violation]:
        """Check that a write which was merged changed nothing that one of the versions since had changed."""
        if write.merged_from is None or write.version is None:
            return
        for version in range(write.merged_from + 1, write.version):
            other = self._by_version.get(version)
            same_name = other is not None and bool(write.name and other.name)
            same_text = other is not None and None not in (write.description, other.description)
            if other is None or other.kind == "create" or same_name or same_text:
                yield self._wrong("a merge went over a change of its own field", write, other or f"deletion {version}")

    def _adding_up(self, last: int) -> Iterator[tuple[int, Contents]]:
        name, held = "", None
        for version in range(1, last + 1):
            write = self._by_version.get(version)
            if write is None:
                name, held = "", None
                continue
            name = write.name or name
            held = write.description if write.description is not None or write.kind == "create" else held
            yield version, Contents(name, held)

    def _exact_reads(self) -> Iterator[Violation]:
        """Check that each read shows the contents of its version."""
        self._vague: list[Read] = []
        for read in self._reads:
            version = read.version
            if version is None and read.contents is not None:
                version = self._by_contents.get(read.contents, self._by_name.get(read.contents.name))
                if version is None:
                    yield self._wrong("a read shows what nobody wrote", read)
                    continue
            if version is None:
                self._vague.append(read)
                continue
            holds = self._contents.get(version)
            if holds is None:
                yield self._wrong("a read shows a version that nobody made", read)
            elif read.contents is not None and read.contents != holds:
                write = self._by_version[version]
                yield self._wrong(f"a read shows other contents than version {version} has: {holds}", read, write)
            else:
                self._place(2 * version + 1, read)

    # ---- Deletes, and what tells no version --------------------------------------------------------------------------

    def _find_deletes(self) -> Iterator[Violation]:
        """Give each version that no other write received to a delete; one more delete may stand at the end."""
        gaps = [*self._gaps, self._last + 1] if len(self._deletes) > len(self._gaps) else self._gaps
        self._tombstones: list[int] = []
        left = sorted(self._deletes, key=lambda each: each.span.began, reverse=True)
        ready: list[tuple[int, int, Write]] = []
        earliest, latest = self._windows(gaps)
        for number, version in enumerate(gaps):
            while left and left[-1].span.began <= latest[number]:
                delete = left.pop()
                heapq.heappush(ready, (delete.span.ended, len(left), delete))
            while ready and ready[0][0] < earliest[number]:
                yield self._wrong("a delete fits nowhere", heapq.heappop(ready)[2])
            if not ready:
                if version <= self._last:
                    yield self._wrong("a version that nobody was told of", version, self._by_version.get(version + 1))
                break
            delete = heapq.heappop(ready)[2]
            self._tombstones.append(version)
            self._place(2 * version, delete)
        for delete in [*left, *(each for _, _, each in ready)]:
            yield self._wrong("a delete of what was deleted or never there", delete)

    def _windows(self, versions: Sequence[int]) -> tuple[list[float], list[float]]:
        """Return for each version the earliest and the latest time at which it can have been made, as far as known."""
        placed = sorted(self._placed)
        ranks = [each.rank for each in placed]
        began: list[float] = [-inf]
        for each in placed:
            began.append(max(began[-1], each.began))
        ended: list[float] = [inf]
        for each in reversed(placed):
            ended.append(min(ended[-1], each.ended))
        ended.reverse()
        at = [bisect_left(ranks, 2 * version) for version in versions]
        return [began[each] for each in at], [ended[each] for each in at]

    def _lives(self) -> Iterator[Violation]:
        """Check that a create stands where nothing was, and any other write where something was."""
        gone = {0, *self._tombstones}
        for version, write in self._by_version.items():
            if (write.kind == "create") != (version - 1 in gone):
                yield self._wrong("a write where it cannot have been", write, self._by_version.get(version - 1))
        for version in self._tombstones:
            if version - 1 in gone:
                yield self._wrong("a delete of what was deleted or never there", version)
        self._gone = sorted(gone)

    def _other_reads(self) -> Iterator[Violation]:
        """Fit each read that shows only presence or absence to the lowest version that nothing before it has passed."""
        alive = sorted(self._by_version)
        over = sorted((each.ended, each.rank) for each in self._placed)
        over.reverse()
        ours: list[tuple[int, int]] = []
        floor = 0
        for read in sorted(self._vague, key=lambda each: each.span.began):
            while over and over[-1][0] < read.span.began:
                floor = max(floor, over.pop()[1])
            while ours and ours[0][0] < read.span.began:
                floor = max(floor, heapq.heappop(ours)[1])
            candidates = alive if read.exists else self._gone
            position = bisect_left(candidates, floor // 2)
            if position == len(candidates):
                yield self._wrong("a read goes back behind what was known before it", read)
                continue
            rank = 2 * candidates[position] + 1
            heapq.heappush(ours, (read.span.ended, rank))
            self._place(rank, read)

    # ---- Time ------------------------------------------------------------------------------------------------------

    def _order(self) -> Iterator[Violation]:
        """Check that the order of the versions is possible in time."""
        before: _Placed | None = None
        for _, some in groupby(sorted(self._placed), key=lambda each: each.rank):
            those = list(some)
            for each in those:
                if before is not None and each.ended < before.began:
                    yield self._wrong("what ended before something began comes after it", each.what, before.what)
            youngest = max(those, key=lambda each: each.began)
            before = youngest if before is None or youngest.began > before.began else before

    def _place(self, rank: int, event: Write | Read) -> None:
        self._placed.append(_Placed(rank, event.span.began, event.span.ended, str(event)))


def counts(events: Iterable[Event]) -> Mapping[str, int]:
    """Count the events of each kind."""
    found: dict[str, int] = defaultdict(int)
    for event in events:
        found[event.kind if isinstance(event, Write) else type(event).__name__.lower()] += 1
    return dict(found)
