"""The parts of a persona: the texts and the catalogue entries, as they appear in answers."""

from typing import Annotated

from pydantic import Field as About  # the contract has a resource named Field

from personas.contract.base import WireId, WireModel, WireTime

Generated = Annotated[bool | None, About(description="True if it was written by a machine rather than a person.")]


class Name(WireModel):
    """A name that a persona can bear."""

    id: Annotated[WireId | None, About(description="The id of the name within its group.")] = None
    name: Annotated[str | None, About(description="The name itself.")] = None
    generated: Generated = None


class Description(WireModel):
    """A short text on who the persona is."""

    id: Annotated[WireId | None, About(description="The id of the description within its group.")] = None
    description: Annotated[str | None, About(description="The description itself.")] = None
    generated: Generated = None


class Color(WireModel):
    """A color that a persona is shown in."""

    id: Annotated[WireId | None, About(description="The id of the color.")] = None
    name: Annotated[str | None, About(description="The name of the color.")] = None
    description: Annotated[str | None, About(description="Advice on the choice of the color.")] = None
    hex_code: Annotated[str | None, About(description="The color as #RRGGBB.")] = None
    generated: Generated = None


class Icon(WireModel):
    """A picture that a persona is shown with."""

    id: Annotated[WireId | None, About(description="The id of the icon.")] = None
    name: Annotated[str | None, About(description="The name of the icon.")] = None
    description: Annotated[str | None, About(description="Advice on the choice of the icon.")] = None
    value: Annotated[str | None, About(description="The name by which a client draws the icon.")] = None
    generated: Generated = None


class Instruction(WireModel):
    """The text that tells a model how to play the persona."""

    id: Annotated[WireId | None, About(description="The id of the instructions within their group.")] = None
    template: Annotated[str | None, About(description="The instructions themselves.")] = None
    generated: Generated = None


class Department(WireModel):
    """A part of the organisation. Its people may see the personas that are assigned to it."""

    department_id: Annotated[WireId | None, About(description="The id of the department.")] = None
    name: Annotated[str | None, About(description="The name of the department.")] = None
    description: Annotated[str | None, About(description="The people who work in the department.")] = None
    generated: Generated = None


class ParameterField(WireModel):
    """One value of one parameter, as a persona can have it."""

    id: Annotated[WireId | None, About(description="The id of this pair of parameter and field.")] = None
    field_id: Annotated[WireId | None, About(description="The id of the field.")] = None
    parameter_id: Annotated[WireId | None, About(description="The id of the parameter that the field is of.")] = None
    name: Annotated[str | None, About(description="The name of the field.")] = None
    description: Annotated[str | None, About(description="The meaning of the field.")] = None
    generated: Generated = None


class Example(WireModel):
    """Something that the persona might say."""

    id: Annotated[WireId | None, About(description="The id of the example within its group.")] = None
    example: Annotated[str | None, About(description="The example itself.")] = None
    generated: Generated = None


class Voice(WireModel):
    """A voice that the persona can speak with."""

    id: Annotated[WireId | None, About(description="The id of the voice.")] = None
    voice: Annotated[str | None, About(description="The name by which a speech service knows the voice.")] = None
    generated: Generated = None


class PersonaFlagConfig(WireModel):
    """A switch of a persona. There is one, `active`."""

    key: Annotated[str, About(description="The name of the flag for programs.")]
    label: Annotated[str, About(description="The name of the flag for people.")]
    description: Annotated[str | None, About(description="The effect of the flag.")] = None
    icon_id: Annotated[
        str | None,
        About(description="The value of the icon to show beside the flag: a client looks it up by that name."),
    ] = None
    flag_option_id: Annotated[
        WireId | None, About(description="The id to select the flag by, as flag_id or active_flag_id.")
    ] = None
    show: Annotated[bool, About(description="True if a form shows the flag.")] = True
    required: Annotated[bool, About(description="True if the flag must be set to save the persona.")] = False
    generated: Generated = None


class Parameter(WireModel):
    """A dimension in which personas differ, such as their mood, with a list of fields to choose from."""

    id: Annotated[WireId, About(description="The id of the parameter.")]
    name: Annotated[str, About(description="The name of the parameter.")]
    description: Annotated[str, About(description="The subject of the parameter.")]
    value: Annotated[str, About(description="The name of the parameter for programs.")]
    department_ids: Annotated[list[WireId], About(description="The departments it is meant for; none: all.")]
    persona_parameter: Annotated[bool, About(description="True if personas can have its fields.")]
    document_parameter: Annotated[bool, About(description="True if documents can have its fields.")]
    scenario_parameter: Annotated[bool, About(description="True if scenarios can have its fields.")]
    video_parameter: Annotated[bool, About(description="True if videos can have its fields.")]
    field_ids: Annotated[list[WireId], About(description="Its fields, in the order to offer them.")]
    created_at: Annotated[WireTime, About(description="The time at which it was first loaded.")]
    active: Annotated[bool, About(description="True if it is still in the library.")]
    generated: Annotated[bool, About(description="True if it was written by a machine rather than a person.")]
    mcp: Annotated[bool, About(description="True if it came through an MCP server.")]


class Field(WireModel):
    """A value that a parameter can take."""

    id: Annotated[WireId, About(description="The id of the field.")]
    name: Annotated[str, About(description="The name of the field.")]
    description: Annotated[str, About(description="The meaning of the field.")]
    value: Annotated[str, About(description="The name of the field for programs.")]
    department_ids: Annotated[list[WireId], About(description="The departments it is meant for; none: all.")]
    conditional_parameter_ids: Annotated[
        list[WireId], About(description="The parameters that make sense only where this field is chosen.")
    ]
    created_at: Annotated[WireTime, About(description="The time at which it was first loaded.")]
    active: Annotated[bool, About(description="True if it is still in the library.")]
    generated: Annotated[bool, About(description="True if it was written by a machine rather than a person.")]
    mcp: Annotated[bool, About(description="True if it came through an MCP server.")]
