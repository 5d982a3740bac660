"""compare: two versions of a persona, or a version and the caller's draft."""

from personas.contract.compare import ComparePersonaRequest, ComparePersonaResponse
from personas.domain.differences import differences
from personas.domain.persona import Form, Persona, laid_over
from personas.domain.profile import Caller
from personas.errors import Fault, Invalid, NotFound
from personas.operations.version_reads import current_version, version_seen
from personas.services import Services


def compare_versions(services: Services, caller: Caller, request: ComparePersonaRequest) -> ComparePersonaResponse:
    """Read the persona, the versions, the draft and the catalogue in one round; one more for a deleted persona.

    Raises:
        Invalid: a version to compare with and a draft are named.
        NotFound: the persona or a version cannot be seen, or the draft is not the caller's.
        Unreadable: what stands there cannot be read, and for a version the caller is a superadmin.
    """
    persona_id, draft_id, to_version = request.persona_id, request.draft_id, request.to_version
    if draft_id is not None and to_version is not None:
        raise Invalid(
            "A draft is compared with the version that it is laid over: leave to_version out.",
            errors=[Fault("/to_version", "cannot be given with draft_id")],
        )
    catalogue, found, past, draft = services.parallel.gather(
        lambda: services.catalogues.current(caller.group_id),
        lambda: services.personas.find(caller.group_id, persona_id),
        lambda: services.history.versions(
            caller.group_id, persona_id, {request.from_version, to_version or request.from_version}
        ),
        lambda: services.drafts.get(caller.group_id, caller.profile_id, draft_id) if draft_id else None,
    )
    current = current_version(services, caller, persona_id, found)
    if draft_id and draft is None:
        raise NotFound(f"You have no draft {draft_id}.")
    to_version = current.version if to_version is None else to_version
    before, after = (
        _form(version_seen(caller, persona_id, number, current, past).persona)
        for number in (request.from_version, to_version)
    )
    sides = f"version {request.from_version}", f"draft {draft.id}" if draft else f"version {to_version}"
    return ComparePersonaResponse(
        persona_id=persona_id,
        from_version=request.from_version,
        to_version=to_version,
        differences=differences(before, laid_over(after, draft) if draft else after, catalogue, sides),
    )


def _form(persona: Persona | None) -> Form:
    """Return the form of a version; of a deletion the blank one."""
    return persona.form if persona else Form()
