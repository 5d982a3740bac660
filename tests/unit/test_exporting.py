"""The row of a persona in an export: every cell of it is one that no spreadsheet runs."""

import csv
import io
import re
from typing import Final

import pytest

from personas.domain.cells import split_list, unescape
from personas.domain.exporting import HEADER_LINE, CsvLines
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.persona import Form, Persona
from personas.domain.text import Text
from personas.views.export_segments import Entry, columns_of, record_of
from support.world import (
    ACTIVE,
    ALTO,
    CALM,
    CARE,
    GROUP,
    LOADED_AT,
    MOOD_CALM,
    NOBODY,
    STAR,
    TEAL,
    catalogue_of,
    color,
    department,
    field_row,
    icon,
)

HOSTILE: Final = "=1+1;@2"
NEUTRAL: Final = "'=1+1;'@2"
LISTS: Final = frozenset(each.key for each in IMPORT_FIELDS if each.multi)


@pytest.fixture
def row() -> dict[str, str]:
    """Return the row of a persona of which every text, and the name of everything that it links to, is a formula."""
    catalogue = catalogue_of(
        {
            "colors": {TEAL: color(HOSTILE, "#16818A")},
            "icons": {STAR: icon(HOSTILE, "star")},
            "departments": {CARE: department(HOSTILE)},
            "fields": {CALM: field_row(HOSTILE)},
            "voices": {ALTO: {"voice": HOSTILE, "generated": False}},
        }
    )
    text = Text(NOBODY, HOSTILE)
    persona = Persona(
        id=GROUP,
        form=Form(
            name=text,
            description=text,
            instructions=text,
            color_id=TEAL,
            icon_id=STAR,
            active_flag_id=ACTIVE,
            department_ids=(CARE,),
            parameter_field_ids=(MOOD_CALM,),
            examples=(text,),
            voice_ids=(ALTO,),
        ),
        created_at=LOADED_AT,
        updated_at=LOADED_AT,
        version=7,
    )
    lines = CsvLines(catalogue).of(columns_of([record_of(Entry(persona.id, 1, persona))]))
    (row,) = csv.DictReader(io.StringIO(HEADER_LINE + lines, newline=""), strict=True)
    return row


@pytest.mark.parametrize("column", [each.key for each in IMPORT_FIELDS if each.type != "boolean"])
def test_no_column_holds_a_formula(column: str, row: dict[str, str]) -> None:
    assert row[column] == NEUTRAL
    text = unescape(row[column])
    assert (split_list(text) if column in LISTS else [text]) == [HOSTILE]


def test_the_other_columns_hold_no_text(row: dict[str, str]) -> None:
    assert {key: cell for key, cell in row.items() if cell != NEUTRAL} == {
        "persona_id": GROUP,
        "active_flag": "true",
        "version": "7",
    }


def test_fields_that_are_empty_are_empty_cells() -> None:
    # Given a persona of which only the name and an example are there, and its copy
    bare = Form(name=Text(NOBODY, "Ada"), examples=(Text(NOBODY, "Hm."), Text(NOBODY, "So?")))
    personas = [
        Persona(id=each, form=bare, created_at=LOADED_AT, updated_at=LOADED_AT, version=1) for each in (GROUP, NOBODY)
    ]
    # When
    records = [record_of(Entry(each.id, 1, each)) for each in personas]
    lines = CsvLines(catalogue_of()).of(columns_of(records))
    # Then
    assert lines == f"{GROUP},Ada,,,,,false,,,Hm.|So?,,1\r\n{NOBODY},Ada,,,,,false,,,Hm.|So?,,1\r\n"


def test_columns_are_called_and_described_for_people() -> None:
    assert [each.label for each in IMPORT_FIELDS] == [
        *("Name", "Description", "Color", "Icon", "Instructions", "Active", "Departments", "Parameter fields"),
        *("Examples", "Voices"),
    ]
    sentence = re.compile(r"[A-Z][a-z ].*\.")
    assert [each.description for each in IMPORT_FIELDS if not sentence.fullmatch(each.description or "")] == []


def test_columns_tell_what_is_needed_and_how_much_of_it() -> None:
    assert [each.key for each in IMPORT_FIELDS if each.required] == ["name", "color", "icon", "instructions"]
    assert {each.key for each in IMPORT_FIELDS if each.multi} == {
        *("departments", "parameter_fields", "examples", "voices")
    }
    assert {each.key: each.type for each in IMPORT_FIELDS if each.type != "string"} == {"active_flag": "boolean"}


def test_columns_have_examples() -> None:
    assert [each.example for each in IMPORT_FIELDS] == [
        "Confused student",
        "Has missed two weeks and cannot follow.",
        "Teal",
        "Mortarboard",
        "You are a student who is too shy to ask.",
        "true",
        "Customer Care,Education",
        "Complete beginner,Anxious",
        "I do not get it.,Can you say that again?",
        "Warm alto,Clear tenor",
    ]
