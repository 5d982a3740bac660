"""Workbooks (.xlsx) of one sheet in which every cell is a text, and stays the text that it is.

No cell is ever a number, a date or a formula, whatever it looks like. XML 1.0 has no place for some characters, and
reads a carriage return as a line feed: such a character is written as ``_xHHHH_``, as the format has it (ECMA-376,
ST_Xstring), and what looks like that is written with its underscore escaped.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from openpyxl import Workbook
from openpyxl.cell import Cell, WriteOnlyCell
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._write_only import WriteOnlyWorksheet

from personas_tools.whole_files import draft_of

CELL_MAX: Final = 32_767
"""Characters of a cell, in units of UTF-16: no spreadsheet holds more."""
ROWS_MAX: Final = 1_048_576
SHEET: Final = "Personas"
_TEXT: Final = "@"
"""The number format of a cell in which a spreadsheet takes what is typed as a text."""

_UNFIT: Final = "\x00-\x08\x0b-\x1f\ufffe\uffff"
_TO_ESCAPE: Final = re.compile(f"[{_UNFIT}]|_(?=x[0-9A-Fa-f]{{4}}[_{_UNFIT}])")
_ESCAPED: Final = re.compile("_x(?![Dd][89A-Fa-f])([0-9A-Fa-f]{4})_")  # a surrogate is no character


class CellTooLong(ValueError):
    """A text does not fit into a cell."""

    def __init__(self, row: Sequence[str], position: int) -> None:
        super().__init__(f"{units(row[position])} characters, and a cell holds {CELL_MAX}")
        self.row = row
        self.position = position


class TooManyRows(ValueError):
    """There are more rows than a sheet has."""


def encoded(text: str) -> str:
    """Return the text as it stands in the XML of a workbook."""
    return _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def decoded(content: str) -> str:
    """Return the text that `encoded` made this content of; what stands for no character is left as it is."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), content)


def units(text: str) -> int:
    """Return the length of a text as spreadsheets count it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def write(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """Write a workbook of these rows, the header first; as a whole or not at all.

    Raises:
        CellTooLong: a cell cannot hold its text.
        TooManyRows: the sheet cannot hold them all.
        OSError: it cannot be written.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(SHEET)
    sheet.freeze_panes = "A2"
    try:
        for number, row in enumerate(rows):
            if number == ROWS_MAX:
                raise TooManyRows(f"a sheet holds {ROWS_MAX} rows")
            if number == 0:
                for position in range(len(row)):
                    sheet.column_dimensions[get_column_letter(position + 1)].number_format = _TEXT
            sheet.append([_cell(sheet, row, position) for position in range(len(row))])
    finally:
        sheet.close()  # openpyxl has begun to write it
    with draft_of(path) as draft, draft.open("wb") as file:
        book.save(file)


def _cell(sheet: WriteOnlyWorksheet, row: Sequence[str], position: int) -> Cell:
    content = encoded(row[position])
    if max(len(content), units(row[position])) > CELL_MAX:
        raise CellTooLong(row, position)
    cell = WriteOnlyCell(sheet, content)
    cell.data_type = "s"  # whatever the content looks like
    cell.number_format = _TEXT
    return cell
