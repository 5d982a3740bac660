"""The values from which a persona is saved: each thing by its id, or by its value."""

from typing import Annotated

from pydantic import Field, field_validator

from personas.contract.base import (
    ID_FIELDS,
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
    id_or_value,
)


class PersonaValues(WriteItem, defer_build=True):
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

    _id_or_value = field_validator(*ID_FIELDS)(id_or_value)
