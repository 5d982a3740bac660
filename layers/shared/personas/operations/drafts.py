"""drafts: the caller's own drafts."""

from typing import cast

from personas.contract.drafts import GetPersonaDraftResponse, GetPersonaDraftsResponse
from personas.domain.draft import Draft, selections_of
from personas.domain.profile import Caller
from personas.services import Services


def list_drafts(services: Services, caller: Caller) -> GetPersonaDraftsResponse:
    """Return the caller's drafts, latest written first, at most 200, in one round."""
    drafts = services.drafts.latest(caller.group_id, caller.profile_id)
    return GetPersonaDraftsResponse(entries=[_entry(draft, caller) for draft in drafts])


def _entry(draft: Draft, caller: Caller) -> GetPersonaDraftResponse:
    selections = selections_of(draft.fields)

    def one(name: str) -> list[str]:
        value = cast("str | None", selections[name])
        return [] if value is None else [value]

    def several(name: str) -> list[str]:
        return list(cast("tuple[str, ...]", selections[name]))

    return GetPersonaDraftResponse(
        id=draft.id,
        version=draft.version,
        created_at=draft.created_at,
        generated=False,
        mcp=draft.mcp,
        active=True,
        group_id=caller.group_id,
        session_id=draft.session_id,
        name_ids=one("name_id"),
        description_ids=one("description_id"),
        instruction_ids=one("instructions_id"),
        color_ids=one("color_id"),
        icon_ids=one("icon_id"),
        flag_ids=one("active_flag_id"),
        department_ids=several("department_ids"),
        parameter_field_ids=several("parameter_field_ids"),
        example_ids=several("example_ids"),
        voice_ids=several("voice_ids"),
        profile_ids=[caller.profile_id],
    )
