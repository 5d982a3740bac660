"""The columns that personas are imported from and exported to."""

from typing import Final

from personas.contract.search import ImportField

IMPORT_FIELDS: Final = (
    ImportField(
        key="name",
        label="Name",
        required=True,
        example="Confused student",
        description="What the persona is called, at most 200 characters.",
    ),
    ImportField(
        key="description",
        label="Description",
        example="Has missed two weeks and cannot follow.",
        description="Who the persona is, at most 2,000 characters.",
    ),
    ImportField(
        key="color",
        label="Color",
        required=True,
        example="Teal",
        description="A color of the library, by its name or hex code.",
    ),
    ImportField(
        key="icon",
        label="Icon",
        required=True,
        example="Mortarboard",
        description="An icon of the library, by its name or value.",
    ),
    ImportField(
        key="instructions",
        label="Instructions",
        required=True,
        example="You are a student who is too shy to ask.",
        description="How a model is to play the persona, at most 32,000 characters.",
    ),
    ImportField(
        key="active_flag",
        label="Active",
        type="boolean",
        example="true",
        description="Whether the persona can be used: true or false.",
    ),
    ImportField(
        key="departments",
        label="Departments",
        multi=True,
        example="Customer Care,Education",
        description="Departments of the library, by their names.",
    ),
    ImportField(
        key="parameter_fields",
        label="Parameter fields",
        multi=True,
        example="Complete beginner,Anxious",
        description='Fields of the library\'s parameters, by their names, or as "parameter: field".',
    ),
    ImportField(
        key="examples",
        label="Examples",
        multi=True,
        example="I do not get it.,Can you say that again?",
        description="Things that the persona might say, at most 50 of 2,000 characters.",
    ),
    ImportField(
        key="voices",
        label="Voices",
        multi=True,
        example="Warm alto,Clear tenor",
        description="Voices of the library, by their names.",
    ),
)
"""The ten importable columns in the contract's order; an export puts persona_id before them, and version behind.

The examples are entries of the demo's library. Those of lists are joined by commas and hold none: existing clients make
templates of them, and split a cell at commas.
"""
