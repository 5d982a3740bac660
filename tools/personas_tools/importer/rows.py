"""A file of rows: what an import reads, whatever its format, and where it writes the rows that were rejected."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from personas.domain.cells import escape
from personas.domain.folding import fold

REASON: Final = "rejected_because"
"""The first column of a file of rejected rows. An import passes over it."""


class FileError(Exception):
    """The file cannot be imported as a whole; the message says why and what to do."""


class Row(NamedTuple):
    """A row: its number as a spreadsheet shows it (the header's is 1 unless blank lines precede it), and its cells."""

    number: int
    cells: list[str]
    fault: str | None = None
    """The reason why the row cannot be trusted, where the file itself is to blame."""
    unreadable: Mapping[int, str] = {}  # nobody writes to it
    """The reasons why cells cannot be taken, by position."""


class RowFile(Protocol):
    """A file of rows below a header."""

    @property
    def path(self) -> Path:
        """The path of the file."""

    @property
    def digest(self) -> str:
        """The SHA-256 hash of its bytes."""

    @property
    def header(self) -> Sequence[str]:
        """The names of its columns."""

    @property
    def suffix(self) -> str:
        """The ending of the name of a file of this format."""

    @property
    def form(self) -> str:
        """Its format, in words."""

    def rows(self) -> Iterator[Row]:
        """Return the rows below the header; those of which every cell is blank are passed over.

        Raises:
            FileError: it cannot be read any further.
        """

    def write_rejected(self, path: Path, rejected: Iterable[tuple[Row, str]]) -> None:
        """Write rows and the reasons why they were not saved, in the form of this file; as a whole or not at all.

        Raises:
            FileError: it cannot be written.
        """


def with_reasons(header: Sequence[str], rejected: Iterable[tuple[Row, str]]) -> Iterator[list[str]]:
    """Yield the lines of a file of rejected rows: the reasons in a column of their own before all others."""
    earlier = {position for position, name in enumerate(header) if fold(name).strip() == REASON}

    def line(reason: str, cells: Sequence[str]) -> list[str]:
        return [reason, *(cell for position, cell in enumerate(cells) if position not in earlier)]

    yield line(REASON, header)
    for row, reason in rejected:
        yield line(escape(reason), row.cells)
