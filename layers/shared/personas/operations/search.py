"""search: one page of the personas that match, and what else there is to filter by, with true counts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple, cast

from personas.contract.filters import PersonaFilter
from personas.contract.search import (
    ListFilterOption,
    ListFilterSection,
    ListPersonaApiPersona,
    SearchPersonaRequest,
    SearchPersonaResponse,
)
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.linking import is_offered_option
from personas.domain.permissions import SUPERADMIN, may_delete, may_edit, may_write
from personas.domain.profile import Caller
from personas.observability import note
from personas.search.index import Facet, ListedRow, Query, SearchResult
from personas.services import Services
from personas.views.search_views import PersonaView

INSTRUCTION_NAME_MAX: Final = 100


class _Standing(NamedTuple):
    """What the permission rules look at, taken from a row."""

    department_ids: tuple[str, ...]
    active_scenario_ids: tuple[str, ...]


def search_personas(services: Services, caller: Caller, request: SearchPersonaRequest) -> SearchPersonaResponse:
    """Search the group's view, brought up to date by one round."""
    view = current_view(services, caller.group_id)
    query = replace(query_of(caller, request), page_size=request.page_size, page_offset=request.page_offset)
    found = view.index.search(query, view.field_of)

    def section(facet: Facet, search: str | None, selected: Sequence[str] | None = None) -> ListFilterSection:
        return _section(view, found, caller, facet, search, list(selected or ()))

    return SearchPersonaResponse(
        actor_name=caller.name,
        personas=[_row(persona_id, row, view, caller) for persona_id, row in found.personas],
        scenario_filter=section("scenarios", request.scenario_search, request.scenario_ids),
        field_filter=section("fields", request.field_search, request.field_ids),
        department_filter=section("departments", request.department_search, request.filter_department_ids),
        color_filter=section("colors", request.color_search),
        icon_filter=section("icons", request.icon_search),
        voice_filter=section("voices", request.voice_search),
        instruction_filter=section("instructions", request.instruction_search),
        total_count=found.total,
        import_fields=list(IMPORT_FIELDS),
    )


def current_view(services: Services, group_id: str) -> PersonaView:
    """The group's view, brought up to date by one round.

    Raises:
        ViewRebuilding: the view lacks more than can be read in time; the group is queued.
        Unavailable: the store cannot be read.
    """
    views = services.persona_views
    view = views.current(group_id)
    note(view_bytes=views.size_bytes)
    return view


def query_of(caller: Caller, conditions: PersonaFilter) -> Query:
    """What the caller looks for, among what it may see."""
    return Query(
        caller_departments=None if caller.role == SUPERADMIN else caller.department_ids,
        text=conditions.search,
        scenario_ids=conditions.scenario_ids or (),
        field_ids=conditions.field_ids or (),
        department_ids=conditions.filter_department_ids or (),
    )


def _section(
    view: PersonaView, found: SearchResult, caller: Caller, facet: Facet, search: str | None, selected: list[str]
) -> ListFilterSection:
    def offered(entry_id: str) -> bool:
        return is_offered_option(view.catalogue, facet, entry_id, caller)

    told = _told(view, found, caller, facet, selected)
    options = []
    rows, kind = view.catalogue.rows(facet), facet.removesuffix("s")
    # No scenario is given to a persona by its form, so none is offered that has none.
    unused = None if facet == "scenarios" else offered
    for option in found.options(facet, view.names(facet), search, told, unused):
        row = rows.get(option.id, {})
        options.append(
            ListFilterOption(
                id=option.id,
                name=option.name[:INSTRUCTION_NAME_MAX] if facet == "instructions" else option.name,
                count=option.count,
                hex_code=cast("str | None", row.get("hex_code")) if facet == "colors" else None,
                value=cast("str | None", row.get("value")) if facet == "icons" else None,
                type=kind,
            )
        )
    return ListFilterSection(options=options, selected_ids=selected, search=search)


def _told(view: PersonaView, found: SearchResult, caller: Caller, facet: Facet, selected: Sequence[str]) -> list[str]:
    """Return the selected options that the caller knows: it is offered them, or sees a persona that has them."""
    if caller.role == SUPERADMIN or not selected:
        return list(selected)
    used = found.counts(facet)
    unsure = [
        each for each in selected if each not in used and not is_offered_option(view.catalogue, facet, each, caller)
    ]
    if not unsure:
        return list(selected)
    everything = Query(caller_departments=caller.department_ids, page_size=0)
    seen = view.index.search(everything, view.field_of).counts(facet)
    return [each for each in selected if each not in unsure or each in seen]


def _row(persona_id: str, row: ListedRow, view: PersonaView, caller: Caller) -> ListPersonaApiPersona:
    standing = _Standing(tuple(row["dp"]), tuple(row["as"]))
    color = view.catalogue.rows("colors").get(row["c"] or "", {})
    icon = view.catalogue.rows("icons").get(row["i"] or "", {})
    return ListPersonaApiPersona(
        persona_id=persona_id,
        name=row["n"],
        description=row["d"],
        color=cast("str | None", color.get("hex_code")),
        icon=cast("str | None", icon.get("value")),
        department_ids=row["dp"],
        scenario_ids=row["sc"],
        field_ids=list(dict.fromkeys(view.field_of[each] for each in row["pf"] if each in view.field_of)),
        is_inactive=row["f"] is None,
        generated=row["g"],
        mcp=row["m"],
        num_scenarios=len(row["sc"]),
        num_profiles=row["np"],
        can_edit=may_edit(caller, standing).allowed,
        can_duplicate=may_write(caller).allowed,
        can_delete=may_delete(caller, standing).allowed,
        updated_at=row["ut"],
    )
