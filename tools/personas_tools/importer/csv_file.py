"""A CSV file as people and spreadsheets write it: its separator, its header, its rows; and the file of what failed."""

import csv
import hashlib
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

from personas_tools.importer.rows import FileError, Row, with_reasons
from personas_tools.whole_files import draft_of

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}
ROW_MAX: Final = 10_000_000
"""Characters of a row, all its lines together. No body may be as long: in a longer one a quote was never closed."""


class CsvFile:
    """The CSV file at ``path``; of the three separators the one that makes most of the header's names ``known``.

    Raises:
        FileError: it cannot be read, or no name in its header is known.
    """

    def __init__(self, path: Path, known: Callable[[str], bool]) -> None:
        self.path = path
        with self._told(), path.open("rb") as raw:
            self.digest = hashlib.file_digest(raw, "sha256").hexdigest()
            raw.seek(max(0, raw.tell() - 1))
            self._ends_a_line = raw.read() in (b"\n", b"\r")
            raw.seek(0)
            self._begins_with_bom = raw.read(len(BOM_UTF8)) == BOM_UTF8
        headers = {separator: self._header(separator) for separator in SEPARATORS}
        counts = {separator: sum(map(known, header)) for separator, header in headers.items()}
        self.separator = max(counts, key=lambda each: counts[each])
        self.header: Sequence[str] = headers[self.separator]
        if not counts[self.separator]:
            raise FileError(f"{path} has no known column: its first line should name the columns.")

    @property
    def suffix(self) -> str:
        """The ending of the name of a file of this format."""
        return ".csv"

    @property
    def form(self) -> str:
        """Its format, in words."""
        return f"separated by {SEPARATORS[self.separator]}s"

    def rows(self) -> Iterator[Row]:
        """Yield the rows below the header; those of which every cell is blank are passed over.

        Raises:
            FileError: it is not UTF-8, its quotes are out of order, or a row is too long.
        """
        with self._told(), self._opened() as text:
            records = self._records(text, self.separator)
            next(records, None)
            held: Row | None = None
            for row in records:
                if held is not None:
                    yield held
                held = row
            if held is not None:
                have, needed = len(held.cells), len(self.header)
                # As an interrupted download leaves it.
                cut_off = f"the file ends within this row, after {have} of {needed} cells"
                yield held._replace(fault=cut_off if not self._ends_a_line and have < needed else None)

    def write_rejected(self, path: Path, rejected: Iterable[tuple[Row, str]]) -> None:
        """Write rows and the reasons why they were not saved, in the form of this file; as a whole or not at all.

        Raises:
            FileError: it cannot be written.
        """
        encoding = "utf-8-sig" if self._begins_with_bom else "utf-8"
        with self._told(), draft_of(path) as draft, draft.open("w", encoding=encoding, newline="") as text:
            writer = csv.writer(text, delimiter=self.separator, lineterminator="\r\n")
            writer.writerows(with_reasons(self.header, rejected))

    def _header(self, separator: str) -> list[str]:
        with self._told(), self._opened() as text:
            try:
                return next(self._records(text, separator), Row(1, [])).cells
            except csv.Error:
                # Quotes that are out of order with this separator may be in order with another one.
                return []

    def _opened(self) -> TextIO:
        # As it stands: the csv module tells the end of a line from one within quotes.
        return self.path.open(encoding="utf-8-sig", newline="")

    def _records(self, text: TextIO, separator: str) -> Iterator[Row]:
        # A cell of fifty examples takes more than the module's limit of 128 K.
        csv.field_size_limit(ROW_MAX)
        lines = _Lines(text)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        try:
            for number, cells in enumerate(reader, 1):
                lines.room = ROW_MAX
                if any(map(str.strip, cells)):
                    yield Row(number, cells)
        except csv.Error as error:
            error.add_note(f"line {reader.line_num}")
            raise
        except _TooLong as error:
            raise FileError(
                f"{self.path}, line {reader.line_num + 1}: the row is longer than {ROW_MAX} characters."
            ) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what can go wrong with a file into words for its owner."""
        try:
            yield
        except UnicodeDecodeError as error:
            raise FileError(f'{self.path} is not UTF-8. Save it as "CSV UTF-8".') from error
        except csv.Error as error:
            raise FileError(f"{self.path}, {', '.join(error.__notes__)}: {error}.") from error
        except OSError as error:
            raise FileError(f"{error.filename or self.path}: {error.strerror}.") from error


class _TooLong(Exception):
    """A row is longer than any that can be sent."""


class _Lines:
    """The lines of a text, read no further than ``room`` characters, which the reader of rows renews with each row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.room = ROW_MAX

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(self.room + 1):
            self.room -= len(line)
            if self.room < 0:
                raise _TooLong
            yield line
