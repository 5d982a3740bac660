"""SQLite as a peer of search in the view, with FTS5: the engine that a function could carry in its own process.

The file is made as well as it can be for these questions, and is never written to again:

* The number of a persona is its place in the list, so that a page is the lowest numbers of what matches.
* A persona's options are one array of numbers, `links`. To fetch and count these takes Python a third of the time in
  which SQLite joins a table of links and groups it.
* Links by option are tables without rowids, which bring along the arrays that are counted of what they find.
* Totals of all options are kept, as a trigger would keep them: the counts where nothing is filtered.
* From three letters on, texts are found by trigrams. FTS5 has none of two letters: of these it is asked which trigrams
  begin with them, and signs behind each text stand for the letters that its last ones lack.
"""

# ruff: noqa: S608  # all SQL is made of names in this file

import gc
import json
import sqlite3
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import accumulate, chain, pairwise
from pathlib import Path
from typing import NamedTuple

from library import OPTION_NUMBERS, Library, Row
from questions import Answer, cells_of
from timing import Times, memory, probe

from personas.domain.folding import fold
from personas.search.queries import Facet, Query

PAGE = 12
PROBES = 5
TRIGRAM = 3
END = "\x01"
"""The sign behind each text. It is in no question."""
FIRSTS = dict(zip(OPTION_NUMBERS, accumulate(OPTION_NUMBERS.values(), initial=0), strict=False))
"""The number of the first option of each facet: one array holds the options of all."""
NO_DEPARTMENT = sum(OPTION_NUMBERS.values())
SCHEMA = """
    PRAGMA page_size = 16384; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
    PRAGMA cache_size = -2000000;
    CREATE TABLE persona (
        persona INTEGER PRIMARY KEY, persona_id TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
        profiles INTEGER NOT NULL, active INTEGER NOT NULL, generated INTEGER NOT NULL, mcp INTEGER NOT NULL,
        updated_at TEXT NOT NULL, links BLOB NOT NULL);
    CREATE TABLE linked (persona INTEGER PRIMARY KEY, links BLOB NOT NULL);
    CREATE TABLE persona_department (
        option INTEGER, persona INTEGER, fields BLOB NOT NULL, links BLOB NOT NULL, PRIMARY KEY (option, persona)
    ) WITHOUT ROWID;
    CREATE TABLE persona_field (
        option INTEGER, persona INTEGER, departments BLOB NOT NULL, PRIMARY KEY (option, persona)
    ) WITHOUT ROWID;
    CREATE TABLE total (option INTEGER PRIMARY KEY, personas INTEGER NOT NULL);
    CREATE VIRTUAL TABLE texts USING fts5 (
        folded, content = '', columnsize = 0, tokenize = 'trigram case_sensitive 1');
    CREATE VIRTUAL TABLE trigrams USING fts5vocab (texts, row);"""
OPENED = """
    PRAGMA mmap_size = 2147418112; PRAGMA cache_size = -2000000; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON"""


class Found(NamedTuple):
    """An answer as it comes: the total, the rows of the page, and what was counted of each option."""

    total: int
    page: Sequence[tuple[str, str, str | None, int, int, int, int, str, bytes]]
    counts: dict[int, int]


# ---- Making the file ----------------------------------------------------------------------------------------------


class _Persona(NamedTuple):
    order: tuple[str, str]
    folded: str
    columns: tuple[object, ...]
    options: dict[Facet, list[int]]


def _persona(library: Library, persona_id: str, row: Row) -> _Persona:
    ids: dict[Facet, list[str]] = {
        "scenarios": row["sc"],
        "fields": [library.field_of[each] for each in row["pf"]],
        "departments": row["dp"],
        "colors": [row["c"]],
        "icons": [row["i"]],
        "voices": row["vo"],
        "instructions": [row["ii"]],
    }
    name = fold(row["n"])
    return _Persona(
        (name, persona_id),
        f"{name}\n{fold(row['d'])}{END * 2}",
        (persona_id, row["n"], row["d"], row["np"], row["f"] is not None, row["g"], row["m"], row["ut"]),
        {
            facet: sorted(FIRSTS[facet] + library.numbers[facet][each] for each in of_facet)
            for facet, of_facet in ids.items()
        },
    )


def make(library: Library, file: Path) -> None:
    """Write a library to a new file."""
    personas = sorted(_persona(library, *each) for each in library.rows())
    database = sqlite3.connect(file, autocommit=True)
    database.executescript(f"{SCHEMA}; BEGIN")
    whole = [array("H", chain.from_iterable(each.options.values())).tobytes() for each in personas]
    database.executemany(
        f"INSERT INTO persona VALUES ({', '.join('?' * 10)})",
        ((number, *each.columns, links) for number, (each, links) in enumerate(zip(personas, whole, strict=True))),
    )
    database.executemany("INSERT INTO linked VALUES (?, ?)", enumerate(whole))
    database.executemany("INSERT INTO texts (rowid, folded) VALUES (?, ?)", enumerate(each.folded for each in personas))
    database.executemany("INSERT INTO persona_department VALUES (?, ?, ?, ?)", _by_department(personas, whole))
    database.executemany("INSERT INTO persona_field VALUES (?, ?, ?)", _by_field(personas))
    totals = Counter(chain.from_iterable(chain.from_iterable(each.options.values()) for each in personas))
    database.executemany("INSERT INTO total VALUES (?, ?)", totals.items())
    database.execute("INSERT INTO texts (texts) VALUES ('optimize')")
    database.executescript("COMMIT; ANALYZE; VACUUM")
    database.close()


def _by_department(personas: Sequence[_Persona], whole: Sequence[bytes]) -> list[tuple[int, int, bytes, bytes]]:
    return sorted(
        (option, number, array("H", each.options["fields"]).tobytes(), whole[number])
        for number, each in enumerate(personas)
        for option in each.options["departments"] or (NO_DEPARTMENT,)
    )


def _by_field(personas: Sequence[_Persona]) -> list[tuple[int, int, bytes]]:
    return sorted(
        (option, number, array("H", each.options["departments"]).tobytes())
        for number, each in enumerate(personas)
        for option in each.options["fields"]
    )


# ---- Asking -------------------------------------------------------------------------------------------------------


class Sqlite:
    """A connection to a file that holds a library."""

    name = "SQLite"

    def __init__(self, file: Path, library: Library) -> None:
        self._numbers = library.numbers
        self._database = sqlite3.connect(f"file:{file}?immutable=1", uri=True, autocommit=True, cached_statements=256)
        self._database.executescript(OPENED)
        self.ways: dict[str, Callable[[Query], Found]] = {
            "all": self._everything,
            "member": self._visible,
            "text": self._text,
            "member, text": self._visible,
            "filters": self._filtered,
        }

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    async def asker(self, kind: str) -> Callable[[Query], Awaitable[Found]]:
        """Return a function that asks questions of a kind."""
        ask = self.ways[kind]

        async def awaited(query: Query) -> Found:
            return ask(query)

        return awaited

    def _rows(self, statement: str, values: Iterable[object]) -> sqlite3.Cursor:
        return self._database.execute(statement, tuple(values))

    def _options(self, facet: Facet, ids: Iterable[str]) -> list[int]:
        return [FIRSTS[facet] + self._numbers[facet][each] for each in ids]

    def _found(self, links: dict[int, bytes], counts: dict[int, int] | None = None) -> Found:
        """Return the answer for these personas with their links; ``counts`` are taken where they are given."""
        page = sorted(links)[:PAGE]
        rows = self._rows(f"{_PAGE} WHERE persona IN ({_marks(page)}) ORDER BY persona", page)
        return Found(len(links), rows.fetchall(), _count(links.values()) if counts is None else counts)

    def _everything(self, _: Query) -> Found:
        (total,) = self._rows("SELECT max(persona) + 1 FROM persona", ()).fetchone()
        page = self._rows(f"{_PAGE} ORDER BY persona LIMIT {PAGE}", ()).fetchall()
        return Found(total, page, dict(self._rows("SELECT option, personas FROM total", ())))

    def _visible(self, query: Query) -> Found:
        departments = [NO_DEPARTMENT, *self._options("departments", query.caller_departments or ())]
        statement = f"SELECT persona, links FROM persona_department WHERE option IN ({_marks(departments)})"
        if not query.text:
            return self._found(dict(self._rows(statement, departments)))
        # The sign keeps the planner from looking up each text in each department.
        statement += " AND +persona IN (SELECT rowid FROM texts WHERE texts MATCH ?)"
        return self._found(dict(self._rows(statement, [*departments, self._match(fold(query.text))])))

    def _text(self, query: Query) -> Found:
        statement = "SELECT persona, links FROM texts CROSS JOIN linked ON persona = texts.rowid WHERE texts MATCH ?"
        return self._found(dict(self._rows(statement, (self._match(fold(query.text or "")),))))

    def _match(self, text: str) -> str:
        """Return the expression of FTS5 for the texts that contain this one."""
        if len(text) >= TRIGRAM:
            return _phrase(text)
        beginning = self._rows("SELECT term FROM trigrams WHERE term >= ? AND term < ?", (text, f"{text}\U0010ffff"))
        return " OR ".join(_phrase(term) for (term,) in beginning) or _phrase(END * TRIGRAM)

    def _filtered(self, query: Query) -> Found:
        departments = self._options("departments", query.department_ids)
        fields = self._options("fields", query.field_ids)
        statement = f"SELECT persona, fields FROM persona_department WHERE option IN ({_marks(departments)})"
        of_departments = dict(self._rows(statement, departments))
        statement = f"SELECT persona, departments FROM persona_field WHERE option IN ({_marks(fields)})"
        of_fields = dict(self._rows(statement, fields))
        both = json.dumps(list(of_departments.keys() & of_fields.keys()))
        statement = "SELECT persona, links FROM json_each(?) CROSS JOIN linked ON persona = value"
        links = dict(self._rows(statement, (both,)))
        counts = {option: count for option, count in _count(links.values()).items() if option not in _SET_ASIDE}
        # Of each of the two, the options are counted with its own selection set aside.
        return self._found(links, counts | _count(of_departments.values()) | _count(of_fields.values()))

    # ---- To compare, and what it takes -----------------------------------------------------------------------------

    def answer_of(self, found: Found) -> Answer:
        """Return an answer in the form in which answers are compared."""
        bounds = [*FIRSTS.values(), NO_DEPARTMENT]
        counts = {
            facet: {option - first: count for option, count in found.counts.items() if first <= option < behind}
            for facet, (first, behind) in zip(FIRSTS, pairwise(bounds), strict=True)
        }
        return Answer(found.total, [_row(each) for each in found.page], counts)

    def cpu_seconds(self) -> float:
        """Return the CPU time so far: SQLite works in this process."""
        return time.process_time()


_PAGE = """
    SELECT persona_id, name, description, profiles, active, generated, mcp, updated_at, links FROM persona"""
_SET_ASIDE = range(FIRSTS["fields"], FIRSTS["colors"])
"""The options of fields and departments."""


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _phrase(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _count(links: Iterable[bytes]) -> Counter[int]:
    return Counter(array("H", b"".join(links)))


def _row(
    row: tuple[str, str, str | None, int, int, int, int, str, bytes],
) -> tuple[str, str, str | None, int, int, list[int]]:
    persona_id, name, description, profiles, *_, links = row
    options = array("H", links)
    (color,) = (each - FIRSTS["colors"] for each in options if FIRSTS["colors"] <= each < FIRSTS["icons"])
    departments = [each - FIRSTS["departments"] for each in options if FIRSTS["departments"] <= each < FIRSTS["colors"]]
    return persona_id, name, description, color, profiles, departments


# ---- The file alone -----------------------------------------------------------------------------------------------


class OpenedFile(NamedTuple):
    """A file in new processes: its bytes, the times to open it and answer a first search, and bytes of memory.

    ``first`` are those above the bare process after that search, ``used`` after searches of all kinds: the most of all.
    """

    size: int
    times: Times
    first: float
    used: float


@contextmanager
def sqlite(library: Library) -> Iterator[tuple[Sqlite, OpenedFile]]:
    """Make a file of a library, measure it in new processes, and open it in this one; remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="personas-benchmark-") as directory:
        file = Path(directory) / "personas.sqlite"
        make(library, file)
        probes = [probe("sqlite", file, library.size) for _ in range(PROBES)]
        times = Times([each["wall"] for each in probes], [each["cpu"] for each in probes])
        first, used = (max(each[name] for each in probes) for name in ("first", "used"))
        with closing(Sqlite(file, library)) as peer:
            yield peer, OpenedFile(file.stat().st_size, times, first, used)


def probed(library: Library, file: Path) -> dict[str, float]:
    """Measure the file in this new process: seconds to open it and to answer a member, and bytes of memory."""
    cells = {cell.kind: cell.queries for cell in cells_of(library)}
    gc.collect()
    bare, times = memory("VmRSS"), Times()
    with times.timed():
        opened = Sqlite(file, library)
        opened.ways["member"](cells["member"][0])
    first = memory("VmRSS")
    for kind, queries in cells.items():
        for query in queries[:8]:
            opened.ways[kind](query)
    return {"wall": times.wall[0], "cpu": times.cpu[0], "first": first - bare, "used": memory("VmRSS") - bare}


def table_of_files(files: Sequence[tuple[int, OpenedFile]]) -> Iterator[str]:
    """Yield the table of SQLite alone, as Markdown."""

    def row(label: str, value: Callable[[OpenedFile], str]) -> str:
        return f"| {label} | " + " | ".join(value(each) for _, each in files) + " |"

    def mb(number: float) -> str:
        return f"{number / 1e6:.1f} MB"

    yield "| SQLite alone | " + " | ".join(f"{size:,}" for size, _ in files) + " |"
    yield row("---", lambda _: "---")
    yield row("file", lambda each: mb(each.size))
    yield row("opening it, and a member's first search", lambda each: str(each.times))
    yield row("memory above the bare process then, with the file's pages", lambda each: mb(each.first))
    yield row("the same after searches of all kinds", lambda each: mb(each.used))
    yield ""
