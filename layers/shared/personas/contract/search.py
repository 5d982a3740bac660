"""search: find personas, and count the options of every filter."""

from typing import Annotated, Final

from pydantic import Field

from personas.contract.base import PAGE_SIZE_DEFAULT, PageOffset, PageSize, SearchText, WireId, WireModel, WireTime
from personas.contract.filters import PersonaFilter
from personas.contract.operation import Operation


class SearchPersonaRequest(PersonaFilter):
    """The conditions of a search, the options that each filter should offer, and the page of the answer."""

    scenario_search: Annotated[SearchText, Field(description="Offer only scenarios whose name contains this.")] = None
    field_search: Annotated[SearchText, Field(description="Offer only fields whose name contains this.")] = None
    department_search: Annotated[SearchText, Field(description="Offer only departments whose name contains this.")] = (
        None
    )
    color_search: Annotated[SearchText, Field(description="Offer only colors whose name contains this.")] = None
    icon_search: Annotated[SearchText, Field(description="Offer only icons whose name contains this.")] = None
    voice_search: Annotated[SearchText, Field(description="Offer only voices whose name contains this.")] = None
    instruction_search: Annotated[
        SearchText, Field(description="Offer only instructions whose text contains this.")
    ] = None
    page_size: Annotated[
        PageSize, Field(description=f"The number of personas in the answer; {PAGE_SIZE_DEFAULT} if absent or null.")
    ] = PAGE_SIZE_DEFAULT
    page_offset: Annotated[
        PageOffset, Field(description="The number of personas to skip first; none if absent or null.")
    ] = 0


class ListPersonaApiPersona(WireModel):
    """A persona as a row of a list."""

    persona_id: Annotated[WireId | None, Field(description="The id of the persona.")] = None
    name: Annotated[str | None, Field(description="Its name.")] = None
    description: Annotated[str | None, Field(description="Its description.")] = None
    color: Annotated[str | None, Field(description="The hex code of its color.")] = None
    icon: Annotated[str | None, Field(description="The value of its icon.")] = None
    department_ids: Annotated[list[WireId] | None, Field(description="The departments it is assigned to.")] = None
    scenario_ids: Annotated[list[WireId] | None, Field(description="The scenarios that use it.")] = None
    field_ids: Annotated[list[WireId] | None, Field(description="The fields that describe it.")] = None
    is_inactive: Annotated[bool | None, Field(description="True if its active flag is off.")] = None
    generated: Annotated[bool | None, Field(description="True if a machine made it rather than a person.")] = None
    mcp: Annotated[bool | None, Field(description="True if it was made through an MCP server.")] = None
    num_scenarios: Annotated[int | None, Field(description="The number of scenarios that use it.")] = None
    num_profiles: Annotated[int | None, Field(description="The number of profiles to which it is assigned.")] = None
    can_edit: Annotated[bool | None, Field(description="True if the caller may change it.")] = None
    can_duplicate: Annotated[bool | None, Field(description="True if the caller may copy it.")] = None
    can_delete: Annotated[bool | None, Field(description="True if the caller may delete it.")] = None
    updated_at: Annotated[WireTime | None, Field(description="The time of its last change.")] = None


class ListFilterOption(WireModel):
    """Something to filter by."""

    id: Annotated[str | None, Field(description="The id to filter by.")] = None
    name: Annotated[str | None, Field(description="Its name; a long text is cut.")] = None
    count: Annotated[
        int | None,
        Field(description="The number of personas that would match if it were chosen in place of this filter's own."),
    ] = None
    hex_code: Annotated[str | None, Field(description="Colors: the color as #RRGGBB.")] = None
    value: Annotated[str | None, Field(description="Icons: the name by which a client draws it.")] = None
    type: Annotated[str | None, Field(description="The kind of thing that it is.")] = None


class ListFilterSection(WireModel):
    """A filter: its options, most matches first."""

    options: Annotated[
        list[ListFilterOption] | None,
        Field(description="At most 100: what is in use, then what else could be given to a persona, with count 0."),
    ] = None
    selected_ids: Annotated[list[str] | None, Field(description="The ids by which the request filtered.")] = None
    search: Annotated[str | None, Field(description="The text by which the request narrowed the options.")] = None


class ImportField(WireModel):
    """A column that an import file can have."""

    key: Annotated[str, Field(description="The name of the column in the file.")]
    label: Annotated[str, Field(description="The name of the column for people.")]
    required: Annotated[bool, Field(description="True if every row needs a value.")] = False
    multi: Annotated[bool, Field(description="True if a cell may hold several values, joined by | or commas.")] = False
    type: Annotated[str, Field(description="The type of the values.")] = "string"
    example: Annotated[str | None, Field(description="A possible value; several values are joined by commas.")] = None
    description: Annotated[str | None, Field(description="The meaning of the column.")] = None


class SearchPersonaResponse(WireModel):
    """One page of the personas found, and the filters with their counts."""

    actor_name: Annotated[str | None, Field(description="The name of the calling profile.")] = None
    personas: Annotated[list[ListPersonaApiPersona] | None, Field(description="The page, by name and then by id.")] = (
        None
    )
    scenario_filter: Annotated[ListFilterSection | None, Field(description="Scenarios to filter by.")] = None
    field_filter: Annotated[ListFilterSection | None, Field(description="Fields: those in use, then the others.")] = (
        None
    )
    department_filter: Annotated[
        ListFilterSection | None, Field(description="Departments: those in use, then the others.")
    ] = None
    color_filter: Annotated[
        ListFilterSection | None, Field(description="Colors: those of what was found, then the others.")
    ] = None
    icon_filter: Annotated[
        ListFilterSection | None, Field(description="Icons: those of what was found, then the others.")
    ] = None
    voice_filter: Annotated[
        ListFilterSection | None, Field(description="Voices: those of what was found, then the others.")
    ] = None
    instruction_filter: Annotated[
        ListFilterSection | None, Field(description="The instructions of what was found, cut at 100 characters.")
    ] = None
    total_count: Annotated[
        int | None, Field(description="The number of personas that match, on all pages together.")
    ] = None
    import_fields: Annotated[
        list[ImportField] | None, Field(description="The columns of a file that personas can be imported from.")
    ] = None


OPERATION: Final = Operation(
    name="search",
    summary="Search personas",
    description=(
        "Answers with one page of the personas that match, active or not, as far as the caller may see them, and with "
        "seven filters whose counts are exact. A search finds each write as soon as it was answered."
    ),
    request=SearchPersonaRequest,
    response=SearchPersonaResponse,
    errors=(400, 401, 413, 415, 422, 429, 500, 503),
)
