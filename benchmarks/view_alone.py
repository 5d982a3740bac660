"""The view alone: its snapshot, its memory, its changes, and the time of its searches by their parts."""

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from library import VARIANTS, Library, Row, made_id
from questions import cells_of
from timing import Times, memory, probe

from personas.search.index import Index
from personas.search.queries import FACETS, Facet, FacetQuery, OptionNames, Query, SearchResult
from personas.search.snapshot_format import Snapshot, decode, encode

CHANGES = 1_000
ROUNDS_BY_PART = 5
PROBES = 5
UNNAMED = FacetQuery(names=OptionNames({}))
"""A question that counts the options of a facet, and names none."""
COUNTED = dict.fromkeys(FACETS, UNNAMED)


def answer(index: Index, query: Query, field_of: Mapping[str, str]) -> SearchResult:
    """Return a whole answer: the page, the total and the counts of all facets."""
    return index.search(query, field_of, COUNTED)


def change(index: Index, library: Library, seq: int) -> Times:
    """Apply a feed of 1,000 changes, a quarter new personas and a quarter deletes, as far as the next search."""
    chance = random.Random(seq)
    feed: list[tuple[str, Row | None]] = []
    for number, persona in enumerate(chance.sample(range(library.size), min(CHANGES, library.size))):
        persona_id = made_id("persona", persona) if number % 4 else made_id("new", seq, persona)
        feed.append((persona_id, None if number % 4 == 1 else library.row(chance, persona)))
    times = Times()
    with times.timed():
        for persona_id, row in feed:
            if row is None:
                index.delete(persona_id, seq)
            else:
                index.upsert(persona_id, seq, row)
        index.search(Query(caller_departments=None), library.field_of)
    return times


@dataclass
class View:
    """The figures of the view of one size, apart from its searches."""

    size: int
    build: Times
    encode: Times
    stored: int
    load: Times
    first: Times
    memory: dict[str, float]
    feed: Times
    refresh: Times
    after_feed: list[tuple[str, Times]]


def measure_view(library: Library, file: Path) -> tuple[Index, View]:
    """Build the index, store it as a snapshot, and load it again in processes of their own."""
    index = Index()
    build, encoding, refresh = Times(), Times(), Times()
    rows = library.rows()
    with build.timed():
        spent = Times()
        for _ in range(library.size):
            with spent.timed():
                persona_id, row = next(rows)
            index.upsert(persona_id, 1, row)
        index.search(Query(caller_departments=None), library.field_of)
    build.wall[0] -= sum(spent.wall)
    build.cpu[0] -= sum(spent.cpu)
    with encoding.timed():
        data = encode(Snapshot(index, "2026-01-01T00:00:00.000000Z"))
    file.write_bytes(data)
    del index
    probes = [probe("view", file, library.size) for _ in range(PROBES)]
    with refresh.timed():
        renewed = decode(data).index
        fed = change(renewed, library, 2)
        encode(Snapshot(renewed, "2026-01-02T00:00:00.000000Z"))
    changed = decode(data).index
    change(changed, library, 3)
    after_feed = []
    for cell in cells_of(library):
        times = Times()
        for query in (cell.queries * VARIANTS)[:VARIANTS]:
            with times.timed():
                answer(changed, query, library.field_of)
        after_feed.append((cell.label, times))
    index = decode(data).index
    return index, View(
        size=library.size,
        build=build,
        encode=encoding,
        stored=len(data),
        load=Times([each["wall"] for each in probes], [each["cpu"] for each in probes]),
        first=Times([each["first"] for each in probes], [each["first_cpu"] for each in probes]),
        memory=max(probes, key=lambda each: each["used"]),
        feed=fed,
        refresh=refresh,
        after_feed=after_feed,
    )


def probed(library: Library, file: Path) -> dict[str, float]:
    """Measure a snapshot in this new process: seconds to load it, and bytes above those of the bare process.

    ``first`` are the seconds with a member's first search, which loads what is left until it is needed. The bytes are
    those when the snapshot is loaded, after searches of all kinds, at most while loading, and the size that the index
    itself states after the searches.
    """
    cells = cells_of(library)
    gc.collect()
    bare = memory("VmRSS")
    times = Times()
    with times.timed():
        index = decode(file.read_bytes()).index
    loaded, most = memory("VmRSS"), memory("VmHWM")
    with times.timed():
        answer(index, next(cell for cell in cells if cell.kind == "member").queries[0], library.field_of)
    for query in [query for cell in cells for query in cell.queries[:8]]:
        answer(index, query, library.field_of)
    answer(index, Query(caller_departments=None, text="e"), library.field_of)
    index.delete(made_id("nobody"), 1)
    return {
        "wall": times.wall[0],
        "cpu": times.cpu[0],
        "first": sum(times.wall),
        "first_cpu": sum(times.cpu),
        "loaded": loaded - bare,
        "used": memory("VmRSS") - bare,
        "most": most - bare,
        "estimate": index.size_bytes(),
    }


def table_of_views(views: list[View]) -> Iterator[str]:
    """Yield the table of the view alone, as Markdown."""

    def row(label: str, value: Callable[[View], str]) -> str:
        return f"| {label} | " + " | ".join(map(value, views)) + " |"

    def mb(number: float) -> str:
        return f"{number / 1e6:.1f} MB"

    yield row("the view alone", lambda view: f"{view.size:,}")
    yield row("---", lambda _: "---")
    yield row("snapshot", lambda view: mb(view.stored))
    yield row("cold load of it", lambda view: str(view.load))
    yield row("cold load, and a member's first search", lambda view: str(view.first))
    yield row("memory above the bare process, loaded", lambda view: mb(view.memory["loaded"]))
    yield row("the same after searches of all kinds", lambda view: mb(view.memory["used"]))
    yield row("the same, at most while loading", lambda view: mb(view.memory["most"]))
    yield row("what the index says of itself", lambda view: mb(view.memory["estimate"]))
    yield row("a feed of 1,000 changes, and a search", lambda view: str(view.feed))
    yield row("an incremental refresh: load, feed, store", lambda view: str(view.refresh))
    yield row("storing alone", lambda view: str(view.encode))
    yield row("building from rows", lambda view: str(view.build))
    for number, (label, _) in enumerate(views[0].after_feed):
        times = [view.after_feed[number][1] for view in views]
        yield f"| after the feed: {label} | " + " | ".join(map(str, times)) + " |"
    yield ""


def table_of_parts(library: Library, index: Index) -> Iterator[str]:
    """Yield the mean CPU time of each part of a search in µs, as Markdown, the parts of a question one by one."""
    yield f"| {library.size:,} personas, CPU in µs | finding, and the page | {' | '.join(FACETS)} | all |"
    yield "| --- " * (len(FACETS) + 3) + "|"
    for cell in cells_of(library):
        queries = cell.queries * (ROUNDS_BY_PART * VARIANTS // len(cell.queries))
        parts: list[dict[Facet, FacetQuery]] = [{}, *({facet: UNNAMED} for facet in FACETS), COUNTED]
        spent = [0] * len(parts)
        for query in queries:
            answer(index, query, library.field_of)  # what is loaded as it is used, is loaded by now
        # One part after the other: the same query again would find its bitmaps in the processor's caches.
        for place, counted in enumerate(parts):
            for query in queries:
                began = time.thread_time_ns()
                index.search(query, library.field_of, counted)
                spent[place] += time.thread_time_ns() - began
        finding, *facets, everything = (each / len(queries) / 1e3 for each in spent)
        means = [finding, *(each - finding for each in facets), everything]
        yield f"| {cell.label} | " + " | ".join(f"{each:.0f}" for each in means) + " |"
    yield ""
