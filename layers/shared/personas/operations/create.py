"""create: save new personas."""

from functools import partial

from personas.contract.create import CreatePersonaItem, CreatePersonaRequest, CreatePersonaResponse
from personas.contract.names import Rejected
from personas.domain.form import Form, texts_of
from personas.domain.intent import Intent
from personas.domain.linking import Links
from personas.domain.permissions import may_write
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.domain.selection import select, too_long
from personas.errors import Conflict, Fault, Forbidden, OutcomeUnknown, PersonasError
from personas.operations.bulk import answered, at, refused, repeated, settle, until_settled
from personas.operations.saving import Lookup, check_assignment, id_sent, place_of, told
from personas.services import Services
from personas.store.personas import Stored
from personas.store.table import Written


def create_personas(
    services: Services, caller: Caller, request: CreatePersonaRequest, intent: Intent
) -> CreatePersonaResponse:
    """Save each item that can be saved, in two rounds: look up what they name, then write them side by side.

    Raises:
        NothingSaved: no item could be saved.
    """
    verdict = may_write(caller)
    failed: dict[int, Written | PersonasError] = {}
    sound: dict[int, CreatePersonaItem] = {}
    claimed: set[str] = set()
    for position, item in enumerate(request.personas):
        if verdict.reason is not None:
            failed[position] = Forbidden(verdict.reason, code=verdict.code)
        elif isinstance(item, Rejected):
            failed[position] = refused(item, place_of(position))
        elif item.id in claimed:
            failed[position] = repeated(f"{place_of(position)}/id")
        else:
            sound[position] = item
            claimed |= {item.id} if item.id else set()

    ids = {position: item.id or intent.new_id(position) for position, item in sound.items()}
    if sound:
        lookup = Lookup(services, caller.group_id, list(sound.values()), claimed)
        creators = {
            position: partial(
                _create, services, caller, item, ids[position], intent.write_id(position), lookup, position
            )
            for position, item in sound.items()
        }
        failed |= settle(services, creators)

    def named(position: int, outcome: Written | PersonasError) -> str | None:
        # The id that was made for what is not stored names nothing.
        if isinstance(outcome, PersonasError) and not isinstance(outcome, OutcomeUnknown):
            return id_sent(request.personas[position], "id")
        return ids[position]

    return CreatePersonaResponse(
        results=answered(
            failed,
            lambda position, outcome: told(named(position, outcome), outcome, "The persona was created."),
        )
    )


def _create(
    services: Services,
    caller: Caller,
    item: CreatePersonaItem,
    persona_id: str,
    write_id: str,
    lookup: Lookup,
    position: int,
) -> Written:
    place = place_of(position)
    selected = select(item, Links(lookup.catalogue, caller), lookup.texts)
    faults = [*selected.faults, *too_long(text for _, text in texts_of(selected.changes))]
    if faults:
        raise at(place, faults)
    form = Form().changed(selected.changes)
    check_assignment(caller, form.department_ids, selected, item, place)
    if form.name is None or form.instructions is None or form.color_id is None or form.icon_id is None:
        raise AssertionError("the contract lets no item through without what is needed")

    now = services.table.now().isoformat()
    persona = Persona(
        id=persona_id,
        name=form.name,
        description=form.description,
        instructions=form.instructions,
        color_id=form.color_id,
        icon_id=form.icon_id,
        active_flag_id=form.active_flag_id,
        department_ids=form.department_ids,
        parameter_field_ids=form.parameter_field_ids,
        examples=form.examples,
        voice_ids=form.voice_ids,
        mcp=caller.mcp,
        created_at=now,
        updated_at=now,
    )
    return insert(services, caller.group_id, persona, write_id, lookup.stored.get(persona_id), f"{place}/id")


def insert(
    services: Services, group_id: str, persona: Persona, write_id: str, stored: Stored | None, place: str
) -> Written:
    """Store a new persona where nothing stands, or a tombstone; ``stored`` is what was read there.

    Raises:
        Conflict: the id is taken, or others keep writing it.
    """

    def attempt(read_again: bool) -> Written:
        there = services.personas.get(group_id, persona.id) if read_again else stored
        if there is not None:
            made = there.made_by(write_id)
            if made is not None:
                return Written(made, None)
            if there.persona is not None:
                raise Conflict(
                    f"There is a persona with the id {persona.id} already.",
                    code="id_taken",
                    errors=[Fault(place, "is the id of a persona that exists")],
                )
        return services.personas.insert(group_id, persona, write_id, there)

    return until_settled(services, attempt)
