"""A CSV file sent in one call, and the template that it is made of: rows and cells as existing clients read them."""

import csv
import io
from collections.abc import Mapping

import pytest

from support.web_client import Service, Values, in_chunks, read, shown_in


def import_fields(service: Service) -> list[Values]:
    """The columns that a search tells of."""
    return list(read(service, "search", {"page_size": 1})["import_fields"])


def values(service: Service) -> dict[str, str]:
    """A value of each column of the catalogue that this group knows; of a list, two of them in one cell."""
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
    """The file that a client offers for download: a header, and a row of examples."""
    file = io.StringIO()
    csv.writer(file).writerows([[each["key"] for each in columns], [each["example"] for each in columns]])
    return file.getvalue()


def items_of(file: str, columns: list[Values]) -> list[Values]:
    """The items that a client makes of a file: cells of lists split at commas, empty cells left out."""
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
    """A file of these rows."""
    file = io.StringIO()
    writer = csv.DictWriter(file, [each["key"] for each in columns])
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


@pytest.fixture
def row(service: Service, mark: str) -> dict[str, str]:
    """A row that can be created, made of the template's examples where they are free texts."""
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
