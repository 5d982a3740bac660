"""delete: retire personas."""

from functools import partial

from personas.contract.delete import DeletePersonaRequest, DeletePersonaResponse, DeletePersonaResult
from personas.contract.names import Rejected
from personas.domain.intent import Intent
from personas.domain.permissions import may_delete, may_see
from personas.domain.profile import Caller
from personas.errors import Forbidden, NotFound, PersonasError
from personas.operations.bulk import answered, echoed, refused, repeated, settle, until_settled
from personas.services import Services
from personas.store.personas import Stored
from personas.store.table import Written


def delete_personas(
    services: Services, caller: Caller, request: DeletePersonaRequest, intent: Intent
) -> DeletePersonaResponse:
    """Delete each persona that can be deleted, in two rounds: read them, then write their tombstones side by side.

    Raises:
        NothingSaved: none could be deleted.
    """
    outcomes: dict[int, Written | PersonasError] = {}
    sound: dict[int, str] = {}
    for position, persona_id in enumerate(request.persona_ids):
        if isinstance(persona_id, Rejected):
            outcomes[position] = refused(persona_id, f"/persona_ids/{position}")
        elif persona_id in sound.values():
            outcomes[position] = repeated(f"/persona_ids/{position}")
        else:
            sound[position] = persona_id

    if sound:
        stored, _ = services.parallel.pair(
            lambda: services.personas.get_many(caller.group_id, sound.values()),
            lambda: services.groups.mark(caller.group_id),
        )
        deletes = {
            position: partial(_delete, services, caller, persona_id, intent.write_id(position), stored.get(persona_id))
            for position, persona_id in sound.items()
        }
        outcomes |= settle(services, deletes)

    def told(position: int, outcome: Written | PersonasError) -> DeletePersonaResult:
        named = request.persona_ids[position]
        return DeletePersonaResult(
            success=not isinstance(outcome, PersonasError),
            persona_id=echoed(named.raw) if isinstance(named, Rejected) else named,
            message=outcome.detail if isinstance(outcome, PersonasError) else "The persona was deleted.",
        )

    return DeletePersonaResponse(results=answered(outcomes, told))


def _delete(services: Services, caller: Caller, persona_id: str, write_id: str, stored: Stored | None) -> Written:
    def attempt(read_again: bool) -> Written:
        there = services.personas.get(caller.group_id, persona_id) if read_again else stored
        made = there.made_by(write_id) if there else None
        if made is not None:
            return Written(made, None)
        if there is None or there.persona is None or not may_see(caller, there.persona.department_ids):
            raise NotFound(f"There is no persona {persona_id}.")
        verdict = may_delete(caller, there.persona)
        if verdict.reason is not None:
            raise Forbidden(verdict.reason, code=verdict.code)
        return services.personas.delete(caller.group_id, persona_id, write_id, there)

    return until_settled(services, attempt)
