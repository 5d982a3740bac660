"""docs: the documentation of the persona artifact.

It is the same for every caller and every deployment of a version, so it is composed where the version is made
(`personas_tools.documentation`) and read here: the models of all operations would be a third of this function's start.
"""

from functools import cache
from pathlib import Path
from typing import Final, cast

from personas.contract.docs import DocsApiResponse, PersonaDocsRequest, PersonaDocsResponse
from personas.domain.permissions import may_see
from personas.domain.profile import Caller
from personas.errors import NotFound
from personas.services import Services
from personas.store.personas import visible_to

_COMPOSED: Final = Path(__file__).with_name("documentation.json")


def describe(services: Services, caller: Caller, request: PersonaDocsRequest) -> PersonaDocsResponse:
    """Return the documentation, with the persona's name in the detail title if one is asked for: one round, or none.

    Raises:
        NotFound: the persona cannot be seen.
    """
    if not request.entity_id:
        return _documentation()
    stored = visible_to(caller, services.personas.find(caller.group_id, request.entity_id))
    persona = stored.persona if stored else None
    if persona is None or not may_see(caller, persona.department_ids):
        raise NotFound(f"There is no persona {request.entity_id}.")
    pages = cast("DocsApiResponse", _documentation().page_metadata)
    detail = pages.detail.model_copy(update={"title": persona.name.text})
    return _documentation().model_copy(update={"page_metadata": pages.model_copy(update={"detail": detail})})


@cache
def _documentation() -> PersonaDocsResponse:
    return PersonaDocsResponse.model_validate_json(_COMPOSED.read_bytes())
