"""The parts of the read side that could be left out, each measured against the way without it.

Measured is CPU time, the median of several repeats; ADR 46 has the figures and what was decided by them.
"""

# what is compared lies inside of an index; group_in_memory sets the environment first

import statistics
import time
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import accumulate, compress, pairwise
from typing import Final
from unittest.mock import patch

import click
from group_in_memory import GROUP, Group
from library import Library
from pyroaring import BitMap
from questions import cells_of

from personas.domain.folding import fold
from personas.domain.permissions import is_seen
from personas.domain.suggestions import used_most
from personas.search import options, snapshot_format
from personas.search.index import Index
from personas.search.object_format import deflate, inflate
from personas.search.queries import FACETS, FacetQuery, OptionNames, Query
from personas.search.snapshot_format import decode
from personas.search.text_search import Corpus
from personas.services import services
from personas.views.most_used import OFFERED, MostUsed
from personas.views.search_views import SEARCH_VIEW
from personas.views.suggestion_views import MOST_USED_VIEW, TEXTS_VIEW
from personas.views.text_columns import Uses
from personas.views.text_usage import TextsView

REPEATS: Final = 7
UNNAMED: Final = FacetQuery(names=OptionNames({}))
"""A question that counts the options of a facet, and names none."""


def spent(work: Callable[[], object], repeats: int = REPEATS) -> str:
    """Return the CPU time of some work, in ms: the median of the repeats, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return f"{1e3 * statistics.median(times[1:]):.1f}"


# ---- What is used most ---------------------------------------------------------------------------------------------


def rank(view: TextsView, uses: Uses, departments: Collection[str] | None) -> list[tuple[str, int]]:
    """Return the most used entries for a caller, without the companion: from the texts view's own columns."""
    seen = [is_seen(each, departments) for each in view.sets()]
    counts = Counter(compress(uses.places, map(seen.__getitem__, uses.sets)))
    return [(uses.entries[place], times) for place, times in used_most(counts.items())]


def rank_all(view: TextsView, parameter_of: dict[str, str], departments: Collection[str] | None) -> None:
    """Rank every kind."""
    for kind in OFFERED:
        if kind == "parameters":
            rank(view, view.grouped_uses("parameter_fields", parameter_of), departments)
        else:
            rank(view, view.uses(kind), departments)


def first_of_all(most_used: MostUsed, departments: Collection[str] | None) -> None:
    """Take the first entries of every kind out of the companion."""
    for kind in OFFERED:
        most_used.first(kind, departments)


def measure_most_used(group: Group, members: Collection[str]) -> Iterator[str]:
    """Measure the companion of the texts view against ranking from the texts view itself."""
    catalogue = services().catalogues.current(GROUP)
    contents = {}
    for name in (TEXTS_VIEW, MOST_USED_VIEW):
        pointer = catalogue.pointer(name)
        content = pointer and services().view_objects.read(pointer)
        if content is None:
            raise click.ClickException(f"there is no {name}")
        contents[name] = content
    texts, most_used = TextsView.decode(contents[TEXTS_VIEW]), MostUsed.decode(contents[MOST_USED_VIEW])
    yield "| what is used most | the companion | from the texts view |"
    yield "| --- | --- | --- |"
    packed = contents[MOST_USED_VIEW], contents[TEXTS_VIEW]
    sizes = [f"{len(each) / 1e6:.2f}" for each in packed]
    yield f"| read by a cold get, MB | {' | '.join(sizes)} |"
    unpacked = spent(partial(MostUsed.decode, packed[0])), spent(partial(TextsView.decode, packed[1]))
    yield f"| to unpack it, ms | {' | '.join(unpacked)} |"
    for caller, departments in (("a superadmin", None), ("a member of 3 departments", members)):
        ways = (
            partial(first_of_all, most_used, departments),
            partial(rank_all, texts, group.parameter_of, departments),
        )
        yield f"| ranked for {caller}, ms | {' | '.join(map(spent, ways))} |"
    yield f"| in memory, MB | {most_used.size_bytes() / 1e6:.1f} | {texts.size_bytes() / 1e6:.1f} |"
    made = spent(lambda: MostUsed.of(texts, group.parameter_of).encode(), 3)
    yield f"| made by a refresh, ms | {made} | - |"
    yield f"| packing the texts view, for comparison, ms | - | {spent(texts.encode, 3)} |"
    yield ""


# ---- Folded texts --------------------------------------------------------------------------------------------------


def refold(written: bytes, starts: Sequence[int]) -> tuple[bytes, array[int]]:
    """Fold all texts again, as a reader would where a snapshot held only the written ones."""
    whole = b"\0".join([written[start:stop] for start, stop in pairwise(starts)]).replace(b"\xfe", b"\1")
    folded = fold(whole.decode("utf-8", "surrogatepass")).encode("utf-8", "surrogatepass")
    texts = folded.split(b"\0")
    return folded.replace(b"\1", b"\xfe"), array("I", accumulate(map(len, texts), initial=0))


def unpack(portions: Sequence[bytes]) -> list[bytes]:
    """Return the portions inflated."""
    return list(map(inflate, portions))


def measure_folded(index: Index) -> Iterator[str]:
    """Measure the folded texts in the snapshot against folding them again at every load."""
    saved = index.to_columns()
    both = saved.texts.whole()
    alone = (both.written,)

    def packed(texts: Sequence[Corpus]) -> list[bytes]:
        portions = []
        for first in range(0, saved.size, snapshot_format._PORTION):
            turns = snapshot_format._turns(first, min(first + snapshot_format._PORTION, saved.size))
            parts = [text.joined[text.starts[a] : text.starts[b]] for a, b in turns for text in texts]
            portions.append(deflate(b"".join(parts)))
        return portions

    interleaved, only_written = packed(both), packed(alone)
    yield "| texts in the snapshot | written and folded, in turns | the written alone |"
    yield "| --- | --- | --- |"
    yield f"| MB | {sum(map(len, interleaved)) / 1e6:.2f} | {sum(map(len, only_written)) / 1e6:.2f} |"
    yield f"| to pack them, ms | {spent(partial(packed, both), 3)} | {spent(partial(packed, alone), 3)} |"
    unpacked = [spent(partial(unpack, portions)) for portions in (interleaved, only_written)]
    yield f"| to unpack them, ms | {' | '.join(unpacked)} |"
    yield f"| to fold them again, ms | - | {spent(partial(refold, both.written.joined, both.written.starts))} |"
    yield ""


# ---- Counting ------------------------------------------------------------------------------------------------------


@contextmanager
def counting(way: str) -> Iterator[None]:
    """Have options counted in another way."""
    own = options.Options.counts

    def counts(  # as the method that it stands for
        self: options.Options, docs: BitMap, in_use: int, end: int, ids: Sequence[str] | None = None
    ) -> dict[str, int]:
        ids, size, bitmaps = ids or self.ids, len(docs), self.bitmaps or []
        if size == in_use:
            return own(self, docs, in_use, end, ids)
        if (
            way == "walk or intersect, by one threshold"
            and size * self.cells.walk_cost < len(bitmaps) * options._DENSE_PAIR_COST
        ):
            return {ids[code]: count for code, count in self.cells.tally(docs.to_array()).items() if ids[code]}
        found = list(map(docs.intersection_cardinality, bitmaps))
        counted = dict(zip(compress(ids, found), filter(None, found), strict=True))
        counted.pop("", None)
        return counted

    with patch.object(options.Options, "counts", counts if way != "three ways" else own):
        yield


def search_all(index: Index, library: Library, queries: Sequence[Query]) -> None:
    """Find a page of each query, and count the options of all facets."""
    for query in queries:
        index.search(query, library.field_of, dict.fromkeys(FACETS, UNNAMED))


def measure_counting(index: Index, library: Library) -> Iterator[str]:
    """Measure the three ways to count against fewer."""
    ways = ("three ways", "walk or intersect, by one threshold", "intersect")
    yield f"| CPU of 40 searches, ms | {' | '.join(ways)} |"
    yield "| --- " * (len(ways) + 1) + "|"
    for cell in cells_of(library):
        times = []
        for way in ways:
            with counting(way):
                times.append(spent(partial(search_all, index, library, cell.queries)))
        yield f"| {cell.label} ({len(cell.queries)}) | {' | '.join(times)} |"
    yield ""


@click.command()
@click.option("--size", default=10_000, show_default=True, help="The number of personas.")
def main(size: int) -> None:
    """Measure, and write a report in Markdown."""
    group = Group(size)
    click.echo(f"## {size:,} personas\n")
    for line in measure_most_used(group, group.library.options["departments"][:3]):
        click.echo(line)
    pointer = services().catalogues.current(GROUP).pointer(SEARCH_VIEW)
    content = pointer and services().view_objects.read(pointer)
    if content is None:
        raise click.ClickException("there is no index")
    index = decode(content).index
    for line in (*measure_folded(index), *measure_counting(index, group.library)):
        click.echo(line)


if __name__ == "__main__":
    main()
