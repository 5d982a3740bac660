"""The sections of a persona's form: what is selected, what can be selected, and how to show it."""

from typing import Annotated

from pydantic import Field

from personas.contract.base import WireId, WireModel
from personas.contract.resources import (
    Color,
    Department,
    Description,
    Example,
    Icon,
    Instruction,
    Name,
    Parameter,
    ParameterField,
    PersonaFlagConfig,
    Voice,
)

SELECTED = "The selection: the caller's draft laid over the persona."
OPTIONS = "The options: at most 100, the selected ones always among them."


class Section(WireModel):
    """The members that all sections of the form have in common."""

    show: Annotated[bool, Field(description="True if the form shows the section.")] = False
    required: Annotated[bool, Field(description="True if a persona cannot be saved without it.")] = False
    suggestions: Annotated[
        list[WireId] | None,
        Field(description="Up to 20 ids that personas which the caller may see use most, as of the last refresh."),
    ] = None
    show_ai_generate: Annotated[
        bool, Field(description="True if the form offers to have this written by a machine.")
    ] = False
    tool_id: Annotated[WireId | None, Field(description="The tool that writes it, where there is one.")] = None
    link_tool_id: Annotated[WireId | None, Field(description="The tool that links it, where there is one.")] = None


class PersonaNameSection(Section):
    """The persona's name."""

    resource: Annotated[Name | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Name] | None, Field(description=OPTIONS)] = None


class PersonaDescriptionSection(Section):
    """The persona's description."""

    resource: Annotated[Description | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Description] | None, Field(description=OPTIONS)] = None


class PersonaColorSection(Section):
    """The persona's color."""

    resource: Annotated[Color | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Color] | None, Field(description=OPTIONS)] = None


class PersonaIconSection(Section):
    """The persona's icon."""

    resource: Annotated[Icon | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Icon] | None, Field(description=OPTIONS)] = None


class PersonaInstructionSection(Section):
    """The persona's instructions."""

    resource: Annotated[Instruction | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Instruction] | None, Field(description=OPTIONS)] = None


class PersonaFlagSection(Section):
    """The persona's flags."""

    current: Annotated[
        PersonaFlagConfig | None, Field(description="The active flag where it is set, null for an inactive persona.")
    ] = None
    resources: Annotated[list[PersonaFlagConfig] | None, Field(description=OPTIONS)] = None


class PersonaDepartmentSection(Section):
    """The departments that the persona is assigned to."""

    current: Annotated[list[Department] | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Department] | None, Field(description=OPTIONS)] = None


class PersonaParameterFieldSection(Section):
    """The fields of parameters that describe the persona."""

    current: Annotated[list[ParameterField] | None, Field(description=SELECTED)] = None
    resources: Annotated[list[ParameterField] | None, Field(description=OPTIONS)] = None


class PersonaExampleSection(Section):
    """Things that the persona might say."""

    current: Annotated[list[Example] | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Example] | None, Field(description=OPTIONS)] = None


class PersonaParameterSection(Section):
    """The parameters whose fields the form offers."""

    current: Annotated[list[Parameter] | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Parameter] | None, Field(description=OPTIONS)] = None


class PersonaVoiceSection(Section):
    """The voices that the persona can speak with."""

    current: Annotated[list[Voice] | None, Field(description=SELECTED)] = None
    resources: Annotated[list[Voice] | None, Field(description=OPTIONS)] = None
