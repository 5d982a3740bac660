"""Tests of import files: every dialect of spreadsheets is read, and an unreadable file is refused in plain words."""

import csv
import io
import tracemalloc
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from personas_tools.importer import csv_file
from personas_tools.importer.columns import PERSONA_ID, VERSION, Columns
from personas_tools.importer.csv_file import ROW_MAX, CsvFile
from personas_tools.importer.journal import Journal, Outcome
from personas_tools.importer.rows import REASON, FileError
from support.import_fields import FIELDS, KEYS, cells_of, filled, is_known

ID: Final = "5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e11"
HEAD: Final = "name,color,icon,instructions"

values: Final = filled("'\t\r\n =+-@|\\,;\"\x00\ufeff\uff1dab😀", 8)


def opened(path: Path, content: str | bytes) -> CsvFile:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return CsvFile(path, is_known)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(values, max_size=3),
    separator=st.sampled_from(",;\t"),
    line_end=st.sampled_from(["\n", "\r\n"]),
    begin=st.sampled_from(["", "\ufeff"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_was_exported_is_read_back(
    tmp_path: Path, rows: list[dict[str, object]], separator: str, line_end: str, begin: str, quoting: int
) -> None:
    # Given personas written by the rules of an export, in any dialect
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerow([PERSONA_ID, *KEYS])
    writer.writerows([ID, *cells_of(row)] for row in rows)
    # When they are read
    file = opened(tmp_path / "file.csv", begin + text.getvalue())
    columns = Columns(file, FIELDS, update=False)
    # Then the items are the personas, but for lists that are empty
    assert [columns.item(row).values for row in file.rows()] == [
        {key: value for key, value in row.items() if value != []} for row in rows
    ]
    assert columns.rows == columns.ids == len(rows)


@pytest.mark.parametrize(
    ("header", "cells", "expected"),
    [
        ("departments", ["A, B ,,C"], [["A", "B", "C"]]),
        ("departments", ["A, B", "C|D"], [["A, B"], ["C", "D"]]),
        ("departments", [r"A\, B", "C"], [["A\\", "B"], ["C"]]),
        ("departments,voices", ["A\\|B,C", "x,z"], [["A|B,C"], ["x,z"]]),
        (f"departments,{PERSONA_ID}", ["A, B"], [["A, B"]]),
        (f"departments,{REASON}", ["A, B"], [["A, B"]]),
        ("examples", ["'=1, '=2"], [["=1", "'=2"]]),
    ],
)
def test_lists(tmp_path: Path, header: str, cells: list[str], expected: list[list[str]]) -> None:
    names = header.split(",")
    file = opened(
        tmp_path / "file.csv",
        f"{HEAD},{header}\n"
        + "".join(",".join(["n", "c", "i", "x", f'"{text}"', *[""] * (len(names) - 1)]) + "\n" for text in cells),
    )
    columns = Columns(file, FIELDS, update=False)
    assert [columns.item(row).values[names[0]] for row in file.rows()] == expected


def test_who_says_what_joins_lists_is_believed(tmp_path: Path) -> None:
    file = opened(tmp_path / "file.csv", f'{HEAD},examples\nn,c,i,x,"Well, no"\n')
    (row,) = file.rows()
    by_file, by_word = Columns(file, FIELDS, update=False), Columns(file, FIELDS, update=False, lists="|")
    assert by_file.item(row).values["examples"] == ["Well", "no"]
    assert by_word.item(row).values["examples"] == ["Well, no"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no known column"),
        (b"a,b\n1,2\n", "no known column"),
        (HEAD.encode("utf-16"), "is not UTF-8"),
        (f"{HEAD}\nAndré,c,i,x\n".encode("cp1252"), "is not UTF-8"),
        (f'{HEAD}\nn,c,i,x\nn,c,i,"never closed\n'.encode(), "line 3"),
        (f'{HEAD}\nn,c,i,"x"y\n'.encode(), "line 2"),
        (f"{HEAD},extra\n".encode(), "'extra'"),
        (f"{HEAD},NAME\n".encode(), "two columns for name"),
        (b"name,color\n", "icon, instructions"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(FileError) as refused:
        Columns(opened(tmp_path / "file.csv", content), FIELDS, update=False)
    assert said in str(refused.value)


@pytest.mark.parametrize("begin", ["", f"{HEAD}\nn,c,i,x\n", f'{HEAD}\nn,c,i,"x\n'])
def test_a_line_without_end_is_refused_before_it_is_in_memory(tmp_path: Path, begin: str) -> None:
    # Given a file whose last line has 200 MB
    path = tmp_path / "file.csv"
    path.write_text(begin)
    with path.open("r+b") as raw:
        raw.truncate(200_000_000)
    # When it is read
    tracemalloc.start()
    try:
        with pytest.raises(FileError) as refused:
            Columns(CsvFile(path, is_known), FIELDS, update=False)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Then the error names the line, and no more of it was held than a row may have.
    line = 1 + begin.count("\n")
    assert str(refused.value) == f"{path}, line {line}: the row is longer than {ROW_MAX} characters."
    assert most < 6 * ROW_MAX


def test_a_row_of_many_lines_is_bounded_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given rows of 100 characters in five lines, and one of more
    monkeypatch.setattr(csv_file, "ROW_MAX", 100)
    row = ",".join(f'"{letter * 10}\n{letter * 9}"' for letter in "ncix") + ",".ljust(8) + "\n"
    assert len(row) == 100
    # Then rows that fit are read however many they are, and the error names the line in which the long one is too long.
    file = opened(tmp_path / "file.csv", f"{HEAD},active_flag\n{row}{row}")
    assert len(list(file.rows())) == 2
    long = opened(tmp_path / "long.csv", f"{HEAD},active_flag\n{row}{row.replace('x', 'xx')}")
    with pytest.raises(FileError, match="line 11: the row is longer than 100 characters"):
        list(long.rows())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("n,c,i,x,true,more", "has 6 cells, and the header names 5: is a text not quoted?"),
        ("n,c,i,x,perhaps", "active_flag: must be true or false"),
        ("n,c,i", "the file ends within this row, after 3 of 5 cells"),
    ],
)
def test_rows_that_are_refused(tmp_path: Path, line: str, reason: str) -> None:
    file = opened(tmp_path / "file.csv", f"{HEAD},active_flag\n\n{line}")
    columns = Columns(file, FIELDS, update=False)
    (row,) = file.rows()
    assert row.number == 3
    assert columns.item(row).faults == [reason]


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("true TRUE wahr WAHR vrai VRAI Verdadero VERDADEIRO vero Waar", True),
        ("false FALSE Falsch FALSCH faux FAUX falso FALSO onwaar ONWAAR", False),
        ("1 yes YES ja Ja oui sí SÍ si sim Sim sì \uff11", True),
        ("0 no No nein Nein non não NÃO nao nee Nee", False),
        ("active ACTIVE", True),
    ],
)
def test_switches(tmp_path: Path, words: str, value: bool) -> None:
    # Given what spreadsheets and people write in seven languages, and the label of the flag
    file = opened(tmp_path / "file.csv", f"{HEAD},Active\n" + "".join(f"n,c,i,x, {word}\n" for word in words.split()))
    columns = Columns(file, FIELDS, update=False, yes=["Active "])
    assert {columns.item(row).values["active_flag"] for row in file.rows()} == {value}


def test_a_row_tells_all_that_cannot_be_read_in_it(tmp_path: Path) -> None:
    file = opened(tmp_path / "file.csv", f"{PERSONA_ID},{HEAD},Active,{VERSION}\n{ID},n,c,i,x,perhaps,v3\n")
    (row,) = file.rows()
    item = Columns(file, FIELDS, update=True).item(row)
    assert item.faults == ["version: must be a whole number, as it was exported", "active_flag: must be true or false"]
    assert item.values == {PERSONA_ID: ID, "name": "n", "color": "c", "icon": "i", "instructions": "x"}


@pytest.mark.parametrize(
    ("head", "cells", "update", "expected", "unguarded"),
    [
        (f",{VERSION}", ",7", True, {"expected_version": 7}, 0),
        (f",{VERSION}", ", 7 ", True, {"expected_version": 7}, 0),
        (f",{VERSION}", ",", True, {}, 1),
        (f",{VERSION}", "", True, {}, 1),
        ("", "", True, {}, 1),
        (f",{VERSION}", ",7", False, {}, 0),
    ],
)
def test_a_version_guards_the_update_of_its_row(
    tmp_path: Path, head: str, cells: str, update: bool, expected: dict[str, int], unguarded: int
) -> None:
    file = opened(tmp_path / "file.csv", f"{PERSONA_ID},{HEAD}{head}\n{ID},n,c,i,x{cells}\n")
    columns = Columns(file, FIELDS, update=update)
    (row,) = file.rows()
    assert {key: value for key, value in columns.item(row).values.items() if "version" in key} == expected
    assert columns.unguarded == unguarded


@given(rows=st.lists(values, min_size=1, max_size=3), mark=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rejected_rows_say_what_they_said_before(tmp_path: Path, rows: list[dict[str, object]], mark: bool) -> None:
    # Given a file by hand, whose lists are joined by commas where no bar is in the column
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";")
    writer.writerow([*KEYS, REASON] if mark else KEYS)
    writer.writerows([*cells_of(row), "old"][: len(KEYS) + mark] for row in rows)
    file = opened(tmp_path / "file.csv", text.getvalue())
    columns = Columns(file, FIELDS, update=False)
    # When each of its rows is rejected
    file.write_rejected(tmp_path / "again.csv", ((columns.in_own_form(row), "=why") for row in file.rows()))
    again = opened(tmp_path / "again.csv", (tmp_path / "again.csv").read_bytes())
    # Then the new file asks for the same, and has one column of reasons
    reread = Columns(again, FIELDS, update=False)
    assert [reread.item(row) for row in again.rows()] == [columns.item(row) for row in file.rows()]
    assert list(again.header) == [REASON, *KEYS]
    assert {row.cells[0] for row in again.rows()} == {"'=why"}


def test_rejected_rows_that_cannot_all_be_written_leave_no_file(tmp_path: Path) -> None:
    # Given a file that cannot be read to its end any more
    file = opened(tmp_path / "file.csv", f"{HEAD}\nn,c,i,x\n")
    rows = file.rows()
    file.path.write_bytes(f"{HEAD}\nn,c,i,x\n\xff\n".encode("latin-1"))
    # When its rows are written as rejected, then nothing of them lies beside it
    with pytest.raises(FileError, match="is not UTF-8"):
        file.write_rejected(tmp_path / "again.csv", ((row, "why") for row in rows))
    assert list(tmp_path.iterdir()) == [file.path]


class TestJournal:
    def test_a_line_that_was_cut_off_is_not_there(self, tmp_path: Path) -> None:
        # Given a journal whose process died while it wrote its second line
        path = tmp_path / "journal"
        with Journal.opened(path, {"file": "f"}) as journal:
            run = journal.run
            journal.settle({2: Outcome("created"), 3: Outcome("rejected", "Why\nnot?")})
        whole = path.read_bytes()
        path.write_bytes(whole + b'{"4": ["crea')
        # When it is opened again, then it has the first, and goes on behind it
        with Journal.opened(path, {"file": "f"}) as journal:
            assert (journal.run, journal.resumed) == (run, True)
            assert journal.outcomes == {2: Outcome("created"), 3: Outcome("rejected", "Why\nnot?")}
            assert path.read_bytes() == whole
            journal.settle({4: Outcome("there")})
        with Journal.opened(path, {"file": "f"}) as journal:
            assert journal.outcomes.keys() == {2, 3, 4}

    def test_one_import_at_a_time(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        with Journal.opened(path, {}), pytest.raises(FileError, match="is running"), Journal.opened(path, {}):
            pass

    def test_another_plan(self, tmp_path: Path) -> None:
        path = tmp_path / "journal"
        with Journal.opened(path, {"file": "f"}):
            pass
        with pytest.raises(FileError, match="have changed"), Journal.opened(path, {"file": "g"}):
            pass
