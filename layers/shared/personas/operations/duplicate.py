"""duplicate: make a copy of a persona."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from personas.contract.duplicate import DuplicatePersonaRequest, DuplicatePersonaResponse
from personas.contract.persona_fields import TextKind
from personas.domain.copies import copy_name
from personas.domain.intent import Intent
from personas.domain.permissions import departments_of_copy, may_assign, may_see, may_write
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.domain.text import Text, identified
from personas.errors import Forbidden, Invalid, NotFound
from personas.operations.bulk import retry_on_conflict
from personas.operations.create import insert
from personas.operations.persona_reads import read_persona
from personas.services import Services
from personas.store.attempts import ConditionFailed
from personas.store.personas import Stored, name_in


def duplicate_persona(
    services: Services, caller: Caller, request: DuplicatePersonaRequest, intent: Intent
) -> DuplicatePersonaResponse:
    """Copy a persona in three rounds: read it, take the copy's number, store the copy.

    The number is counted on the source, and the name that it most likely makes is put into the text directory beside
    the count; only a race for the number costs a fourth round.

    Raises:
        Forbidden: the caller's role only reads.
        NotFound: the persona cannot be seen.
        Unreadable: it cannot be read.
        Invalid: the copy would be in no department, and the caller has none to give it.
    """
    verdict = may_write(caller)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    missing = NotFound(f"There is no persona {request.persona_id}.")
    secrets: list[bytes] = []
    found: list[Stored | None] = []
    calls: list[Callable[[], None]] = [
        lambda: found.append(read_persona(services, caller, request.persona_id)),
        lambda: services.groups.mark(caller.group_id),
        lambda: secrets.append(services.groups.text_secret(caller.group_id)),
    ]
    services.parallel.run(calls)
    (stored,), (secret,) = found, secrets
    if stored is None or stored.persona is None or not may_see(caller, stored.persona.department_ids):
        raise missing
    source = stored.persona
    department_ids = departments_of_copy(caller, source)
    assignment = may_assign(caller, department_ids)
    if assignment.reason is not None:
        raise Invalid("You belong to no department, so your copy would be in none.", code=assignment.code)

    write_id = intent.write_id()
    number = [0]

    def count() -> None:
        number[0] = services.personas.next_copy(caller.group_id, source.id, write_id)

    expected = _copied_texts(secret, source, stored.copies + 1)
    try:
        services.parallel.run([count, *services.texts.puts(caller.group_id, expected)])
    except ConditionFailed:
        raise missing from None
    texts = _copied_texts(secret, source, number[0])
    services.parallel.run(services.texts.puts(caller.group_id, texts))

    now = services.now().isoformat()
    copy = replace(
        source,
        id=intent.new_id(),
        form=replace(source.form, name=texts[0][1], active_flag_id=None, department_ids=department_ids),
        scenario_ids=(),
        active_scenario_ids=(),
        num_profiles=0,
        generated=False,
        mcp=caller.mcp,
        created_at=now,
        updated_at=now,
    )
    written = retry_on_conflict(
        services, partial(insert, services, caller.group_id, copy, write_id, None, "/persona_id")
    )
    # The repeat of a call that was cut off finds the copy of the first attempt, which may have another number.
    name = name_in(written) or copy.name.text
    return DuplicatePersonaResponse(success=True, persona_id=copy.id, message=f"The persona was copied as {name!r}.")


def _copied_texts(secret: bytes, source: Persona, number: int) -> list[tuple[TextKind, Text]]:
    """The copy's new text: its name. The others are the source's own, and in the directory since it was saved."""
    return [("names", identified(secret, "names", copy_name(source.name.text, number)))]
