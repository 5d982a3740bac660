"""A CSV file sent in one call, and the template that it is made of: rows and cells as existing clients read them."""

import csv
import io
from collections.abc import Mapping
from typing import Final

import pytest

from support.web_client import Service, Values, in_chunks, read, shown_in

ROWS: Final = 150
WRONG: Final[Mapping[int, tuple[str, str]]] = {
    3: ("color", "No such color"),
    41: ("name", ""),
    77: ("icon", ""),
    148: ("departments", "No such department"),
}
"""The wrong rows of the file: the column of the wrong cell, and the cell."""


def import_fields(service: Service) -> list[Values]:
    """Return the columns that a search tells of."""
    return list(read(service, "search", {"page_size": 1})["import_fields"])


def values(service: Service) -> dict[str, str]:
    """Return a value of each column of the catalogue that this group knows; of a list, two of them in one cell."""
    form = read(service, "get", {})
    two = {
        "departments": [each["name"] for each in form["departments"]["resources"][:2]],
        "voices": [each["voice"] for each in form["voices"]["resources"][:2]],
    }
    return {
        "color": form["colors"]["resources"][0]["name"],
        "icon": form["icons"]["resources"][0]["value"],
        **{column: ",".join(names) for column, names in two.items()},
    }


def template(columns: list[Values]) -> str:
    """Return the file that a client offers for download: a header, and a row of examples."""
    file = io.StringIO()
    csv.writer(file).writerows([[each["key"] for each in columns], [each["example"] for each in columns]])
    return file.getvalue()


def items_of(file: str, columns: list[Values]) -> list[Values]:
    """Return the items that a client makes of a file: cells of lists split at commas, empty cells left out."""
    types = {each["key"]: each for each in columns}
    items = []
    for row in csv.DictReader(io.StringIO(file)):
        item: Values = {}
        for key, cell in row.items():
            if types[key]["multi"]:
                item[key] = in_chunks(cell)
            elif types[key]["type"] == "boolean":
                item[key] = cell.lower() == "true"
            elif cell:
                item[key] = cell
        items.append(item)
    return items


def written(columns: list[Values], rows: list[Mapping[str, str]]) -> str:
    """Return a file of these rows."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [each["key"] for each in columns])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.fixture
def row(service: Service, mark: str) -> dict[str, str]:
    """Return a row that can be created, made of the template's examples where they are free texts."""
    columns = import_fields(service)
    (example,) = csv.DictReader(io.StringIO(template(columns)))
    return {**example, **values(service), "parameter_fields": "", "name": f"{mark} {example['name']}"}


def test_a_template_is_split_into_the_entries_that_it_shows(service: Service) -> None:
    columns = import_fields(service)

    (item,) = items_of(template(columns), columns)

    for column in columns:
        assert column["example"], column["key"]
        if column["multi"]:
            assert len(item[column["key"]]) > 1, column["key"]
            assert ",".join(item[column["key"]]) == column["example"]


def test_a_row_of_a_template_becomes_a_persona(service: Service, mark: str, row: dict[str, str]) -> None:
    columns = import_fields(service)

    (item,) = items_of(written(columns, [row]), columns)
    (result,) = read(service, "create", {"personas": [item]})["results"]

    shown = shown_in(read(service, "get", {"persona_id": result["persona_id"]}))
    assert (shown["name"], shown["active"]) == (row["name"], True)
    assert shown["examples"] == in_chunks(row["examples"])
    assert len(shown["voice_ids"]) == len(in_chunks(row["voices"]))


def test_150_rows_with_wrong_ones_among_them(service: Service, mark: str, row: dict[str, str]) -> None:
    # Given a file of 150 rows, some of which are wrong
    columns = import_fields(service)
    rows = [{**row, "name": f"{mark} row {number}"} for number in range(ROWS)]
    for number, (column, cell) in WRONG.items():
        rows[number] = {**rows[number], column: cell}

    # When all of it is sent in one call
    results = read(service, "create", {"personas": items_of(written(columns, rows), columns)})["results"]

    # Then each row has its result in its place, a wrong one with the name of its column,
    assert len(results) == ROWS
    assert {number for number, each in enumerate(results) if not each["success"]} == WRONG.keys()
    for number, (column, _) in WRONG.items():
        assert results[number]["persona_id"] is None
        assert {error["field"] for error in results[number]["errors"]} == {column}
    # the others are there at once,
    assert read(service, "search", {"search": f"{mark} row "})["total_count"] == ROWS - len(WRONG)

    # and the wrong ones are saved once they are corrected.
    mended = [{**row, "name": f"{mark} row {number}"} for number in WRONG]
    again = read(service, "create", {"personas": items_of(written(columns, mended), columns)})["results"]
    assert [each["success"] for each in again] == [True] * len(WRONG)
    assert read(service, "search", {"search": f"{mark} row "})["total_count"] == ROWS


def test_a_file_of_wrong_rows_is_told_row_by_row(service: Service, row: dict[str, str]) -> None:
    columns = import_fields(service)
    rows = [{**row, "color": "No such color"}, {**row, "icon": ""}]

    results = read(service, "create", {"personas": items_of(written(columns, rows), columns)})["results"]

    assert [(each["success"], each["persona_id"]) for each in results] == [(False, None)] * 2
    assert [each["errors"][0]["field"] for each in results] == ["color", "icon"]


def test_a_single_wrong_row_is_an_error_that_says_why(service: Service, row: dict[str, str]) -> None:
    columns = import_fields(service)

    reply = service.call("create", {"personas": items_of(written(columns, [{**row, "name": ""}]), columns)})

    assert reply.status == 422
    assert "name" in reply.shown
    (result,) = reply.body["results"]
    assert (result["success"], [error["field"] for error in result["errors"]]) == (False, ["name"])
