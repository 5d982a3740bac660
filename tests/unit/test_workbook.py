"""Workbooks: each cell is the text that went in, for whoever reads it."""

import re
import zipfile
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from personas_tools import workbook
from personas_tools.workbook import CELL_MAX, CellTooLong, TooManyRows, decoded, encoded, write
from support.commands import modules_of

ALIKE: Final = "_x005F000BdD8\x00\x0b\r\n\t\x1f\ufffe\uffff"
"""Characters that escapes are made of, and those that have to be escaped."""
texts: Final = st.text(st.characters(codec="utf-8"), max_size=20) | st.text(ALIKE, max_size=20)


@given(texts)
@example("_x005F_x000B_")
@example("_x0041\x0b")
@example("_xD83D_")
def test_a_text_comes_back(text: str) -> None:
    assert decoded(encoded(text)) == text


@given(texts)
def test_xml_can_hold_what_is_written(text: str) -> None:
    # XML 1.0, section 2.2; and no carriage return, which parsers read as a line feed
    assert re.search("[\x00-\x08\x0b-\x1f\ufffe\uffff]", encoded(text)) is None


@pytest.mark.parametrize(
    ("content", "text"),
    [("a_x000D_\nb", "a\r\nb"), ("_x005f_x000b_", "_x000b_"), ("_x005F_", "_"), ("_xD800_", "_xD800_")],
)
def test_what_spreadsheets_write_is_read(content: str, text: str) -> None:
    assert decoded(content) == text


def cells(path: Path) -> list[tuple[str, object]]:
    """Return the first cell of each row: its type and its value."""
    return [(row[0].data_type, row[0].value) for row in load_workbook(path).worksheets[0].iter_rows()]


@pytest.mark.parametrize(
    "text", ["=1+1", "0012", "1E5", "12", "TRUE", "#N/A", "2026-11-27", "+1", "'x", " x ", "\n", "é😀"]
)
def test_every_cell_is_a_text(tmp_path: Path, text: str) -> None:
    write(tmp_path / "file.xlsx", [[text]])
    assert cells(tmp_path / "file.xlsx") == [("s", text)]


def test_nothing_in_the_file_is_a_formula_or_a_number(tmp_path: Path) -> None:
    write(tmp_path / "file.xlsx", [["=1+1", "12", "=cmd|' /C calc'!A0"]])
    with zipfile.ZipFile(tmp_path / "file.xlsx") as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()
    assert re.findall(r"<f\b|<v\b", sheet) == []
    assert re.findall(r'<c [^>]*t="(\w+)"', sheet) == ["inlineStr"] * 3


@pytest.mark.parametrize("text", ["x" * (CELL_MAX + 1), "😀" * (CELL_MAX // 2 + 1), "\x01" * (CELL_MAX // 7 + 1)])
def test_a_text_that_no_cell_holds_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(CellTooLong, match=f"a cell holds {CELL_MAX}") as refused:
        write(tmp_path / "file.xlsx", [["id", "text"], ["1", text]])
    assert (refused.value.row[0], refused.value.position) == ("1", 1)
    assert list(tmp_path.iterdir()) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["x" * CELL_MAX, "😀" * (CELL_MAX // 2)]))
def test_a_text_that_fills_a_cell_is_whole(tmp_path: Path, text: str) -> None:
    write(tmp_path / "file.xlsx", [[text]])
    assert cells(tmp_path / "file.xlsx") == [("s", text)]


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "ROWS_MAX", 2)
    with pytest.raises(TooManyRows):
        write(tmp_path / "file.xlsx", [["a"], ["b"], ["c"]])
    assert list(tmp_path.iterdir()) == []


def test_a_command_without_a_workbook_does_not_wait_for_openpyxl() -> None:
    assert "openpyxl" not in modules_of("--help")
