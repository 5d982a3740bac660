"""Workbooks as import files: what people and spreadsheets write is read, hostile ones are refused in plain words."""

import datetime
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from personas_tools import workbook
from personas_tools.importer import xlsx_file
from personas_tools.importer.columns import PERSONA_ID, Columns
from personas_tools.importer.rows import REASON, FileError
from personas_tools.importer.xlsx_file import XlsxFile
from support.import_fields import FIELDS, KEYS, cells_of, filled, is_known

HEAD: Final = ["name", "color", "icon", "instructions", "description"]
SHEET: Final = "xl/worksheets/sheet1.xml"
TYPES: Final = "[Content_Types].xml"
MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRINGS_TYPE: Final = (
    'PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"'
)

values: Final = filled("'\t\r\n =+-@|\\,;\"\x00\x0b_x005F\ufffe\ufeff\uff1dab😀", 12)


def opened(path: Path) -> XlsxFile:
    return XlsxFile(path, is_known)


def saved(path: Path, *rows: list[object]) -> Path:
    """Write a workbook as a spreadsheet saves it, with strings kept apart."""
    book = Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def changed(path: Path, part: str, how: Callable[[bytes], bytes], *rows: list[object]) -> Path:
    """Write a workbook with one of its parts changed."""
    saved(path, *(rows or (HEAD[:], ["n", "c", "i", "x"])))
    change(path, part, how)
    return path


def change(path: Path, part: str, how: Callable[[bytes], bytes]) -> None:
    """Change one part of a workbook, or add it."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts[part] = how(parts.get(part, b""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(values, max_size=3))
def test_what_was_exported_is_read_back(tmp_path: Path, rows: list[dict[str, object]]) -> None:
    # Given personas written by the rules of an export
    path = tmp_path / "file.xlsx"
    workbook.write(path, [[PERSONA_ID, *KEYS], *(["1", *cells_of(row)] for row in rows)])
    # When they are read, then the items are the personas, but for lists that are empty
    file = opened(path)
    columns = Columns(file, FIELDS, update=False)
    items = [columns.item(row) for row in file.rows()]
    assert [item.values for item in items] == [
        {key: value for key, value in row.items() if value != []} for row in rows
    ]
    # And when each is rejected, then the file of those asks for the same
    file.write_rejected(tmp_path / "again.xlsx", ((row, "=why") for row in file.rows()))
    again = opened(tmp_path / "again.xlsx")
    reread = Columns(again, FIELDS, update=False)
    rejected = [*again.rows()]
    assert [reread.item(row) for row in rejected] == items
    assert {row.cells[0] for row in rejected} <= {"'=why"}
    assert again.header[0] == REASON


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("0012", "0012"),
        ("1E5", "1E5"),
        ("_x000D_", "\r"),
        ("_x005F_x000D_", "_x000D_"),
        ("x005F_", "x005F_"),
        (" a ", " a "),
        (12, "12"),
        (12.0, "12"),
        (0.5, "0.5"),
        (True, "true"),
        (None, ""),
        (CellRichText("plain ", TextBlock(InlineFont(b=True), "bold")), "plain bold"),
    ],
)
def test_a_cell_is_read_as_a_text(tmp_path: Path, value: object, read: str) -> None:
    file = opened(saved(tmp_path / "file.xlsx", HEAD[:], ["n", "c", "i", "x", value, None]))
    (row,) = file.rows()
    assert row.cells[4] == read


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("=1+1", "description: is a formula: copy the column, and paste it as values"),
        ("#N/A", "description: is an error"),
        (datetime.datetime(2026, 11, 27), "description: is a date: make it a text"),  # noqa: DTZ001  # a sheet knows no zone
    ],
)
def test_a_cell_that_is_no_text_is_told_beside_all_else(tmp_path: Path, value: object, reason: str) -> None:
    file = opened(saved(tmp_path / "file.xlsx", [*HEAD, "active"], ["n", "c", "i", "x", value, "perhaps"]))
    (row,) = file.rows()
    item = Columns(file, FIELDS, update=False).item(row)
    assert item.faults == [reason, "active_flag: must be true or false"]
    assert "description" not in item.values


def test_rows_keep_their_numbers_and_cells_that_are_not_there_are_empty(tmp_path: Path) -> None:
    file = opened(saved(tmp_path / "file.xlsx", HEAD[:], [], ["n", "c", "i", "x"], [None, " "], ["m"]))
    assert [(row.number, row.cells) for row in file.rows()] == [
        (3, ["n", "c", "i", "x", ""]),
        (5, ["m", "", "", "", ""]),
    ]


def test_a_cell_that_was_emptied_clears(tmp_path: Path) -> None:
    head = [PERSONA_ID, "name", "description"]
    file = opened(saved(tmp_path / "file.xlsx", head, ["5b0d8a34-6a4e-4f0e-9a37-0f6f0c5d2e11", "n"]))
    (row,) = file.rows()
    assert Columns(file, FIELDS, update=True).item(row).values["description"] is None


@pytest.mark.parametrize(
    ("content", "read"),
    [
        ("0012", "0012"),
        ("=1+1", "=1+1"),
        ("x005F_", "x005F_"),
        ("_x005F_x000D_", "_x000D_"),
        ("a_x000D_&#10;b", "a\r\nb"),
        ("&#13;", "\r"),
    ],
)
def test_strings_that_a_spreadsheet_keeps_apart_are_read(tmp_path: Path, content: str, read: str) -> None:
    # Given a sheet whose cells point into a table of strings, as all spreadsheets write it
    strings = "".join(f'<si><t xml:space="preserve">{each}</t></si>' for each in [*HEAD, content])

    def pointing(sheet: bytes) -> bytes:
        for number, name in enumerate([*HEAD, "here"]):
            sheet = sheet.replace(f't="inlineStr"><is><t>{name}</t></is>'.encode(), f't="s"><v>{number}</v>'.encode())
        return sheet

    path = changed(tmp_path / "file.xlsx", SHEET, pointing, HEAD[:], ["n", None, None, None, "here"])
    change(path, TYPES, lambda types: types.replace(b"</Types>", f"<Override {STRINGS_TYPE}/></Types>".encode()))
    change(path, "xl/sharedStrings.xml", lambda _: f'<sst xmlns="{MAIN}">{strings}</sst>'.encode())
    (row,) = opened(path).rows()
    assert row.cells[4] == read


# ---- Files that are refused ------------------------------------------------------------------------------------------


def with_type(declared: str) -> Callable[[bytes], bytes]:
    return lambda content: f"<!DOCTYPE x [{declared}]>".encode() + content.replace(b"</sheetData>", b"&a;</sheetData>")


@pytest.mark.parametrize(
    "how",
    [
        with_type('<!ENTITY a SYSTEM "file:///etc/passwd">'),
        with_type('<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'),
        lambda content: (
            b'<?xml version="1.0" encoding="utf-16"?>'.decode().encode("utf-16")
            + with_type("<!ENTITY a 'x'>")(content).decode().encode("utf-16-le")
        ),
    ],
)
def test_a_document_type_is_refused(tmp_path: Path, how: Callable[[bytes], bytes]) -> None:
    with pytest.raises(FileError, match="is no sound workbook: it declares a document type"):
        opened(changed(tmp_path / "file.xlsx", SHEET, how))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = changed(tmp_path / "file.xlsx", SHEET, lambda content: content + b" " * (xlsx_file.UNPACKED_MAX + 1))
    assert path.stat().st_size < 1_000_000
    with pytest.raises(FileError, match="is larger than 256000000 bytes unpacked"):
        opened(path)


def test_too_many_parts_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "file.xlsx", HEAD[:])
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(xlsx_file.PARTS_MAX):
            archive.writestr(f"xl/{number}", b"")
    with pytest.raises(FileError, match="more than 1000 parts"):
        opened(path)


def test_rows_that_no_sheet_has_are_refused(tmp_path: Path) -> None:
    far = changed(tmp_path / "file.xlsx", SHEET, lambda content: content.replace(b'r="2"', b'r="999999999999"'))
    with pytest.raises(FileError, match="more rows than a sheet can have"):
        list(opened(far).rows())


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        b"PK\x03\x04" + b"\x00" * 100,
        b"PK\x05\x06" + b"\x00" * 18,
    ],
)
def test_what_is_no_workbook_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.xlsx"
    path.write_bytes(content)
    with pytest.raises(FileError, match="is no sound workbook"):
        opened(path)


@pytest.mark.parametrize("length", range(0, 4_000, 400))
def test_a_workbook_that_was_cut_off_is_refused(tmp_path: Path, length: int) -> None:
    path = saved(tmp_path / "file.xlsx", HEAD[:], ["n", "c", "i", "x"])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(FileError, match="is no sound workbook"):
        opened(path)


@pytest.mark.parametrize(
    "how",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content.replace(b'r="A2"', b'r="AAAAAAAA2"'),
        lambda content: content.replace(b't="inlineStr"', b't="n"').replace(b"<is><t>n</t></is>", b"<v>x</v>"),
        lambda content: content.replace(b't="inlineStr"', b't="s"').replace(b"<is><t>n</t></is>", b"<v>999</v>"),
        lambda content: b"",
    ],
)
def test_a_sheet_that_is_not_sound_is_refused(tmp_path: Path, how: Callable[[bytes], bytes]) -> None:
    with pytest.raises(FileError, match="is no sound workbook"):
        list(opened(changed(tmp_path / "file.xlsx", SHEET, how)).rows())


def test_a_first_sheet_without_a_header_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="first line of its first sheet should name the columns"):
        opened(saved(tmp_path / "file.xlsx", ["a", "b"]))
