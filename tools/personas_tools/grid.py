"""Tables of texts, as commands print them."""

from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from personas_tools.screen import printable

_PIPE_WIDTH: Final = 500
"""A pipe or a file has no width: each row is one line, for whatever reads it."""


class Grid:
    """A table of texts, each shown as it stands: no markup, no control characters."""

    def __init__(self, *columns: str) -> None:
        self._table = Table(*columns, box=None, pad_edge=False)

    @property
    def row_count(self) -> int:
        """The number of its rows."""
        return self._table.row_count

    def add_row(self, *cells: str) -> None:
        """Add a row at the end."""
        self._table.add_row(*(Text(printable(cell)) for cell in cells))

    def show(self) -> None:
        """Print it to standard output."""
        screen = Console()
        (screen if screen.is_terminal else Console(width=_PIPE_WIDTH)).print(self._table)
