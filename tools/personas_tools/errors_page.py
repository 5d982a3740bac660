"""docs/errors.md, read as the two tables that it holds: the errors of the functions, and those of API Gateway."""

import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final, NamedTuple

from personas.contract.operation import Operation
from personas.contract.registry import ROUTES

ERRORS: Final = Path(__file__).resolve().parents[2] / "docs" / "errors.md"

_CODE: Final = re.compile(r"`(\w+)`")


class Failure(NamedTuple):
    """A kind of error: which operations may answer it, when, and what helps."""

    statuses: tuple[int, ...]
    codes: tuple[str, ...]
    where: frozenset[str]
    when: str


class ErrorsPageError(Exception):
    """docs/errors.md cannot be read as the table that the document is made of."""


def failures_in(page: str) -> Iterator[Failure]:
    """Yield the rows of the table of what the functions answer."""
    for statuses, codes, where, when, _ in _rows(page, "status", "code", "where", "when", "what to do"):
        named = tuple(_CODE.findall(codes))
        yield Failure(tuple(map(int, statuses.split(","))), named, frozenset(_operations(where)), when)


def _operations(where: str) -> Iterator[str]:
    kinds: dict[str, Callable[[Operation], bool]] = {
        "all": lambda _: True,
        "a body": lambda operation: operation.request is not None,
        "writing": lambda operation: operation.writes,
        "keyed": lambda operation: operation.idempotent_header,
    }
    if where in kinds:
        yield from (name for name, operation in ROUTES.items() if kinds[where](operation))
        return
    for name in where.split(", "):
        if name not in ROUTES:
            raise ErrorsPageError(f"{ERRORS.name}: {name!r} is neither an operation nor one of {', '.join(kinds)}")
        yield name


def gateway_answers_in(page: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the answers of API Gateway itself by status: the message, and when it is sent."""
    for status, message, when in _rows(page, "status", "message", "when"):
        if int(status) != HTTPStatus.NOT_FOUND:  # that is for paths that are none of the operations
            yield int(status), (message, when)


def _rows(page: str, *columns: str) -> Iterator[list[str]]:
    """Yield the rows of the table that has these columns."""
    header = f"| {' | '.join(columns)} |\n"
    _, found, behind = page.partition(header)
    if not found:
        raise ErrorsPageError(f"{ERRORS.name} has no table with the columns {', '.join(columns)}")
    for line in behind.splitlines()[1:]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
        if len(cells) != len(columns):
            raise ErrorsPageError(f"{ERRORS.name}: a row of {len(cells)} cells where {len(columns)} are needed: {line}")
        yield cells
