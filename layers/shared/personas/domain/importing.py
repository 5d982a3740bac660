"""The columns that personas are imported from and exported to."""

from typing import Final

from personas.contract.persona_fields import BY_NAME
from personas.contract.search import ImportField


def _column(key: str, label: str, example: str, description: str) -> ImportField:
    field = BY_NAME[key]
    return ImportField(
        key=key,
        label=label,
        required=field.needed,
        multi=field.many,
        type="boolean" if field.kind == "flags" else "string",
        example=example,
        description=description,
    )


IMPORT_FIELDS: Final = (
    _column("name", "Name", "Confused student", "What the persona is called, at most 200 characters."),
    _column(
        "description",
        "Description",
        "Has missed two weeks and cannot follow.",
        "Who the persona is, at most 2,000 characters.",
    ),
    _column("color", "Color", "Teal", "A color of the library, by its name or hex code."),
    _column("icon", "Icon", "Mortarboard", "An icon of the library, by its name or value."),
    _column(
        "instructions",
        "Instructions",
        "You are a student who is too shy to ask.",
        "How a model is to play the persona, at most 32,000 characters.",
    ),
    _column("active_flag", "Active", "true", "Whether the persona can be used: true or false."),
    _column("departments", "Departments", "Customer Care,Education", "Departments of the library, by their names."),
    _column(
        "parameter_fields",
        "Parameter fields",
        "Complete beginner,Anxious",
        'Fields of the library\'s parameters, by their names, or as "parameter: field".',
    ),
    _column(
        "examples",
        "Examples",
        "I do not get it.,Can you say that again?",
        "Things that the persona might say, at most 50 of 2,000 characters.",
    ),
    _column("voices", "Voices", "Warm alto,Clear tenor", "Voices of the library, by their names."),
)
"""The importable columns in the contract's order; an export puts persona_id before them, and version behind.

The examples are entries of the demo's library. Those of lists are joined by commas and hold none: existing clients make
templates of them, and split a cell at commas.
"""
