"""The tools that write. Each is one item of the operation of its name, with that operation's rights and rules."""

from personas.contract.create import CreatePersonaRequest
from personas.contract.delete import DeletePersonaRequest
from personas.contract.duplicate import DuplicatePersonaRequest
from personas.contract.restore import RestorePersonaRequest
from personas.contract.results import PersonaResultItem
from personas.contract.tools import (
    CreateArguments,
    EditArguments,
    Edited,
    PersonaArguments,
    RestoreArguments,
    Saved,
)
from personas.contract.update import UpdatePersonaRequest
from personas.domain.profile import Caller
from personas.errors import Invalid
from personas.operations.create import create_personas
from personas.operations.delete import delete_personas
from personas.operations.duplicate import duplicate_persona
from personas.operations.restore import restore_version
from personas.operations.update import update_personas
from personas.services import Services
from personas.store.write_rule import OneTime


def create(services: Services, caller: Caller, wanted: CreateArguments) -> Saved:
    """Save a new persona."""
    # In no department unless some are named, so that what is wrong with that is told of this argument.
    item = {"departments": [], **wanted.model_dump(exclude_none=True)}
    request = CreatePersonaRequest.model_validate({"personas": [item]})
    (result,) = create_personas(services, caller, request, OneTime()).results
    return Saved.model_validate(_told(result))


def edit(services: Services, caller: Caller, wanted: EditArguments) -> Edited:
    """Change a persona, over what others have changed elsewhere in it since.

    Raises:
        Invalid: no field is named.
    """
    item = {**wanted.model_dump(exclude_none=True), "merge": True}
    if item.keys() <= {"persona_id", "expected_version", "merge"}:
        raise Invalid("Name at least one field to change.")
    request = UpdatePersonaRequest.model_validate({"personas": [item]})
    (result,) = update_personas(services, caller, request, OneTime()).results
    return Edited.model_validate({**_told(result), "merged": result.merged})


def copy(services: Services, caller: Caller, wanted: PersonaArguments) -> Saved:
    """Make an inactive copy of a persona."""
    request = DuplicatePersonaRequest(persona_id=wanted.persona_id)
    told = duplicate_persona(services, caller, request, OneTime())
    return Saved(persona_id=told.persona_id, message=told.message)


def delete(services: Services, caller: Caller, wanted: PersonaArguments) -> Saved:
    """Delete a persona."""
    request = DeletePersonaRequest(persona_ids=[wanted.persona_id])
    (result,) = delete_personas(services, caller, request, OneTime()).results
    return Saved(persona_id=result.persona_id, message=result.message)


def restore(services: Services, caller: Caller, wanted: RestoreArguments) -> Saved:
    """Bring a version of a persona back."""
    request = RestorePersonaRequest.model_validate(wanted.model_dump(exclude_none=True))
    told = restore_version(services, caller, request, OneTime())
    return Saved(persona_id=told.persona_id, version=told.version, message=told.message)


def _told(result: PersonaResultItem) -> dict[str, object]:
    return result.model_dump(include=set(Saved.model_fields))
