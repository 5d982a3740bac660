"""delete: retire personas."""

from collections.abc import Mapping
from functools import partial

from personas.contract.delete import DeletePersonaRequest, DeletePersonaResponse, DeletePersonaResult
from personas.contract.names import Rejected
from personas.domain.intent import Intent
from personas.domain.permissions import may_delete, may_see
from personas.domain.profile import Caller
from personas.errors import Forbidden, NotFound, PersonasError, Unreadable
from personas.operations.bulk import Attempt, check_writer, quoted, rejected_item, repeated_item, results_of, run_items
from personas.operations.persona_reads import read_persona, visible_to
from personas.services import Services
from personas.store.personas import Stored
from personas.store.write_rule import WriteResult


def delete_personas(
    services: Services, caller: Caller, request: DeletePersonaRequest, intent: Intent
) -> DeletePersonaResponse:
    """Delete each persona that can be deleted, a chunk in two rounds: read them, then write their tombstones.

    Raises:
        PersonasError: the caller's role only reads, or see ``results_of``.
    """

    def result_of(position: int, outcome: WriteResult | PersonasError) -> DeletePersonaResult:
        named = request.persona_ids[position]
        persona_id = quoted(named.raw) if isinstance(named, Rejected) else named
        if isinstance(outcome, PersonasError):
            return DeletePersonaResult(success=False, persona_id=persona_id, message=outcome.detail, code=outcome.code)
        return DeletePersonaResult(success=True, persona_id=persona_id, message="The persona was deleted.")

    check_writer(caller, len(request.persona_ids), result_of)
    outcomes: dict[int, WriteResult | PersonasError] = {}
    sound: dict[int, str] = {}
    claimed: set[str] = set()
    for position, persona_id in enumerate(request.persona_ids):
        if isinstance(persona_id, Rejected):
            outcomes[position] = rejected_item(persona_id, f"/persona_ids/{position}")
        elif persona_id in claimed:
            outcomes[position] = repeated_item(f"/persona_ids/{position}")
        else:
            sound[position] = persona_id
            claimed.add(persona_id)

    def prepare(chunk: Mapping[int, str]) -> dict[int, Attempt[WriteResult]]:
        stored, _ = services.parallel.pair(
            lambda: services.personas.get_many(caller.group_id, chunk.values()),
            lambda: services.groups.mark(caller.group_id),
        )
        return {
            position: partial(_delete, services, caller, persona_id, intent.write_id(position), stored.get(persona_id))
            for position, persona_id in chunk.items()
        }

    outcomes |= run_items(services, sound, prepare)
    return DeletePersonaResponse(results=results_of(outcomes, result_of))


def _delete(
    services: Services,
    caller: Caller,
    persona_id: str,
    write_id: str,
    stored: Stored | Unreadable | None,
    read_again: bool,
) -> WriteResult:
    there = read_persona(services, caller, persona_id) if read_again else visible_to(caller, stored)
    made = there.version_written_by(write_id) if there else None
    if made is not None:
        return WriteResult(made, None)
    if there is None or there.persona is None or not may_see(caller, there.persona.department_ids):
        raise NotFound(f"There is no persona {persona_id}.")
    verdict = may_delete(caller, there.persona)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    return services.personas.delete(caller.group_id, persona_id, write_id, there)
