"""The tools of the MCP server: the arguments that each takes, and the result that it gives.

The models are brief, because every client that connects reads their schemas: rules of the fields are the operations'
own, which tell by name what breaks them.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from personas.contract.base import NUMBER_MAX, Id, SearchText, Version, VersionKind

ChoiceKind = Literal["colors", "icons", "departments", "parameter_fields", "voices"]

LIMIT_DEFAULT: Final = 10
LIMIT_MAX: Final = 50


def _none_as(default: int) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


# A model that fills in every argument sends null where it means nothing.
_Text = Annotated[str | None, WithJsonSchema({"type": "string"})]
_SearchText = Annotated[SearchText, WithJsonSchema({"type": "string"})]
_Flag = Annotated[bool | None, WithJsonSchema({"type": "boolean"})]
_Texts = Annotated[list[str] | None, WithJsonSchema({"type": "array", "items": {"type": "string"}})]
_Offset = Annotated[int, Field(ge=0, le=NUMBER_MAX), _none_as(0), WithJsonSchema({"type": "integer", "minimum": 0})]
_Limit = Annotated[
    int,
    Field(ge=1, le=LIMIT_MAX),
    _none_as(LIMIT_DEFAULT),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LIMIT_MAX}),
]
_PersonaId = Annotated[Id, Field(description="From find_personas, or told before.")]
_Version = Annotated[Version, WithJsonSchema({"type": "integer"})]
_VersionOrNone = Annotated[Version | None, WithJsonSchema({"type": "integer"})]


class Arguments(BaseModel):
    """The arguments of a tool. One that it does not know is refused by name."""

    model_config = ConfigDict(extra="forbid")


class FindArguments(Arguments):
    """The conditions of a search."""

    query: Annotated[_SearchText, Field(description="Part of the name or description.")] = None
    department: Annotated[_SearchText, Field(description="Name of a department.")] = None
    field: Annotated[_SearchText, Field(description="Name of a parameter field.")] = None
    limit: Annotated[_Limit, Field(description=f"At most so many; {LIMIT_DEFAULT} if absent.")] = LIMIT_DEFAULT
    offset: Annotated[_Offset, Field(description="Skip so many: next_offset of the page before.")] = 0


class PersonaArguments(Arguments):
    """The persona that a tool is about."""

    persona_id: _PersonaId


class TypedText(Arguments):
    """The text that somebody has typed so far, to be completed."""

    text: SearchText


class ChoicesArguments(Arguments):
    """The kind of values to list."""

    kind: ChoiceKind
    search: Annotated[_SearchText, Field(description="Only names that contain this.")] = None


class FieldArguments(Arguments):
    """The fields of a persona, by value."""

    description: Annotated[_Text, Field(description="One line for people who choose a persona.")] = None
    active_flag: Annotated[_Flag, Field(description="True: in use. A new one is not, unless you say so.")] = None
    departments: Annotated[_Texts, Field(description="Names: who may see it. In none, everybody may.")] = None
    parameter_fields: Annotated[_Texts, Field(description='Names, such as "Level: Beginner".')] = None
    examples: Annotated[_Texts, Field(description="Lines that the persona could say.")] = None
    voices: Annotated[_Texts, Field(description="Names.")] = None


class CreateArguments(FieldArguments):
    """A new persona."""

    name: str
    instructions: Annotated[str, Field(description="For the model that plays it: who it is, how it speaks.")]
    color: Annotated[str, Field(description="Name or hex code.")]
    icon: Annotated[str, Field(description="Name.")]


class EditArguments(FieldArguments):
    """Changes to a persona."""

    persona_id: _PersonaId
    expected_version: Annotated[_Version, Field(description="The version that you have read.")]
    name: _Text = None
    instructions: _Text = None
    color: _Text = None
    icon: _Text = None


class HistoryArguments(PersonaArguments):
    """The part of a history to show."""

    version: Annotated[_VersionOrNone, Field(description="Show this one alone, with all its fields.")] = None
    before_version: Annotated[_VersionOrNone, Field(description="Go on: next_before_version of the page before.")] = (
        None
    )


class RestoreArguments(PersonaArguments):
    """The version to bring back."""

    version: _Version
    expected_version: Annotated[_VersionOrNone, Field(description="Only if this is the present version.")] = None


class ToolResult(BaseModel):
    """A result of a tool. Nulls are left out."""

    model_config = ConfigDict(extra="forbid")


class FoundPersona(ToolResult):
    """A persona in a list."""

    persona_id: str
    name: str
    description: str | None = None
    inactive: Literal[True] | None = None


class FoundPersonas(ToolResult):
    """A page of what was found, by name."""

    total: int
    personas: list[FoundPersona]
    next_offset: int | None = None


class PersonaFields(ToolResult):
    """The fields of a persona, by value."""

    name: str
    description: str | None = None
    instructions: str
    color: str | None = None
    icon: str | None = None
    active_flag: bool
    departments: list[str] | None = None
    parameter_fields: list[str] | None = None
    examples: list[str] | None = None
    voices: list[str] | None = None


class PersonaRead(PersonaFields):
    """A persona as it is."""

    persona_id: str
    version: int
    can_edit: bool


class Choices(ToolResult):
    """The values of a kind that the caller may give to a persona."""

    total: int
    names: list[str]


class Saved(ToolResult):
    """The persona that was saved."""

    persona_id: str
    version: int | None = None
    message: str


class Edited(Saved):
    """The persona that was changed."""

    merged: Annotated[Literal[True] | None, Field(description="Others had changed other fields, which are kept.")] = (
        None
    )


class VersionTold(ToolResult):
    """A version of a persona."""

    version: int
    kind: VersionKind
    at: str
    by: str | None = None
    changed: list[str]
    restored_from: int | None = None


class History(ToolResult):
    """The versions of a persona, latest first."""

    current_version: int
    deleted: Literal[True] | None = None
    versions: list[VersionTold]
    values: PersonaFields | None = None
    next_before_version: int | None = None
