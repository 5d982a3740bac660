"""drafts: the caller's own drafts."""

from personas.contract.drafts import GetPersonaDraftResponse, GetPersonaDraftsResponse
from personas.contract.persona_fields import FIELDS
from personas.domain.draft import Draft, selections_of
from personas.domain.persona import as_many
from personas.domain.profile import Caller
from personas.services import Services


def list_drafts(services: Services, caller: Caller) -> GetPersonaDraftsResponse:
    """Return the caller's drafts, latest written first, at most 200, in one round."""
    drafts = services.drafts.latest(caller.group_id, caller.profile_id)
    return GetPersonaDraftsResponse(entries=[_entry(draft, caller) for draft in drafts])


def _entry(draft: Draft, caller: Caller) -> GetPersonaDraftResponse:
    selections = selections_of(draft.fields)
    ids = {f"{field.kind.removesuffix('s')}_ids": list(as_many(field, selections[field.id_name])) for field in FIELDS}
    return GetPersonaDraftResponse(
        id=draft.id,
        version=draft.version,
        created_at=draft.created_at,
        generated=False,
        mcp=draft.mcp,
        active=True,
        group_id=caller.group_id,
        session_id=draft.session_id,
        profile_ids=[caller.profile_id],
        **ids,
    )
