"""The results that the writing operations answer with."""

from typing import Annotated, Final

from pydantic import Field, JsonValue, WithJsonSchema

from personas.contract.base import WireId, WireModel
from personas.contract.conflicts import FieldConflict, Merged

_CODE: Final = Field(description="Of a failed item: the kind of failure for programs, as a problem's code.")


class ItemError(WireModel):
    """One field of an item at fault and the reason."""

    field: Annotated[str, Field(description="The field's name, such as color.")]
    message: Annotated[str, Field(description="The reason, as a phrase on which a person can act.")]


class PersonaResultItem(WireModel):
    """The result of one item of a create or an update."""

    success: Annotated[bool, Field(description="True if the item is stored.")]
    persona_id: Annotated[
        str | None,
        Field(description="The persona; of an update what the request named as such; null where none was created."),
    ] = None
    message: Annotated[str, Field(description="The result, in words for people.")]
    errors: Annotated[list[ItemError] | None, Field(description="The fields at fault, where fields are.")] = None
    version: Annotated[int | None, Field(description="The version that is now stored.")] = None
    code: Annotated[str | None, _CODE] = None
    merged: Merged = None
    conflicts: Annotated[
        list[FieldConflict] | None,
        Field(
            description=(
                "Of a merge that failed: the fields that others have changed, else absent. Texts are cut to 200 "
                "characters, and where many items fail only the first fields of each are listed; the message names "
                "all. The problem that answers a single item has them whole."
            ),
            exclude_if=lambda conflicts: conflicts is None,
        ),
    ] = None


class DeletePersonaResult(WireModel):
    """The result of one id of a delete."""

    success: Annotated[bool, Field(description="True if the persona is deleted.")]
    persona_id: Annotated[str, Field(description="The id that the request named.")]
    message: Annotated[str, Field(description="The result, in words for people.")]
    code: Annotated[str | None, _CODE] = None


_Spoken = Annotated[
    list[WireId] | None,
    WithJsonSchema({"type": "array", "items": {"type": "string", "format": "uuid"}}),
]
"""A list of a draft; None, which is never told, where the draft did not speak of it."""


def _without_default(schema: dict[str, JsonValue]) -> None:
    schema.pop("default", None)


def _spoken(description: str) -> _Spoken:
    field: _Spoken = Field(
        default=None,
        exclude_if=lambda ids: ids is None,
        description=description,
        json_schema_extra=_without_default,
    )
    return field


class DraftFormState(WireModel):
    """The selection of a draft. Its ids can be sent to create and update as they are.

    A list that the draft never spoke of is left out: a form that is laid over a persona keeps the persona's.
    """

    name_id: Annotated[WireId | None, Field(description="The name.")] = None
    description_id: Annotated[WireId | None, Field(description="The description.")] = None
    instructions_id: Annotated[WireId | None, Field(description="The instructions.")] = None
    color_id: Annotated[WireId | None, Field(description="The color.")] = None
    icon_id: Annotated[WireId | None, Field(description="The icon.")] = None
    active_flag_id: Annotated[WireId | None, Field(description="The active flag; null for an inactive persona.")] = None
    department_ids: _Spoken = _spoken("The departments.")
    example_ids: _Spoken = _spoken("The examples.")
    parameter_field_ids: _Spoken = _spoken("The parameter fields.")
    voice_ids: _Spoken = _spoken("The voices.")
