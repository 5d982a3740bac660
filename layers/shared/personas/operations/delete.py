"""delete: retire personas."""

from collections.abc import Mapping
from functools import partial

from personas.contract.base import Rejected
from personas.contract.delete import DeletePersonaRequest, DeletePersonaResponse, DeletePersonaResult
from personas.domain.authorship import writer_of
from personas.domain.permissions import may_delete, may_see
from personas.domain.profile import Caller
from personas.errors import Forbidden, NotFound, PersonasError
from personas.operations.bulk import Attempt, check_items, check_writer, cut_to_length, results_of, run_items
from personas.services import Services
from personas.store.personas import Deletion, Found, visible_to
from personas.store.write_rule import Intent, WriteResult


def delete_personas(
    services: Services, caller: Caller, request: DeletePersonaRequest, intent: Intent
) -> DeletePersonaResponse:
    """Delete each persona that can be deleted, a chunk in two rounds: read them, then write their tombstones.

    Raises:
        PersonasError: the caller's role only reads, or see ``results_of``.
    """

    def result_of(position: int, outcome: WriteResult | PersonasError) -> DeletePersonaResult:
        named = request.persona_ids[position]
        persona_id = cut_to_length(named.raw) if isinstance(named, Rejected) else named
        if isinstance(outcome, PersonasError):
            return DeletePersonaResult(success=False, persona_id=persona_id, message=outcome.detail, code=outcome.code)
        return DeletePersonaResult(success=True, persona_id=persona_id, message="The persona was deleted.")

    check_writer(caller, len(request.persona_ids), result_of)
    sound, faulty = check_items(request.persona_ids, "persona_ids", lambda persona_id: persona_id)

    def prepare(chunk: Mapping[int, str]) -> dict[int, Attempt[WriteResult]]:
        stored, _ = services.parallel.gather(
            lambda: services.personas.get_many(caller.group_id, chunk.values()),
            lambda: services.groups.mark(caller.group_id),
        )
        return {
            position: partial(
                services.personas.read_decide_write,
                caller.group_id,
                persona_id,
                intent.write_id(position),
                stored.get(persona_id),
                partial(_decide, caller, persona_id),
                writer_of(caller),
            )
            for position, persona_id in chunk.items()
        }

    outcomes = faulty | run_items(services, sound, prepare)
    return DeletePersonaResponse(results=results_of(outcomes, result_of))


def _decide(caller: Caller, persona_id: str, found: Found) -> Deletion:
    """Let a tombstone take the place of what was found, if the caller may delete it."""
    stored = visible_to(caller, found)
    if stored is None or stored.persona is None or not may_see(caller, stored.persona.department_ids):
        raise NotFound(f"There is no persona {persona_id}.")
    verdict = may_delete(caller, stored.persona)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    return Deletion.TOMBSTONE
