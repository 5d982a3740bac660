"""What the writing operations say about what they did."""

from typing import Annotated

from pydantic import Field

from personas.contract.base import WireModel
from personas.contract.names import WireId
from personas.contract.problems import FieldError


class PersonaResultItem(WireModel):
    """What became of one item of a create or an update."""

    success: Annotated[bool, Field(description="Whether the item is stored.")]
    persona_id: Annotated[
        str | None, Field(description="The persona, or what the request named as such where it was not saved.")
    ] = None
    message: Annotated[str, Field(description="What happened, for people.")]
    errors: Annotated[list[FieldError] | None, Field(description="The fields at fault, where fields are.")] = None
    version: Annotated[int | None, Field(description="The version that is now stored.")] = None


class DeletePersonaResult(WireModel):
    """What became of one id of a delete."""

    success: Annotated[bool, Field(description="Whether the persona is deleted.")]
    persona_id: Annotated[str, Field(description="The id that the request named.")]
    message: Annotated[str, Field(description="What happened, for people.")]


class DraftFormState(WireModel):
    """What is selected in a draft. Its ids can be sent to create and update as they are."""

    name_id: Annotated[WireId | None, Field(description="The name.")] = None
    description_id: Annotated[WireId | None, Field(description="The description.")] = None
    instructions_id: Annotated[WireId | None, Field(description="The instructions.")] = None
    color_id: Annotated[WireId | None, Field(description="The color.")] = None
    icon_id: Annotated[WireId | None, Field(description="The icon.")] = None
    active_flag_id: Annotated[WireId | None, Field(description="The active flag; null for an inactive persona.")] = None
    department_ids: list[WireId] = Field(default_factory=list, description="The departments.")
    example_ids: list[WireId] = Field(default_factory=list, description="The examples.")
    parameter_field_ids: list[WireId] = Field(default_factory=list, description="The parameter fields.")
    voice_ids: list[WireId] = Field(default_factory=list, description="The voices.")
