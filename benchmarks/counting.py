"""Counting the options of what a search finds: the view's own ways against numpy, and against C.

All seven facets are counted, as in a search, and every count is compared. ADR 66 has the figures. The C is compiled
here by the machine's own `cc`, and called by ctypes.
"""

import ctypes
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from pathlib import Path
from statistics import fmean, median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "layers" / "shared"))

import click
import numpy as np
from library import VARIANTS, Library
from pyroaring import BitMap
from questions import cells_of
from timing import Times, machine, ms
from view_alone import COUNTED

from personas.search.columns import Ragged
from personas.search.index import Index
from personas.search.queries import FACET_KEYS, FACETS, Facet
from personas.search.snapshot_format import Snapshot, decode, encode

ROUNDS = 5
STARTS = 15
SOURCE = """
    #include <stdint.h>
    void tally(const uint32_t *docs, uint32_t size, const uint32_t *values, const uint32_t *starts, uint32_t *counts)
    {
        for (uint32_t each = 0; each < size; each++) {
            uint32_t at = starts ? starts[docs[each]] : docs[each];
            uint32_t end = starts ? starts[docs[each] + 1] : at + 1;
            for (; at < end; at++) counts[values[at]]++;
        }
    }"""

type Counts = dict[Facet, dict[str, int]]
type Asked = Mapping[Facet, BitMap]
"""The docs whose options are counted, by facet."""


def compiled(directory: Path) -> ctypes.CDLL:
    """Return the compiled C, with what its function takes."""
    library = directory / "tally.so"
    command = ["cc", "-O2", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(command, input=SOURCE, text=True, check=True)
    loaded = ctypes.CDLL(str(library))
    pointer = ctypes.c_void_p
    loaded.tally.argtypes = (pointer, ctypes.c_uint32, pointer, pointer, pointer)
    loaded.tally.restype = None
    return loaded


class Counting:
    """The ways to count the options that docs of an index have."""

    def __init__(self, index: Index, loaded: ctypes.CDLL) -> None:
        self._index = index
        self._options = {facet: index._documents.options[key] for facet, key in FACET_KEYS.items()}
        self._tally = loaded.tally
        self._values = {facet: np.frombuffer(each.cells.values, "u4") for facet, each in self._options.items()}
        self._starts = {
            facet: np.frombuffer(each.cells.starts.whole(), "u4")
            for facet, each in self._options.items()
            if isinstance(each.cells, Ragged)
        }

    def own(self, asked: Asked) -> Counts:
        """Count as the view does."""
        return {facet: self._index._counts(facet, docs) for facet, docs in asked.items()}

    def by_numpy(self, asked: Asked) -> Counts:
        """Count by gathering the codes of the docs, and numpy's bincount."""
        counts: Counts = {}
        for facet, docs in asked.items():
            rows = np.frombuffer(docs.to_array(), "u4")
            if facet in self._starts:
                starts = self._starts[facet]
                first = starts[rows]
                lengths = starts[rows + 1] - first
                # The places of the codes: those of a doc follow each other, and the next doc's begin elsewhere.
                rows = np.repeat(first - np.cumsum(lengths, dtype="u4") + lengths, lengths)
                rows += np.arange(len(rows), dtype="u4")
            tally = np.bincount(self._values[facet][rows])
            codes = tally.nonzero()[0]
            counts[facet] = self._named(facet, zip(codes.tolist(), tally[codes].tolist(), strict=True))
        return counts

    def by_c(self, asked: Asked) -> Counts:
        """Count by the lines of C."""
        counts: Counts = {}
        for facet, docs in asked.items():
            cells, rows, ids = self._options[facet].cells, docs.to_array(), self._options[facet].ids
            tally = array("I", bytes(4 * len(ids)))
            starts = cells.starts.whole().buffer_info()[0] if isinstance(cells, Ragged) else None
            values, tallied = cells.values.buffer_info()[0], tally.buffer_info()[0]
            self._tally(rows.buffer_info()[0], len(rows), values, starts, tallied)
            counts[facet] = self._named(facet, zip(compress(range(len(ids)), tally), filter(None, tally), strict=True))
        return counts

    def _named(self, facet: Facet, counts: Iterable[tuple[int, int]]) -> dict[str, int]:
        """Return the counts by id: no field has several parameter fields here."""
        ids = self._ids(facet)
        return {ids[code]: count for code, count in counts if ids[code]}

    def _ids(self, facet: Facet) -> Sequence[str]:
        return self._index._fields_by_code() if facet == "fields" else self._options[facet].ids


def table_of_ways(library: Library, loaded: ctypes.CDLL) -> Iterator[str]:
    """Yield the median CPU time to count all facets of a search, in ms, as Markdown."""
    index = Index()
    for persona_id, row in library.rows():
        index.upsert(persona_id, 1, row)
    index = decode(encode(Snapshot(index, "2026-01-01T00:00:00.000000Z"))).index
    index._use_fields(library.field_of)
    counting = Counting(index, loaded)
    ways = (counting.own, counting.by_numpy, counting.by_c)
    yield f"| {library.size:,} personas, CPU in ms | found | search | counting | by numpy | by C |"
    yield "| --- " * (len(ways) + 3) + "|"
    for cell in cells_of(library):
        queries = cell.queries * (ROUNDS * VARIANTS // len(cell.queries))
        totals, searches = [], Times()
        spent = [Times() for _ in ways]
        for number, query in enumerate(queries):
            with searches.timed(time.thread_time):
                totals.append(index.search(query, library.field_of, COUNTED).total)
            matches, aside = index._matches(query, library.field_of)
            asked = {facet: aside.get(facet, matches) for facet in FACETS}
            counts = []
            # Each way is the first in its turn: the others find in the processor's caches what the first one read.
            for place in range(number, number + len(ways)):
                with spent[place % len(ways)].timed(time.thread_time):
                    counts.append(ways[place % len(ways)](asked))
            if any(each != counts[0] for each in counts):
                raise click.ClickException(f"the counts differ: {cell.label}")
        medians = " | ".join(ms(median(each.cpu)) for each in (searches, *spent))
        yield f"| {cell.label} | {fmean(totals):,.0f} | {medians} |"
    yield ""


def seconds_to_import(module: str) -> float:
    """Return the CPU seconds that a new process takes to import a module: the median of some."""
    program = "import time; began = time.process_time(); import {}; print(time.process_time() - began)"
    command = [sys.executable, "-c", program.format(module)]
    return median(float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(STARTS))


@click.command()
@click.option("--sizes", default="10000,100000", show_default=True, help="How many personas, by commas.")
def main(sizes: str) -> None:
    """Measure, and write a report in Markdown."""
    folder = Path(np.__file__).parent
    parts = (each for part in (folder, folder.parent / "numpy.libs") for each in part.rglob("*") if each.is_file())
    imports = [ms(seconds_to_import(module)) for module in ("numpy", "ctypes")]
    click.echo(f"numpy {np.__version__} is {sum(each.stat().st_size for each in parts) / 1e6:.0f} MB.")
    click.echo(f"CPU of the import of numpy {imports[0]} ms, of ctypes {imports[1]} ms.\n")
    with tempfile.TemporaryDirectory(prefix="personas-benchmark-") as directory:
        loaded = compiled(Path(directory))
        for size in sizes.split(","):
            click.echo("\n".join(table_of_ways(Library(int(size)), loaded)))
    click.echo(f"Ended on {machine()}.")


if __name__ == "__main__":
    main()
