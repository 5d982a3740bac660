"""What commands write to a terminal or a pipe, and what they ask."""

import sys
from typing import Final

import click
from rich.console import Console
from rich.table import Table

_PIPE_WIDTH: Final = 500
"""A pipe or a file has no width: each row is one line, for whatever reads it."""


def grid(*columns: str) -> Table:
    """Return an empty table with these column names."""
    return Table(*columns, box=None, pad_edge=False)


def show(table: Table) -> None:
    """Print a table to standard output."""
    screen = Console()
    (screen if screen.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


def confirm(question: str, *, yes: bool, otherwise: str) -> None:
    """Go on where ``yes`` was given or the answer to the question is yes.

    Raises:
        ClickException: nobody sits at the terminal; the message ends with ``otherwise``.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.ClickException(f"{question} {otherwise}")
    click.confirm(question, abort=True, err=True)
