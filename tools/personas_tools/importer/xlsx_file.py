"""A workbook (.xlsx) as people and spreadsheets write it: the rows of its first sheet; and the workbook of what failed.

Formulas are never run, nor are the values believed that a spreadsheet has kept of them.
"""

import datetime
import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol
from xml.parsers import expat

from openpyxl.cell.text import Text
from openpyxl.reader.excel import ExcelReader
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.xml.constants import SHARED_STRINGS, SHEET_MAIN_NS
from openpyxl.xml.functions import iterparse

from personas.domain.cells import escape
from personas_tools import workbook
from personas_tools.importer.rows import FileError, Row, with_reasons

PARTS_MAX: Final = 1_000
UNPACKED_MAX: Final = 256_000_000
"""Bytes of all parts of a workbook together: twice what 100,000 personas take."""

_BEGIN: Final = 64
_BLANK: Final = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
"""Bytes that may stand before XML, in UTF-8 or UTF-16."""
_EXACT: Final = 2.0**53

_NOT_SOUND: Final = (
    *(InvalidFileException, zipfile.BadZipFile, zlib.error, expat.ExpatError, SyntaxError, EOFError),
    *(NotImplementedError, RuntimeError, LookupError, ValueError, TypeError, AttributeError),
)
"""Errors that zipfile, expat and openpyxl raise of a file that is no workbook, or not a whole one."""


class XlsxFile:
    """The workbook at ``path``, in which some names of the first sheet's header are ``known``.

    Raises:
        FileError: it cannot be read, or no name in its header is known.
    """

    def __init__(self, path: Path, known: Callable[[str], bool]) -> None:
        self.path = path
        with self._told():
            with path.open("rb") as raw:
                self.digest = hashlib.file_digest(raw, "sha256").hexdigest()
            with self._sound():
                _check(path)
        self.header: Sequence[str] = next(self._records(), Row(1, [])).cells
        if not any(map(known, self.header)):
            raise FileError(f"{path} has no known column: the first line of its first sheet should name the columns.")

    @property
    def suffix(self) -> str:
        """The ending of the name of a file of this format."""
        return ".xlsx"

    @property
    def form(self) -> str:
        """Its format, in words."""
        return "the first sheet of a workbook"

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header; those of which every cell is blank are passed over.

        Raises:
            FileError: it is no workbook, or not a whole one.
        """
        records = self._records()
        next(records, None)
        for row in records:
            # A cell that is not there is an empty one: no workbook has the others.
            yield row._replace(cells=[*row.cells, *[""] * (len(self.header) - len(row.cells))])

    def write_rejected(self, path: Path, rejected: Iterable[tuple[Row, str]]) -> None:
        """Write rows and the reasons why they were not saved, in the form of this file; as a whole or not at all.

        Raises:
            FileError: it cannot be written.
        """
        with self._told():
            workbook.write(path, ([_fitting(cell) for cell in cells] for cells in with_reasons(self.header, rejected)))

    def _records(self) -> Iterator[Row]:
        with self._told(), self.path.open("rb") as raw:
            with self._sound():
                reader = _Reader(raw, read_only=True, keep_links=False)
                reader.read()
                sheet = reader.wb.worksheets[0]
                sheet.reset_dimensions()  # what a file says of its extent need not be so
                lines = sheet.iter_rows()
            for number in range(1, workbook.ROWS_MAX + 1):
                with self._sound():
                    cells = next(lines, None)
                if cells is None:
                    return
                row = _row(number, cells)
                if any(map(str.strip, row.cells)):
                    yield row
            raise FileError(f"{self.path} has more rows than a sheet can have.")

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """Say so of a file that is no workbook: around what other packages do with it, and nothing else."""
        try:
            yield
        except _NOT_SOUND as error:
            raise FileError(f"{self.path} is no sound workbook: {str(error) or type(error).__name__}.") from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise FileError(f"{error.filename or self.path}: {error.strerror or error}.") from error


def _check(path: Path) -> None:
    """Hold a workbook against what can be unpacked, before it is.

    Raises:
        FileError: it is too large.
        ValueError: its XML has a document type, by which entities could be declared.
    """
    with zipfile.ZipFile(path) as archive:
        parts = archive.infolist()
        if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_MAX:
            raise FileError(f"{path} is larger than {UNPACKED_MAX} bytes unpacked, or has more than {PARTS_MAX} parts.")
        for part in parts:
            with archive.open(part) as content:
                if not content.read(_BEGIN).lstrip(_BLANK).startswith(b"<"):
                    continue  # a picture
                content.seek(0)
                parser = expat.ParserCreate()
                parser.StartDoctypeDeclHandler = _refuse
                parser.ParseFile(content)


def _refuse(*_: object) -> None:
    raise ValueError("it declares a document type")


class _Reader(ExcelReader):
    """A reader of strings as they are: openpyxl itself removes "x005F_" wherever it stands in one."""

    def read_strings(self) -> None:
        """Read the table of strings that cells point into."""
        listed = self.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]  # the stubs leave it out
        if listed is not None:
            with self.archive.open(listed.PartName.removeprefix("/")) as part:
                self.shared_strings = list(_strings(part))


def _strings(part: IO[bytes]) -> Iterator[str]:
    for _, node in iterparse(part):
        if node.tag == f"{{{SHEET_MAIN_NS}}}si":
            text = Text.from_tree(node)
            yield "" if text is None else text.content
            node.clear()


class _Cell(Protocol):
    """A cell as openpyxl reads it."""

    @property
    def value(self) -> object:
        """Its content."""

    @property
    def data_type(self) -> str:
        """The type of the content, a letter."""


def _row(number: int, cells: Iterable[_Cell]) -> Row:
    texts: list[str] = []
    unreadable: dict[int, str] = {}
    for position, cell in enumerate(cells):
        text, fault = _text(cell)
        texts.append(text)
        if fault is not None:
            unreadable[position] = fault
    return Row(number, texts, unreadable=unreadable)


def _text(cell: _Cell) -> tuple[str, str | None]:
    """Return the text of a cell, and the reason why that cannot be taken, or None."""
    value = cell.value
    if cell.data_type == "f":
        return escape(str(value)), "is a formula: copy the column, and paste it as values"
    if cell.data_type == "e":
        return escape(str(value)), "is an error"
    if isinstance(value, str):
        text = workbook.decoded(value)
        too_long = workbook.units(text) > workbook.CELL_MAX
        return text, f"has more than {workbook.CELL_MAX} characters, which no cell can have" if too_long else None
    if isinstance(value, bool):
        return str(value).lower(), None
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta):
        return str(value), "is a date: make it a text"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value)), None
    return ("" if value is None else str(value)), None


def _fitting(text: str) -> str:
    """Return as much of a text as a cell holds."""
    while max(len(workbook.encoded(text)), workbook.units(text)) > workbook.CELL_MAX:
        text = text[: len(text) * 9 // 10]
    return text
