"""create: save new personas."""

from collections.abc import Mapping
from functools import partial

from personas.contract.create import CreatePersonaItem, CreatePersonaRequest, CreatePersonaResponse
from personas.contract.names import Rejected
from personas.contract.results import PersonaResultItem
from personas.domain.form import Form
from personas.domain.intent import Intent
from personas.domain.linking import Links
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.domain.selection import select, too_long
from personas.errors import Conflict, Fault, PersonasError, Unreadable
from personas.operations.bulk import (
    Attempt,
    check_writer,
    invalid_item,
    rejected_item,
    repeated_item,
    results_of,
    run_items,
)
from personas.operations.persona_writes import Lookup, check_assignment, persona_result, place_of
from personas.services import Services
from personas.store.personas import Stored
from personas.store.write_rule import WriteResult


def create_personas(
    services: Services, caller: Caller, request: CreatePersonaRequest, intent: Intent
) -> CreatePersonaResponse:
    """Save each item that can be saved, a chunk in two rounds: look up what they name, then write them side by side.

    Raises:
        PersonasError: the caller's role only reads, or see ``results_of``.
    """

    def result_of(position: int, outcome: WriteResult | PersonasError) -> PersonaResultItem:
        # What is not stored has no id. What may be stored goes by the one that it would have.
        unsaved = isinstance(outcome, PersonasError) and not outcome.may_have_saved
        return persona_result(position, None if unsaved else ids[position], outcome, "The persona was created.")

    ids: dict[int, str] = {}
    check_writer(caller, len(request.personas), result_of)
    outcomes: dict[int, WriteResult | PersonasError] = {}
    sound: dict[int, CreatePersonaItem] = {}
    claimed: set[str] = set()
    for position, item in enumerate(request.personas):
        if isinstance(item, Rejected):
            outcomes[position] = rejected_item(item, place_of(position))
        elif item.id in claimed:
            outcomes[position] = repeated_item(f"{place_of(position)}/id")
        else:
            sound[position] = item
            claimed |= {item.id} if item.id else set()

    ids |= {position: item.id or intent.new_id(position) for position, item in sound.items()}

    def prepare(chunk: Mapping[int, CreatePersonaItem]) -> dict[int, Attempt[WriteResult]]:
        lookup = Lookup(
            services, caller.group_id, list(chunk.values()), [item.id for item in chunk.values() if item.id]
        )
        return {
            position: partial(
                _create, services, caller, item, ids[position], intent.write_id(position), lookup, position
            )
            for position, item in chunk.items()
        }

    outcomes |= run_items(services, sound, prepare)
    return CreatePersonaResponse(results=results_of(outcomes, result_of))


def _create(
    services: Services,
    caller: Caller,
    item: CreatePersonaItem,
    persona_id: str,
    write_id: str,
    lookup: Lookup,
    position: int,
    read_again: bool,
) -> WriteResult:
    place = place_of(position)
    selected = select(item, Links(lookup.catalogue, caller), lookup.texts)
    form = Form.of(selected.changes)
    faults = [*selected.faults, *too_long(text for _, text in form.texts)]
    if faults:
        raise invalid_item(place, faults)
    check_assignment(caller, form.department_ids, selected, item, place)
    now = services.now().isoformat()
    persona = Persona(id=persona_id, form=form, mcp=caller.mcp, created_at=now, updated_at=now)
    stored = lookup.stored.get(persona_id)
    return insert(services, caller.group_id, persona, write_id, stored, f"{place}/id", read_again)


def insert(
    services: Services,
    group_id: str,
    persona: Persona,
    write_id: str,
    stored: Stored | Unreadable | None,
    place: str,
    read_again: bool,
) -> WriteResult:
    """Store a new persona where nothing stands, or a tombstone; ``stored`` is what was read there at first.

    Raises:
        Conflict: the id is taken.
        ConditionFailed: somebody else has written there since.
        Unreadable: the id is taken by what cannot be read.
    """
    there = services.personas.get(group_id, persona.id) if read_again else stored
    if isinstance(there, Unreadable):
        # The id is taken. That much is persona_result of any id, whoever may see its persona.
        raise there
    if there is not None:
        made = there.version_written_by(write_id)
        if made is not None:
            return WriteResult(made, None)
        if there.persona is not None:
            raise Conflict(
                f"There is a persona with the id {persona.id} already.",
                code="id_taken",
                errors=[Fault(place, "is the id of a persona that exists")],
            )
    return services.personas.insert(group_id, persona, write_id, there)
