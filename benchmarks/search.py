# /// script
# requires-python = "==3.13.*"
# dependencies = [
#     "asyncpg==0.32.0",
#     "click==8.5.1",
#     "isal==1.9.1",
#     "pydantic-core==2.50.5",
#     "pyroaring==1.2.0",
#     "stringzilla==5.3.2",
# ]
# ///
"""Search in the view against search in PostgreSQL and in SQLite: the same personas, questions and answers.

One question is a page of 12 with its rows, the total, and the true counts of all seven facets, each with its own
selection set aside. All sides take turns, 40 questions of a kind each, and every answer of the others is compared
with that of the view. No two of the 40 are alike where there is anything to vary, so that no side can remember an
answer.
"""

import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple, Protocol

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "layers" / "shared"))

import click
import sqlite_peer
import view_alone
from library import VARIANTS, Library
from postgres_peer import postgres
from questions import Answer, Cell, cells_of
from sqlite_peer import OpenedFile, sqlite
from timing import Times, machine
from view_alone import View, answer, measure_view

from personas.search.index import Index
from personas.search.queries import FACETS, Facet, Query, SearchResult

SIZES = (1_000, 10_000, 100_000, 1_000_000)
LONGEST = 2  # times the seconds that a kind of question may take, a turn is given up


class Peer[Raw](Protocol):
    """Another engine, loaded with the same library."""

    name: str

    async def asker(self, kind: str) -> Callable[[Query], Awaitable[Raw]]:
        """Return a function that asks questions of a kind."""

    def answer_of(self, found: Raw) -> Answer:
        """Return an answer in the form in which answers are compared."""

    def cpu_seconds(self) -> float:
        """Return the CPU time that the engine has taken so far."""


class Measured(NamedTuple):
    """The times of a kind of question, of the view and of each peer by its name."""

    label: str
    ours: Times
    theirs: Mapping[str, Times]


def view_answer(found: SearchResult, counted: Mapping[Facet, Mapping[str, int]], library: Library) -> Answer:
    """Return the view's answer in the form in which answers are compared."""
    numbers = library.numbers
    page = [
        (persona_id, row.name, row.description, numbers["colors"][row.color_id or ""], row.num_profiles,
         sorted(numbers["departments"][each] for each in row.department_ids))
        for persona_id, row in found.personas
    ]  # fmt: skip
    counts = {facet: {numbers[facet][each]: count for each, count in counted[facet].items()} for facet in FACETS}
    return Answer(found.total, page, counts)


async def measure_cell(
    cell: Cell, library: Library, index: Index, peers: Sequence[Peer[object]], rounds: int, seconds: float
) -> Measured:
    """Ask all sides a kind of question, in turns of 40, the first turn only to warm up."""
    asks = [await peer.asker(cell.kind) for peer in peers]
    queries = (cell.queries * VARIANTS)[:VARIANTS]
    measured, warm = Measured(cell.label, Times(), {peer.name: Times() for peer in peers}), False
    started = time.perf_counter()
    while len(measured.ours.wall) < rounds:
        ours, found = Times(), []
        for query in queries:
            with ours.timed():
                found.append(answer(index, query, library.field_of))
        expected = [
            view_answer(one, index.counts(query, library.field_of), library)
            for query, one in zip(queries, found, strict=True)
        ]
        for peer, ask in zip(peers, asks, strict=True):
            theirs = await take_turn(peer, ask, queries, expected, LONGEST * seconds)
            if warm:
                measured.theirs[peer.name].add(theirs)
        if warm:
            measured.ours.add(ours)
            if time.perf_counter() - started > seconds:
                break
        warm = True
    return measured


async def take_turn[Raw](
    peer: Peer[Raw],
    ask: Callable[[Query], Awaitable[Raw]],
    queries: Sequence[Query],
    expected: Sequence[Answer],
    longest: float,
) -> Times:
    """Ask a peer the questions, give up after so many seconds, and fail unless its answers are those expected."""
    times, found, started = Times(), [], time.perf_counter()
    for query in queries:
        with times.timed(peer.cpu_seconds):
            found.append(await ask(query))
        if time.perf_counter() - started > longest:
            break
    for raw, wanted in zip(found, expected, strict=False):
        theirs = peer.answer_of(raw)
        if theirs != wanted:
            raise click.ClickException(f"{peer.name} answers differently: {theirs.total} and {wanted.total} in all")
    return times


async def compare_sides(
    library: Library, index: Index, peers: tuple[bool, bool], rounds: int, seconds: float
) -> tuple[list[Measured], OpenedFile | None]:
    """Ask all sides every kind of question; return also the figures of SQLite's file, where it is asked.

    ``peers`` tell whether PostgreSQL and SQLite are asked.
    """
    with_postgres, with_sqlite = peers
    results, opened = [], None
    async with AsyncExitStack() as stack:
        asked: list[Peer[object]] = []
        if with_postgres:
            asked.append(await stack.enter_async_context(postgres(library)))
        if with_sqlite:
            peer, opened = stack.enter_context(sqlite(library))
            asked.append(peer)
        gc.freeze()
        for cell in cells_of(library):
            measured = await measure_cell(cell, library, index, asked, rounds, seconds)
            results.append(measured)
            theirs = " | ".join(f"{name} {times}" for name, times in measured.theirs.items())
            click.echo(f"  {cell.label}: {measured.ours} | {theirs}", err=True)
    return results, opened


def table_of_cells(size: int, results: Sequence[Measured]) -> Iterator[str]:
    """Yield the table of all sides, as Markdown."""
    names = list(results[0].theirs)
    heads = "".join(f" {name} | times as fast | times less CPU |" for name in names)
    yield f"| {size:,} personas | the view |{heads}"
    yield "| --- | --- |" + " --- | --- | --- |" * len(names)
    for label, ours, by_name in results:
        cells = [label, str(ours)]
        for theirs in by_name.values():
            wall, cpu = median(theirs.wall) / median(ours.wall), fmean(theirs.cpu) / fmean(ours.cpu)
            cells += [str(theirs), f"{wall:.1f}", f"{cpu:.1f}"]
        yield f"| {' | '.join(cells)} |"
    yield ""


@click.command()
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, help="How many personas, by commas.")
@click.option("--rounds", default=200, show_default=True, help="How often to ask each kind of question.")
@click.option("--seconds", default=60.0, show_default=True, help="Go on to the next kind after this long.")
@click.option("--postgres/--no-postgres", "with_postgres", default=True, help="Ask PostgreSQL, or do not.")
@click.option("--sqlite/--no-sqlite", "with_sqlite", default=True, help="Ask SQLite, or do not.")
@click.option("--probe", "probed", type=(str, click.Path(path_type=Path)), hidden=True)
def main(
    sizes: str,
    rounds: int,
    seconds: float,
    with_postgres: bool,
    with_sqlite: bool,
    probed: tuple[str, Path] | None,
) -> None:
    """Measure, and write a report in Markdown. All times are median / p99 of the wall time / mean CPU time, in ms."""
    gc.set_threshold(100_000)  # as `personas` does it in the process of a function
    numbers = [int(size.replace("_", "")) for size in sizes.split(",")]
    if probed:
        kind, file = probed
        of_kind = {"view": view_alone.probed, "sqlite": sqlite_peer.probed}[kind]
        click.echo(json.dumps(of_kind(Library(numbers[0]), file)))
        return
    click.echo(f"Started on {machine()}.\n")
    views: list[View] = []
    files: list[tuple[int, OpenedFile]] = []
    for size in numbers:
        click.echo(f"{size:,} personas", err=True)
        library = Library(size)
        with tempfile.TemporaryDirectory(prefix="personas-benchmark-") as directory:
            index, view = measure_view(library, Path(directory) / "snapshot")
        views.append(view)
        if with_postgres or with_sqlite:
            peers = (with_postgres, with_sqlite)
            results, opened = asyncio.run(compare_sides(library, index, peers, rounds, seconds))
            click.echo("\n".join(table_of_cells(size, results)))
            if opened:
                files.append((size, opened))
        click.echo("\n".join(view_alone.table_of_parts(library, index)))
    click.echo("\n".join(view_alone.table_of_views(views)))
    if files:
        click.echo("\n".join(sqlite_peer.table_of_files(files)))
    click.echo(f"Ended on {machine()}.")


if __name__ == "__main__":
    main()
