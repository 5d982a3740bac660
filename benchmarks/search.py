# /// script
# requires-python = "==3.13.*"
# dependencies = ["asyncpg==0.32.0", "click==8.5.1", "pyroaring==1.2.0", "stringzilla==5.3.2"]
# ///
# ruff: noqa: S608  # all SQL is made of names in this file
"""Search in the view against search in PostgreSQL: the same personas, the same questions, the same answers.

One question is a page of 12 with its rows, the total, and the true counts of all seven facets, each with its own
selection set aside. PostgreSQL answers it in one statement. Both sides take turns, 40 questions of a kind each, and
every answer of the one is compared with that of the other. No two of the 40 are alike where there is anything to vary,
so that neither side can remember an answer.

PostgreSQL is the newest one that Debian's package installed, started here on a Unix socket of its own, as an
unprivileged user, in a directory that is removed afterwards.
"""

import asyncio
import gc
import json
import math
import os
import platform
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean, median
from uuid import UUID

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "layers" / "shared"))

import asyncpg
import click
from library import VARIANTS, Library, Row, made_id
from questions import cells_of

from personas.domain.folding import fold
from personas.search.index import Index
from personas.search.queries import FACETS, Facet, FacetQuery, OptionNames, Query, SearchResult
from personas.search.snapshot_format import Snapshot, decode, encode

SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHANGES = 1_000
LOADED_AT_ONCE = 50_000
ROUNDS_BY_PART = 5
UNNAMED = FacetQuery(names=OptionNames({}))
"""A question that counts the options of a facet, and names none."""
COUNTED = dict.fromkeys(FACETS, UNNAMED)
LONGEST = 2  # times the seconds that a kind of question may take, a turn is given up


# ---- PostgreSQL ---------------------------------------------------------------------------------------------------

SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "2GB",
    "effective_cache_size": "6GB",
    "work_mem": "128MB",
    "hash_mem_multiplier": "2",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",  # it costs more than it saves here
    "max_parallel_workers_per_gather": str(os.cpu_count() or 1),
    "max_parallel_maintenance_workers": str(os.cpu_count() or 1),
    # These make loading faster; nothing is written while it is measured.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "autovacuum": "off",
}

# Beside the link tables, a persona has its links as arrays, which are faster to count than joins, and the links to
# departments and fields carry the other's, so that a facet whose own selection is set aside is counted from an index.
TABLES = {
    "persona": """
        persona int PRIMARY KEY, persona_id uuid NOT NULL, folded_name text COLLATE "C" NOT NULL,
        folded text COLLATE "C" NOT NULL, name text NOT NULL, description text, color int NOT NULL, icon int NOT NULL,
        instruction int NOT NULL, scenarios int[] NOT NULL, fields int[] NOT NULL, departments int[] NOT NULL,
        voices int[] NOT NULL, active boolean NOT NULL, profiles int NOT NULL, generated boolean NOT NULL,
        mcp boolean NOT NULL, updated_at timestamptz NOT NULL""",
    "persona_scenario": "option int NOT NULL, persona int NOT NULL",
    "persona_field": "option int NOT NULL, persona int NOT NULL, departments int[] NOT NULL",
    "persona_department": "option int NOT NULL, persona int NOT NULL, fields int[] NOT NULL",
    "persona_voice": "option int NOT NULL, persona int NOT NULL",
}
INDEXES = (
    "persona USING gin (folded gin_trgm_ops)",
    "persona (folded_name, persona_id)",
    "persona (color)",
    "persona (icon)",
    "persona (instruction)",
    "persona_scenario (option, persona)",
    "persona_field (option, persona) INCLUDE (departments)",
    "persona_field (option)",
    "persona_department (option, persona) INCLUDE (fields)",
    "persona_department (option)",
    "persona_voice (option)",
)
PAGE = """
    (SELECT json_agg(page) FROM (
        SELECT persona_id, name, description, color, icon, scenarios, fields, departments, active, profiles, generated,
               mcp, updated_at
        FROM {source} ORDER BY folded_name, persona_id LIMIT 12) page)"""
LINKED: dict[Facet, tuple[str, str]] = {
    "scenarios": ("persona_scenario", "scenarios"),
    "fields": ("persona_field", "fields"),
    "departments": ("persona_department", "departments"),
    "voices": ("persona_voice", "voices"),
}
COLUMNS: dict[Facet, str] = {"colors": "color", "icons": "icon", "instructions": "instruction"}


def _unfiltered() -> str:
    """Return a statement that counts everything from the indexes alone, the facets side by side."""
    counts = [
        f"SELECT {number}, {COLUMNS.get(facet, 'option')} AS option, count(*)::int AS n "
        f"FROM {LINKED[facet][0] if facet in LINKED else 'persona'} GROUP BY {COLUMNS.get(facet, 'option')}"
        for number, facet in enumerate(FACETS)
    ]
    return f"""
        WITH counts (facet, option, n) AS MATERIALIZED ({" UNION ALL ".join(counts)})
        SELECT (SELECT count(*) FROM persona), {PAGE.format(source="persona")},
               (SELECT array_agg(ARRAY[facet, option, n]) FROM counts)"""


def _filtered(matches: str, aside: dict[Facet, str] | None = None, page: str = "m") -> str:
    """Return a statement that counts the rows that match.

    ``matches`` are CTEs, the last one ``m``; ``aside`` names the one from which a facet is counted instead.
    """
    counts = []
    for number, facet in enumerate(FACETS):
        source, option = (aside or {}).get(facet, "m"), COLUMNS.get(facet, "option")
        rows = f"(SELECT unnest({LINKED[facet][1]}) AS option FROM {source}) each" if facet in LINKED else source
        counts.append(f"SELECT {number}, {option}, count(*)::int FROM {rows} GROUP BY {option}")
    return f"""
        WITH {matches}, counts (facet, option, n) AS MATERIALIZED ({" UNION ALL ".join(counts)})
        SELECT (SELECT count(*) FROM m), {PAGE.format(source=page)},
               (SELECT array_agg(ARRAY[facet, option, n]) FROM counts)"""


# Where there are many matches, only what is counted of them is kept, and the page's rows are fetched afterwards.
MANY = """
    m AS MATERIALIZED (
        SELECT persona, persona_id, folded_name, color, icon, instruction, scenarios, fields, departments, voices
        FROM persona WHERE {condition})"""
PAGE_OF_MANY = "(SELECT persona FROM m ORDER BY folded_name, persona_id LIMIT 12) first JOIN persona USING (persona)"
FEW = "m AS MATERIALIZED (SELECT * FROM persona WHERE {condition})"
BY_MEMBER = "(departments = '{}' OR departments && $1)"
STATEMENTS = {
    "all": _unfiltered(),
    "member": _filtered(MANY.format(condition=BY_MEMBER), page=PAGE_OF_MANY),
    "text": _filtered(FEW.format(condition="folded LIKE $1")),
    "member, text": _filtered(MANY.format(condition=f"{BY_MEMBER} AND folded LIKE $2"), page=PAGE_OF_MANY),
    "filters": _filtered(
        """
        d AS MATERIALIZED (
            SELECT DISTINCT ON (persona) persona, fields FROM persona_department WHERE option = ANY ($1)
            ORDER BY persona),
        f AS MATERIALIZED (
            SELECT DISTINCT ON (persona) persona, departments FROM persona_field WHERE option = ANY ($2)
            ORDER BY persona),"""
        # As an array, because the planner takes a join of the two for 500 times as many rows as there are.
        + FEW.format(condition="persona = ANY (ARRAY(SELECT persona FROM d JOIN f USING (persona)))"),
        {"fields": "d", "departments": "f"},
    ),
}
# Left alone, the planner hashes whole tables rather than read an index in order, starts no other process, and looks for
# two letters in an index of trigrams.
PLANNING = {
    "all": """
        SET enable_hashagg = off; SET enable_seqscan = off;
        SET min_parallel_table_scan_size = 0; SET min_parallel_index_scan_size = 0""",
    "member, text": "SET enable_bitmapscan = off",
}


class Postgres:
    """A server of this process's own, loaded with a library."""

    def __init__(self, connection: asyncpg.Connection, library: Library) -> None:
        self._connection = connection
        self._library = library
        self._backend = connection.get_server_pid()
        self._postmaster = int(Path(f"/proc/{self._backend}/stat").read_text().rsplit(")", 1)[1].split()[1])

    async def load(self) -> None:
        """Create and fill the tables, then the indexes, then the statistics."""
        await self._connection.execute("CREATE EXTENSION pg_trgm")
        for table, columns in TABLES.items():
            await self._connection.execute(f"CREATE TABLE {table} ({columns})")
        records: dict[str, list[tuple[object, ...]]] = {table: [] for table in TABLES}
        for number, (persona_id, row) in enumerate(self._library.rows()):
            self._add(records, number, persona_id, row)
            if len(records["persona"]) == LOADED_AT_ONCE:
                await self._copy(records)
        await self._copy(records)
        for index in INDEXES:
            await self._connection.execute(f"CREATE INDEX ON {index}")
        # The first one leaves what was copied last out of the visibility map, and indexes alone would not answer.
        await self._connection.execute("VACUUM (FREEZE)")
        await self._connection.execute("VACUUM (FREEZE, ANALYZE)")

    def _add(self, records: dict[str, list[tuple[object, ...]]], number: int, persona_id: str, row: Row) -> None:
        numbers = self._library.numbers
        name, description = fold(row["n"]), fold(row["d"])
        links = {
            "scenarios": sorted(numbers["scenarios"][each] for each in row["sc"]),
            "fields": sorted(numbers["fields"][self._library.field_of[each]] for each in row["pf"]),
            "departments": sorted(numbers["departments"][each] for each in row["dp"]),
            "voices": sorted(numbers["voices"][each] for each in row["vo"]),
        }
        records["persona"].append(
            (
                number, UUID(persona_id), name, f"{name}\n{description}", row["n"], row["d"],
                numbers["colors"][row["c"]], numbers["icons"][row["i"]], numbers["instructions"][row["ii"]],
                *links.values(), row["f"] is not None, row["np"], row["g"], row["m"], datetime.fromisoformat(row["ut"]),
            )
        )  # fmt: skip
        records["persona_scenario"] += [(each, number) for each in links["scenarios"]]
        records["persona_field"] += [(each, number, links["departments"]) for each in links["fields"]]
        records["persona_department"] += [(each, number, links["fields"]) for each in links["departments"]]
        records["persona_voice"] += [(each, number) for each in links["voices"]]

    async def _copy(self, records: dict[str, list[tuple[object, ...]]]) -> None:
        for table, rows in records.items():
            await self._connection.copy_records_to_table(table, records=rows)
            rows.clear()

    async def asker(self, kind: str) -> Callable[[Query], Awaitable[asyncpg.Record]]:
        """Return a function that asks questions of a kind of STATEMENTS."""
        await self._connection.execute(f"RESET ALL; {PLANNING.get(kind, '')}")
        statement = await self._connection.prepare(STATEMENTS[kind])
        numbers = self._library.numbers

        async def ask(query: Query) -> asyncpg.Record:
            arguments: list[object] = []
            if query.caller_departments is not None:
                arguments.append([numbers["departments"][each] for each in query.caller_departments])
            if query.text:
                escaped = re.sub(r"([\\%_])", r"\\\1", fold(query.text))
                arguments.append(f"%{escaped}%")
            if query.department_ids:
                arguments.append([numbers["departments"][each] for each in query.department_ids])
                arguments.append([numbers["fields"][each] for each in query.field_ids])
            # Not fetchrow: PostgreSQL starts no parallel workers for a statement of which only one row is asked.
            return (await statement.fetch(*arguments))[0]

        return ask

    def cpu_seconds(self) -> float:
        """Return the CPU time so far of the connection's process and of the parallel workers that have ended."""
        backend = int(Path(f"/proc/{self._backend}/schedstat").read_text().split()[0]) / 1e9
        ticks = Path(f"/proc/{self._postmaster}/stat").read_text().rsplit(")", 1)[1].split()[13:15]
        return backend + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def postgres(library: Library) -> AsyncIterator[Postgres]:
    """Start a server, load it, and remove all of it afterwards."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not installed:
        raise click.ClickException("PostgreSQL is not installed: apt-get install postgresql")
    user = "postgres" if os.geteuid() == 0 else None
    directory = Path(tempfile.mkdtemp(prefix="personas-benchmark-"))
    if user:
        shutil.chown(directory, user)

    def run(program: str, *arguments: str) -> None:
        command = [str(installed[-1] / program), "-D", str(directory / "data"), *arguments]
        subprocess.run(
            command,
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=directory,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    try:
        run("initdb", "--username=benchmark", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8")
        with (directory / "data" / "postgresql.conf").open("a") as file:
            for name, value in {**SETTINGS, "unix_socket_directories": str(directory)}.items():
                file.write(f"{name} = '{value}'\n")
        run("pg_ctl", "--log", str(directory / "log"), "--wait", "start")
        try:
            connection = await asyncpg.connect(host=str(directory), user="benchmark", database="postgres")
            server = Postgres(connection, library)
            await server.load()
            yield server
            await connection.close()
        finally:
            run("pg_ctl", "--mode=fast", "--wait", "stop")
    finally:
        shutil.rmtree(directory)


# ---- Measuring ----------------------------------------------------------------------------------------------------


@dataclass
class Times:
    """Wall and CPU seconds of the same thing, done again and again."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def add(self, others: "Times") -> None:
        """Take in what others measured."""
        self.wall += others.wall
        self.cpu += others.cpu

    def __str__(self) -> str:
        """Return median and p99 of the wall time, and the mean of the CPU time (which is read in ticks): all in ms."""
        last = sorted(self.wall)[min(len(self.wall) - 1, int(0.99 * len(self.wall)))]
        return f"{_ms(median(self.wall))} / {_ms(last)} / {_ms(fmean(self.cpu))}"


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:.{max(0, 2 - int(math.log10(max(milliseconds, 1))))}f}"


@contextmanager
def timed(times: Times, cpu: Callable[[], float] = time.process_time) -> Iterator[None]:
    """Add the time that the block takes."""
    cpu_before, before = cpu(), time.perf_counter()
    yield
    times.wall.append(time.perf_counter() - before)
    times.cpu.append(cpu() - cpu_before)


def answer(index: Index, query: Query, field_of: Mapping[str, str]) -> SearchResult:
    """Return a whole answer: the page, the total and the counts of all facets."""
    return index.search(query, field_of, COUNTED)


def compare(
    found: SearchResult, counted: Mapping[Facet, Mapping[str, int]], record: asyncpg.Record, library: Library
) -> None:
    """Fail unless both answers are the same."""
    total, page, their_counts = record
    counts: dict[Facet, dict[int, int]] = {facet: {} for facet in FACETS}
    for number, option, count in their_counts or ():
        counts[FACETS[number]][option] = count
    ours = {facet: {library.numbers[facet][each]: count for each, count in counted[facet].items()} for facet in FACETS}
    rows = [
        (persona_id, row.name, row.description, library.numbers["colors"][row.color_id or ""], row.num_profiles,
         sorted(row.department_ids))
        for persona_id, row in found.personas
    ]  # fmt: skip
    numbers = library.options["departments"]
    theirs = [
        (row["persona_id"], row["name"], row["description"], row["color"], row["profiles"],
         sorted(numbers[each] for each in row["departments"]))
        for row in json.loads(page or "[]")
    ]  # fmt: skip
    if (found.total, rows, ours) != (total, theirs, counts):
        raise click.ClickException(f"the answers differ: {found.total} and {total} in all")


async def measure_cells(
    library: Library, index: Index, server: Postgres, rounds: int, seconds: float
) -> list[tuple[str, Times, Times]]:
    """Ask both sides every kind of question, in turns of 40, the first turn only to warm up."""
    results = []
    for cell in cells_of(library):
        ask = await server.asker(cell.kind)
        queries = (cell.queries * VARIANTS)[:VARIANTS]
        ours, theirs, warm = Times(), Times(), False
        started = time.perf_counter()
        while len(ours.wall) < rounds:
            ours_now, theirs_now = Times(), Times()
            found, records = [], []
            for query in queries:
                with timed(ours_now):
                    found.append(answer(index, query, library.field_of))
            for query in queries:
                with timed(theirs_now, server.cpu_seconds):
                    records.append(await ask(query))
                if time.perf_counter() - started > LONGEST * seconds:
                    break
            for query, one, other in zip(queries, found, records, strict=False):
                compare(one, index.counts(query, library.field_of), other, library)
            if warm:
                ours.add(ours_now)
                theirs.add(theirs_now)
            if ours.wall and time.perf_counter() - started > seconds:
                break
            warm = True
        results.append((cell.label, ours, theirs))
        click.echo(f"  {cell.label}: {ours} | {theirs}", err=True)
    return results


def change(index: Index, library: Library, seq: int) -> Times:
    """Apply a feed of 1,000 changes, a quarter new personas and a quarter deletes, as far as the next search."""
    chance = random.Random(seq)
    feed: list[tuple[str, Row | None]] = []
    for number, persona in enumerate(chance.sample(range(library.size), min(CHANGES, library.size))):
        persona_id = made_id("persona", persona) if number % 4 else made_id("new", seq, persona)
        feed.append((persona_id, None if number % 4 == 1 else library.row(chance, persona)))
    times = Times()
    with timed(times):
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
    memory: dict[str, float]
    feed: Times
    refresh: Times
    after_feed: list[tuple[str, Times]]


def measure_view(library: Library, file: Path) -> tuple[Index, View]:
    """Build the index, store it as a snapshot, and load it again in processes of their own."""
    index = Index()
    build, encoding, refresh = Times(), Times(), Times()
    rows = library.rows()
    with timed(build):
        spent = Times()
        for _ in range(library.size):
            with timed(spent):
                persona_id, row = next(rows)
            index.upsert(persona_id, 1, row)
        index.search(Query(caller_departments=None), library.field_of)
    build.wall[0] -= sum(spent.wall)
    build.cpu[0] -= sum(spent.cpu)
    with timed(encoding):
        data = encode(Snapshot(index, "2026-01-01T00:00:00.000000Z"))
    file.write_bytes(data)
    del index
    probes = [probe(library.size, file) for _ in range(5)]
    with timed(refresh):
        renewed = decode(data).index
        fed = change(renewed, library, 2)
        encode(Snapshot(renewed, "2026-01-02T00:00:00.000000Z"))
    changed = decode(data).index
    change(changed, library, 3)
    after_feed = []
    for cell in cells_of(library):
        times = Times()
        for query in (cell.queries * VARIANTS)[:VARIANTS]:
            with timed(times):
                answer(changed, query, library.field_of)
        after_feed.append((cell.label, times))
    index = decode(data).index
    return index, View(
        size=library.size,
        build=build,
        encode=encoding,
        stored=len(data),
        load=Times([each["wall"] for each in probes], [each["cpu"] for each in probes]),
        memory=max(probes, key=lambda each: each["used"]),
        feed=fed,
        refresh=refresh,
        after_feed=after_feed,
    )


def probe(size: int, file: Path) -> dict[str, float]:
    """Load a snapshot in a new process, and search it."""
    command = [sys.executable, __file__, "--probe", str(file), "--sizes", str(size)]
    measured: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return measured


def probed(library: Library, file: Path) -> dict[str, float]:
    """Measure a snapshot in this new process: seconds to load it, and bytes above those of the bare process.

    The bytes are those when it is loaded, after searches of all kinds, at most while loading, and the size that the
    index itself states after the searches.
    """
    cells = cells_of(library)
    gc.collect()
    bare = _memory("VmRSS")
    times = Times()
    with timed(times):
        index = decode(file.read_bytes()).index
    loaded, most = _memory("VmRSS"), _memory("VmHWM")
    for query in [query for cell in cells for query in cell.queries[:8]]:
        answer(index, query, library.field_of)
    answer(index, Query(caller_departments=None, text="e"), library.field_of)
    index.delete(made_id("nobody"), 1)
    return {
        "wall": times.wall[0],
        "cpu": times.cpu[0],
        "loaded": loaded - bare,
        "used": _memory("VmRSS") - bare,
        "most": most - bare,
        "estimate": index.size_bytes(),
    }


def _memory(what: str) -> int:
    """Return the bytes that this process has in memory now (VmRSS), or had at most (VmHWM)."""
    found = re.search(rf"^{what}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


# ---- The report ---------------------------------------------------------------------------------------------------


def machine() -> str:
    """Return a description of the machine on which this was measured."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load average {load}"
    )


def table_of_cells(size: int, results: list[tuple[str, Times, Times]]) -> Iterator[str]:
    """Yield the table of the two sides, as Markdown."""
    yield f"| {size:,} personas | the view | PostgreSQL | times as fast | times less CPU |"
    yield "| --- | --- | --- | --- | --- |"
    for label, ours, theirs in results:
        wall, cpu = median(theirs.wall) / median(ours.wall), fmean(theirs.cpu) / fmean(ours.cpu)
        yield f"| {label} | {ours} | {theirs} | {wall:.1f} | {cpu:.1f} |"
    yield ""


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
            for place, counted in enumerate(parts):
                began = time.thread_time_ns()
                index.search(query, library.field_of, counted)
                spent[place] += time.thread_time_ns() - began
        finding, *facets, everything = (each / len(queries) / 1e3 for each in spent)
        means = [finding, *(each - finding for each in facets), everything]
        yield f"| {cell.label} | " + " | ".join(f"{each:.0f}" for each in means) + " |"
    yield ""


async def compare_sides(library: Library, index: Index, rounds: int, seconds: float) -> list[tuple[str, Times, Times]]:
    """Ask both sides, in a server of its own."""
    async with postgres(library) as server:
        gc.freeze()
        return await measure_cells(library, index, server, rounds, seconds)


@click.command()
@click.option("--sizes", default=",".join(map(str, SIZES)), show_default=True, help="How many personas, by commas.")
@click.option("--rounds", default=200, show_default=True, help="How often to ask each kind of question.")
@click.option("--seconds", default=60.0, show_default=True, help="Go on to the next kind after this long.")
@click.option("--postgres/--no-postgres", "both", default=True, show_default=True, help="Whether to ask PostgreSQL.")
@click.option("--probe", "probed_file", type=click.Path(path_type=Path), hidden=True)
def main(sizes: str, rounds: int, seconds: float, both: bool, probed_file: Path | None) -> None:
    """Measure, and write a report in Markdown. All times are median / p99 of the wall time / mean CPU time, in ms."""
    gc.set_threshold(100_000)  # as `personas` does it in the process of a function
    numbers = [int(size.replace("_", "")) for size in sizes.split(",")]
    if probed_file:
        click.echo(json.dumps(probed(Library(numbers[0]), probed_file)))
        return
    click.echo(f"Started on {machine()}.\n")
    views: list[View] = []
    for size in numbers:
        click.echo(f"{size:,} personas", err=True)
        library = Library(size)
        with tempfile.TemporaryDirectory(prefix="personas-benchmark-") as directory:
            index, view = measure_view(library, Path(directory) / "snapshot")
        views.append(view)
        if both:
            results = asyncio.run(compare_sides(library, index, rounds, seconds))
            click.echo("\n".join(table_of_cells(size, results)))
        click.echo("\n".join(table_of_parts(library, index)))
    click.echo("\n".join(table_of_views(views)))
    click.echo(f"Ended on {machine()}.")


if __name__ == "__main__":
    main()
