"""create: save new personas."""

from collections.abc import Mapping
from functools import partial

from personas.contract.create import CreatePersonaItem, CreatePersonaRequest, CreatePersonaResponse
from personas.contract.results import PersonaResultItem
from personas.domain.authorship import writer_of
from personas.domain.persona import Form, Persona
from personas.domain.profile import Caller
from personas.domain.selection import Links, select, too_long
from personas.errors import Conflict, Fault, PersonasError, Unreadable
from personas.operations.bulk import Attempt, check_items, check_writer, invalid_item, results_of, run_items
from personas.operations.persona_writes import Prepared, check_assignment, persona_result, place_of, prepare_personas
from personas.services import Services
from personas.store.personas import Found
from personas.store.write_rule import Intent, WriteResult


def create_personas(
    services: Services, caller: Caller, request: CreatePersonaRequest, intent: Intent
) -> CreatePersonaResponse:
    """Save each item that can be saved, a chunk in two rounds: look up what they name, then write them side by side.

    Raises:
        PersonasError: the caller's role only reads, or see ``results_of``.
    """
    # Filled once the items are checked. A result from before that is a refusal, which shows no id.
    ids: dict[int, str] = {}

    def result_of(position: int, outcome: WriteResult | PersonasError) -> PersonaResultItem:
        # A persona that is not stored has no id. One that may be stored goes by the id that it would have.
        unsaved = isinstance(outcome, PersonasError) and not outcome.may_have_saved
        return persona_result(position, None if unsaved else ids[position], outcome, "The persona was created.")

    check_writer(caller, len(request.personas), result_of)
    sound, faulty = check_items(request.personas, "personas", lambda item: item.id, "/id")
    ids |= {position: item.id or intent.new_id(position) for position, item in sound.items()}

    def prepare(chunk: Mapping[int, CreatePersonaItem]) -> dict[int, Attempt[WriteResult]]:
        # Nothing stands under a new id, unless an earlier call of this intent has put it there.
        to_read = [ids[position] for position, item in chunk.items() if item.id or intent.may_be_done]
        prepared = prepare_personas(services, caller.group_id, list(chunk.values()), to_read)
        return {
            position: partial(
                services.personas.read_decide_write,
                caller.group_id,
                ids[position],
                intent.write_id(position),
                prepared.stored.get(ids[position]),
                partial(_decide, services, caller, item, ids[position], prepared, place_of(position)),
                writer_of(caller),
            )
            for position, item in chunk.items()
        }

    outcomes = faulty | run_items(services, sound, prepare)
    return CreatePersonaResponse(results=results_of(outcomes, result_of))


def _decide(
    services: Services,
    caller: Caller,
    item: CreatePersonaItem,
    persona_id: str,
    prepared: Prepared,
    place: str,
    found: Found,
) -> Persona:
    """Return the new persona, if the caller may make it and its id is free."""
    selected = select(item, Links(prepared.catalogue, caller), prepared.texts)
    form = Form.of(selected.changes)
    faults = [*selected.faults, *too_long(text for _, text in form.texts)]
    if faults:
        raise invalid_item(place, faults)
    check_assignment(caller, form.department_ids, selected, item, place)
    now = services.now().isoformat()
    persona = Persona(id=persona_id, form=form, mcp=caller.mcp, created_at=now, updated_at=now)
    return new_persona(persona, f"{place}/id", found)


def new_persona(persona: Persona, place: str, found: Found) -> Persona:
    """Return a new persona where nothing was found under its id, or a tombstone; ``place`` is the pointer to the id.

    Raises:
        Conflict: the id is taken.
        Unreadable: the id is taken by what cannot be read.
    """
    if isinstance(found, Unreadable):
        # The id is taken. That much is told of any id, whoever may see its persona.
        raise found
    if found is not None and found.persona is not None:
        raise Conflict(
            f"There is a persona with the id {persona.id} already.",
            code="id_taken",
            errors=[Fault(place, "is the id of a persona that exists")],
        )
    return persona
