"""search: one page of the personas that match, and the options to filter by, with true counts."""

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import cast

from personas.contract.filters import PersonaFilter
from personas.contract.search import (
    ListFilterOption,
    ListFilterSection,
    ListPersonaApiPersona,
    SearchPersonaRequest,
    SearchPersonaResponse,
)
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.permissions import SUPERADMIN, departments_seen, is_offered_option, may_delete, may_edit, may_write
from personas.domain.persona import HEAD_CHARACTERS
from personas.domain.profile import Caller
from personas.observability import add_log_fields
from personas.search.queries import Facet, FacetQuery, Option, Query
from personas.search.rows import ListedRow
from personas.services import Services
from personas.views.search_views import SearchView


def search_personas(services: Services, caller: Caller, request: SearchPersonaRequest) -> SearchPersonaResponse:
    """Search the group's view, brought up to date by one round."""
    view = current_view(services, caller.group_id)
    query = replace(query_of(caller, request), page_size=request.page_size, page_offset=request.page_offset)
    selected: dict[Facet, list[str] | None] = {
        "scenarios": request.scenario_ids,
        "fields": request.field_ids,
        "departments": request.filter_department_ids,
    }
    searches: dict[Facet, str | None] = {
        "scenarios": request.scenario_search,
        "fields": request.field_search,
        "departments": request.department_search,
        "colors": request.color_search,
        "icons": request.icon_search,
        "voices": request.voice_search,
        "instructions": request.instruction_search,
    }
    asked = {facet: _facet_query(view, caller, facet, searches[facet], selected.get(facet)) for facet in searches}
    found = view.index.search(query, view.field_of, asked)

    def section(facet: Facet) -> ListFilterSection:
        return ListFilterSection(
            options=[_option(view, facet, option) for option in found.options[facet]],
            selected_ids=list(selected.get(facet) or ()),
            search=searches[facet],
        )

    return SearchPersonaResponse(
        actor_name=caller.name,
        personas=[_listed(persona_id, row, view, caller) for persona_id, row in found.personas],
        scenario_filter=section("scenarios"),
        field_filter=section("fields"),
        department_filter=section("departments"),
        color_filter=section("colors"),
        icon_filter=section("icons"),
        voice_filter=section("voices"),
        instruction_filter=section("instructions"),
        total_count=found.total,
        import_fields=list(IMPORT_FIELDS),
    )


def current_view(services: Services, group_id: str) -> SearchView:
    """Return the group's view, brought up to date by one round.

    Raises:
        ViewRebuilding: the view lacks more than can be read in time; the group is queued.
        Unavailable: the store cannot be read.
    """
    views = services.search_views
    view = views.current(group_id)
    add_log_fields(view_bytes=views.size_bytes)
    return view


def query_of(caller: Caller, conditions: PersonaFilter) -> Query:
    """Return the query for the conditions, among the personas that the caller may see."""
    return Query(
        caller_departments=departments_seen(caller),
        text=conditions.search,
        scenario_ids=conditions.scenario_ids or (),
        field_ids=conditions.field_ids or (),
        department_ids=conditions.filter_department_ids or (),
    )


def _facet_query(
    view: SearchView, caller: Caller, facet: Facet, search: str | None, selected: Collection[str] | None
) -> FacetQuery:
    """Return the question for the options of a facet; of the selected ones, those that the caller knows."""
    offered = _offered_to(view, caller, facet)
    return FacetQuery(
        names=view.names(facet),
        search=search,
        selected=known_options(view, caller, facet, selected or ()),
        # No scenario is given to a persona by its form, so none is offered that has none.
        offered=None if facet == "scenarios" else offered,
    )


def known_options(view: SearchView, caller: Caller, facet: Facet, option_ids: Collection[str]) -> list[str]:
    """Return the options of a facet that the caller knows: it is offered them, or a persona has them which it sees."""
    offered = _offered_to(view, caller, facet)
    unknown = set() if caller.role == SUPERADMIN else {each for each in option_ids if not offered(each)}
    if unknown:
        unknown -= view.index.used(facet, unknown, caller.department_ids, view.field_of)
    return [each for each in option_ids if each not in unknown]


def _offered_to(view: SearchView, caller: Caller, facet: Facet) -> Callable[[str], bool]:
    return lambda entry_id: is_offered_option(view.catalogue, facet, entry_id, caller)


def _option(view: SearchView, facet: Facet, option: Option) -> ListFilterOption:
    row = view.catalogue.rows(facet).get(option.id, {})
    return ListFilterOption(
        id=option.id,
        name=option.name[:HEAD_CHARACTERS] if facet == "instructions" else option.name,
        count=option.count,
        hex_code=cast("str | None", row.get("hex_code")) if facet == "colors" else None,
        value=cast("str | None", row.get("value")) if facet == "icons" else None,
        type=facet.removesuffix("s"),
    )


def _listed(persona_id: str, row: ListedRow, view: SearchView, caller: Caller) -> ListPersonaApiPersona:
    color = view.catalogue.rows("colors").get(row.color_id or "", {})
    icon = view.catalogue.rows("icons").get(row.icon_id or "", {})
    return ListPersonaApiPersona(
        persona_id=persona_id,
        name=row.name,
        description=row.description,
        color=cast("str | None", color.get("hex_code")),
        icon=cast("str | None", icon.get("value")),
        department_ids=list(row.department_ids),
        scenario_ids=list(row.scenario_ids),
        field_ids=list(dict.fromkeys(view.field_of[each] for each in row.parameter_field_ids if each in view.field_of)),
        is_inactive=row.active_flag_id is None,
        generated=row.generated,
        mcp=row.mcp,
        num_scenarios=len(row.scenario_ids),
        num_profiles=row.num_profiles,
        can_edit=may_edit(caller, row).allowed,
        can_duplicate=may_write(caller).allowed,
        can_delete=may_delete(caller, row).allowed,
        updated_at=row.updated_at,
    )
