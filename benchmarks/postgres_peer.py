"""PostgreSQL as a peer of search in the view: the newest one that Debian's package installed.

It is started on a Unix socket of its own, as an unprivileged user, in a directory that is removed afterwards.
"""

# ruff: noqa: S608  # all SQL is made of names in this file

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import click
from library import Library, Row
from questions import Answer

from personas.domain.folding import fold
from personas.search.queries import FACETS, Facet, Query

LOADED_AT_ONCE = 50_000

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


# Of many matches only the counted columns are kept, and the page's rows are fetched afterwards.
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

    name = "PostgreSQL"

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

    def answer_of(self, record: asyncpg.Record) -> Answer:
        """Return an answer in the form in which answers are compared."""
        total, page, counted = record
        counts: dict[Facet, dict[int, int]] = {facet: {} for facet in FACETS}
        for number, option, count in counted or ():
            counts[FACETS[number]][option] = count
        rows = [
            (row["persona_id"], row["name"], row["description"], row["color"], row["profiles"], row["departments"])
            for row in json.loads(page or "[]")
        ]
        return Answer(total, rows, counts)

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
