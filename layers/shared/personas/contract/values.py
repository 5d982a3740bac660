"""The values from which a persona is saved: each thing by its id, or by its value."""

from typing import Annotated, Final

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from personas.contract.base import (
    CatalogueValue,
    DescriptionText,
    ExampleIds,
    Examples,
    Id,
    Ids,
    InstructionsText,
    ListedNames,
    NameText,
    Switch,
    WriteItem,
)
from personas.contract.persona_fields import FIELDS

ID_FIELDS: Final = {field.name: field.id_name for field in FIELDS}
"""For every field that takes a value, the one that takes an id instead."""

NEEDED: Final = tuple(field.name for field in FIELDS if field.needed)
"""The fields that no persona can be without."""


def id_or_value[T](value: T, info: ValidationInfo) -> T | None:
    """Return a value, unless its id was given before it. Beside an id, null, ``[]`` and ``""`` give nothing.

    Raises:
        PydanticCustomError: both are given.
    """
    if info.field_name is None or not info.data.get(id_field := ID_FIELDS[info.field_name]):
        return value
    if value == "":
        return None
    if value is None or value == []:
        return value
    raise PydanticCustomError(
        "contract_both",
        "give {value_field} or {id_field}, not both",
        {"value_field": info.field_name, "id_field": id_field},
    )


class PersonaValues(WriteItem):
    """The fields of a persona, each by id or by value."""

    name_id: Annotated[Id | None, Field(description="The name, by its id.")] = None
    name: Annotated[NameText, Field(description="The name.")] = None
    color_id: Annotated[Id | None, Field(description="The color, by its id.")] = None
    color: Annotated[CatalogueValue, Field(description="The color, by its name or hex code, without case.")] = None
    icon_id: Annotated[Id | None, Field(description="The icon, by its id.")] = None
    icon: Annotated[CatalogueValue, Field(description="The icon, by its name or value, without case.")] = None
    instructions_id: Annotated[Id | None, Field(description="The instructions, by their id.")] = None
    instructions: Annotated[
        InstructionsText, Field(description="The text that tells a model how to play the persona.")
    ] = None
    description_id: Annotated[Id | None, Field(description="The description, by its id.")] = None
    description: Annotated[DescriptionText, Field(description="A short text on who the persona is.")] = None
    active_flag_id: Annotated[
        Id | None, Field(description="The active flag, by its id: the persona is active where it is set.")
    ] = None
    active_flag: Annotated[Switch | None, Field(description="True if the persona is active.")] = None
    department_ids: Annotated[Ids, Field(description="The departments it is assigned to, by their ids.")] = None
    departments: Annotated[
        ListedNames, Field(description="The departments it is assigned to, by their names, without case.")
    ] = None
    parameter_field_ids: Annotated[Ids, Field(description="The parameter fields, by their ids.")] = None
    parameter_fields: Annotated[
        ListedNames, Field(description="The parameter fields, by their names, without case.")
    ] = None
    example_ids: Annotated[ExampleIds, Field(description="Things it might say, by their ids.")] = None
    examples: Annotated[Examples, Field(description="Things it might say.")] = None
    voice_ids: Annotated[Ids, Field(description="The voices it can speak with, by their ids.")] = None
    voices: Annotated[ListedNames, Field(description="The voices it can speak with, by their names, without case.")] = (
        None
    )

    @field_validator(*ID_FIELDS)
    @classmethod
    def _id_or_value[T](cls, value: T, info: ValidationInfo) -> T | None:
        return id_or_value(value, info)
