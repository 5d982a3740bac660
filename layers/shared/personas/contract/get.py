"""get: a persona with all that a form to edit it needs."""

from typing import Annotated, Final

from pydantic import AliasChoices, Field

from personas.contract.base import FilterIds, Id, ReadRequest, SearchText, Switch, WireId, WireModel
from personas.contract.operation import READ_ERRORS, Operation
from personas.contract.resources import Field as FieldResource
from personas.contract.sections import (
    PersonaColorSection,
    PersonaDepartmentSection,
    PersonaDescriptionSection,
    PersonaExampleSection,
    PersonaFlagSection,
    PersonaIconSection,
    PersonaInstructionSection,
    PersonaNameSection,
    PersonaParameterFieldSection,
    PersonaParameterSection,
    PersonaVoiceSection,
)


class GetPersonaRequest(ReadRequest):
    """The persona or draft to get, and the options to offer. Without an id: the form of a new persona."""

    persona_id: Annotated[Id | None, Field(description="The persona to get.")] = None
    draft_id: Annotated[
        Id | None, Field(description="A draft of the caller, laid over the persona or over the blank form.")
    ] = None
    color_search: Annotated[SearchText, Field(description="Offer only colors whose name contains this.")] = None
    icon_search: Annotated[SearchText, Field(description="Offer only icons whose name contains this.")] = None
    descriptions_search: Annotated[
        SearchText,
        Field(
            description="Offer only descriptions that contain this, of all that the caller may see, as they are now."
        ),
    ] = None
    instructions_search: Annotated[
        SearchText,
        Field(
            description="Offer only instructions that contain this, of all that the caller may see, as they are now."
        ),
    ] = None
    parameter_field_search: Annotated[
        SearchText,
        Field(
            description="Offer only parameter fields whose name contains this. field_search is another name for it.",
            validation_alias=AliasChoices("parameter_field_search", "field_search"),
        ),
    ] = None
    parameter_ids: Annotated[FilterIds, Field(description="Offer the fields of these parameters.")] = None
    color_show_selected: Annotated[Switch | None, Field(description="Offer only the selected color.")] = None
    icon_show_selected: Annotated[Switch | None, Field(description="Offer only the selected icon.")] = None
    parameter_field_show_selected: Annotated[
        Switch | None,
        Field(
            description="Offer only the selected parameter fields. field_show_selected is another name for it.",
            validation_alias=AliasChoices("parameter_field_show_selected", "field_show_selected"),
        ),
    ] = None


class GetPersonaResponse(WireModel):
    """A persona as a form: what the caller may do with it, and a section for each thing it is made of."""

    actor_name: Annotated[str | None, Field(description="The name of the calling profile.")] = None
    persona_exists: Annotated[
        bool | None, Field(description="True if this is a stored persona; false for the form of a new one.")
    ] = None
    can_edit: Annotated[bool | None, Field(description="True if the caller may save changes.")] = None
    disabled_reason: Annotated[str | None, Field(description="The reason why the caller may not, if that is so.")] = (
        None
    )
    draft_version: Annotated[int | None, Field(description="The version of the draft that was laid over.")] = None
    group_id: Annotated[WireId | None, Field(description="The caller's group.")] = None
    basic_show_ai_generate: Annotated[
        bool | None, Field(description="True if names, descriptions, flags or departments can be written by a machine.")
    ] = None
    content_show_ai_generate: Annotated[
        bool | None, Field(description="True if instructions, examples or voices can be written by a machine.")
    ] = None
    parameters_step_show_ai_generate: Annotated[
        bool | None, Field(description="True if parameters or their fields can be written by a machine.")
    ] = None
    names: Annotated[PersonaNameSection | None, Field(description="The name.")] = None
    descriptions: Annotated[PersonaDescriptionSection | None, Field(description="The description.")] = None
    colors: Annotated[PersonaColorSection | None, Field(description="The color.")] = None
    icons: Annotated[PersonaIconSection | None, Field(description="The icon.")] = None
    instructions: Annotated[PersonaInstructionSection | None, Field(description="The instructions.")] = None
    flags: Annotated[PersonaFlagSection | None, Field(description="The flags.")] = None
    departments: Annotated[PersonaDepartmentSection | None, Field(description="The departments.")] = None
    parameter_fields: Annotated[PersonaParameterFieldSection | None, Field(description="The parameter fields.")] = None
    examples: Annotated[PersonaExampleSection | None, Field(description="The examples.")] = None
    parameters: Annotated[PersonaParameterSection | None, Field(description="The parameters.")] = None
    voices: Annotated[PersonaVoiceSection | None, Field(description="The voices.")] = None
    fields: Annotated[list[FieldResource] | None, Field(description="All fields of the parameters that are shown.")] = (
        None
    )
    resolved_parameter_ids: Annotated[
        list[str] | None, Field(description="The parameters that the selected parameter fields belong to.")
    ] = None
    version: Annotated[
        int | None, Field(description="The persona's version, also its ETag; null for the form of a new persona.")
    ] = None


OPERATION: Final = Operation(
    name="get",
    summary="Get a persona",
    description=(
        "Answers with a persona and everything that a form to edit it needs: for each section what is selected and "
        "what could be. With draft_id, the caller's own draft is laid over it field by field. With neither id, the "
        "form of a new persona. A persona that the caller may not see is answered as one that does not exist."
    ),
    request=GetPersonaRequest,
    response=GetPersonaResponse,
    errors=READ_ERRORS,
)
