"""get: a persona, or the blank form of one, with all that a form needs to edit it."""

from personas.contract.get import GetPersonaRequest, GetPersonaResponse
from personas.contract.persona_fields import TextKind
from personas.domain.permissions import may_edit, may_see, may_write
from personas.domain.persona import Form, laid_over
from personas.domain.profile import Caller
from personas.domain.sections import build_form
from personas.errors import NotFound
from personas.runtime import nothing
from personas.services import Services
from personas.store.personas import visible_to


def get_persona(services: Services, caller: Caller, request: GetPersonaRequest) -> GetPersonaResponse:
    """Read the persona, the draft and the changes of the catalogue in one round, and lay out the form.

    A second round is needed only if a refresh has made new suggestions. A search for texts reads the changes of the
    personas in the first round too, and those that have changed in one more.

    Raises:
        NotFound: the persona cannot be seen, or the draft is not the caller's.
        Unreadable: the stored persona or draft cannot be read.
        ViewRebuilding: the texts that are searched lack more than can be read in time; the group is queued.
    """
    persona_id, draft_id, searches = request.persona_id, request.draft_id, _searches(request)
    catalogue, stored, draft, news = services.parallel.gather(
        lambda: services.catalogues.current(caller.group_id),
        (lambda: visible_to(caller, services.personas.find(caller.group_id, persona_id))) if persona_id else nothing,
        (lambda: services.drafts.get(caller.group_id, caller.profile_id, draft_id)) if draft_id else nothing,
        (lambda: services.suggestions.news(caller.group_id)) if searches else nothing,
    )
    persona = stored.persona if stored else None
    if persona_id and (persona is None or not may_see(caller, persona.department_ids)):
        raise NotFound(f"There is no persona {persona_id}.")
    if draft_id and draft is None:
        raise NotFound(f"You have no draft {draft_id}.")

    suggestions = services.suggestions.current(catalogue, caller, searches, news)
    form = persona.form if persona else Form()
    layout = build_form(laid_over(form, draft) if draft else form, catalogue, caller, request, suggestions)
    verdict = may_edit(caller, persona) if persona else may_write(caller)
    return GetPersonaResponse.model_validate(
        {
            "actor_name": caller.name,
            "persona_exists": persona is not None,
            "can_edit": verdict.allowed,
            "disabled_reason": verdict.reason,
            "draft_version": draft.version if draft else None,
            "group_id": caller.group_id,
            "fields": layout.fields,
            "resolved_parameter_ids": layout.resolved_parameter_ids,
            "version": persona.version if persona else None,
            **layout.steps,
            **layout.sections,
        }
    )


def _searches(request: GetPersonaRequest) -> dict[TextKind, str]:
    """Return the texts that the caller searches for, by kind."""
    asked: dict[TextKind, str | None] = {
        "descriptions": request.descriptions_search,
        "instructions": request.instructions_search,
    }
    return {kind: search for kind, search in asked.items() if search}
