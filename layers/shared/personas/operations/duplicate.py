"""duplicate: make a copy of a persona."""

from dataclasses import replace
from functools import partial

from personas.contract.duplicate import DuplicatePersonaRequest, DuplicatePersonaResponse
from personas.domain.authorship import writer_of
from personas.domain.copies import copy_name
from personas.domain.permissions import departments_of_copy, may_assign, may_see, may_write
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.domain.selection import too_long
from personas.domain.text import Text, identified
from personas.errors import Forbidden, Invalid, NotFound
from personas.operations.bulk import invalid_item
from personas.operations.create import new_persona
from personas.runtime import nothing
from personas.services import Services
from personas.store.attempts import ConditionFailed
from personas.store.persona_rows import name_in
from personas.store.personas import Stored, visible_to
from personas.store.write_rule import Intent, version_written_by


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
        Invalid: the copy would be in no department, and the caller has none to give it; or its texts would be too long.
    """
    verdict = may_write(caller)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    copy_id, write_id = intent.new_id(), intent.write_id()
    found, earlier, secret, _ = services.parallel.gather(
        lambda: services.personas.find(caller.group_id, request.persona_id),
        (lambda: services.personas.find(caller.group_id, copy_id)) if intent.may_be_done else nothing,
        lambda: services.groups.text_secret(caller.group_id),
        lambda: services.groups.mark(caller.group_id),
    )
    if isinstance(earlier, Stored) and version_written_by(earlier.item, write_id) is not None:
        # Before anything is decided: the source may be gone by now.
        return _answer(copy_id, earlier.persona.name.text if earlier.persona else None)

    missing = NotFound(f"There is no persona {request.persona_id}.")
    stored = visible_to(caller, found)
    if stored is None or stored.persona is None or not may_see(caller, stored.persona.department_ids):
        raise missing
    source = stored.persona
    department_ids = departments_of_copy(caller, source)
    assignment = may_assign(caller, department_ids)
    if assignment.reason is not None:
        raise Invalid("You belong to no department, so your copy would be in none.", code=assignment.code)

    try:
        name = _count_and_name(services, caller.group_id, source, stored.copies, secret, write_id)
    except ConditionFailed:
        raise missing from None

    now = services.now().isoformat()
    copy = replace(
        source,
        id=copy_id,
        form=replace(source.form, name=name, active_flag_id=None, department_ids=department_ids),
        scenario_ids=(),
        active_scenario_ids=(),
        num_profiles=0,
        generated=False,
        mcp=caller.mcp,
        created_at=now,
        updated_at=now,
    )
    decide = partial(new_persona, copy, "/persona_id")
    written = services.personas.read_decide_write(caller.group_id, copy.id, write_id, None, decide, writer_of(caller))
    # A write whose answer was lost finds the copy that it made, which may have another number.
    return _answer(copy_id, name_in(written.item) or copy.name.text)


def _answer(copy_id: str, name: str | None) -> DuplicatePersonaResponse:
    """Return the answer; the name is None for a copy that was deleted since."""
    message = "The persona was copied." if name is None else f"The persona was copied as {name!r}."
    return DuplicatePersonaResponse(success=True, persona_id=copy_id, message=message)


def _count_and_name(
    services: Services, group_id: str, source: Persona, copies: int, secret: bytes, write_id: str
) -> Text:
    """Count the copy on its source, and return its name by that number, once that is in the text directory.

    Its other texts are the source's own, and in the directory since that was saved. ``copies`` is the count as read.

    Raises:
        ConditionFailed: the source is gone.
        Invalid: its texts and the name are too long together.
    """

    def name_by(number: int) -> Text:
        return identified(secret, "names", copy_name(source.name.text, number))

    likely_name = name_by(copies + 1)
    if faults := too_long(text for _, text in replace(source.form, name=likely_name).texts):
        raise invalid_item("", faults)

    def put_likely_name() -> None:
        for put in services.texts.puts(group_id, [("names", likely_name)]):
            put()

    number, _ = services.parallel.gather(
        lambda: services.personas.next_copy(group_id, source.id, write_id), put_likely_name
    )
    name = name_by(number)
    services.parallel.run(services.texts.puts(group_id, [("names", name)]))
    return name
