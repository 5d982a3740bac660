"""update: change stored personas."""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from personas.contract.base import Rejected
from personas.contract.results import PersonaResultItem
from personas.contract.update import UpdatePersonaItem, UpdatePersonaRequest, UpdatePersonaResponse
from personas.domain.authorship import writer_of
from personas.domain.permissions import may_edit, may_see
from personas.domain.persona import Persona
from personas.domain.profile import Caller
from personas.domain.selection import Links, select, too_long
from personas.errors import Fault, Forbidden, Invalid, NotFound, PersonasError, PreconditionFailed, VersionConflict
from personas.operations.bulk import (
    Attempt,
    check_items,
    check_writer,
    cut_to_length,
    invalid_item,
    results_of,
    run_items,
)
from personas.operations.merging import FieldsChanged, conflicts_of
from personas.operations.persona_writes import Prepared, check_assignment, persona_result, place_of, prepare_personas
from personas.services import Services
from personas.store.personas import Found, visible_to
from personas.store.write_rule import Intent, WriteResult

_ENTITY_TAG: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*')
"""RFC 9110, section 8.8.3."""


def update_personas(
    services: Services, caller: Caller, request: UpdatePersonaRequest, intent: Intent, if_match: str | None = None
) -> UpdatePersonaResponse:
    """Save each item that can be saved, a chunk in two rounds: read what they name, then write them side by side.

    Raises:
        Invalid: ``if_match`` comes with more than one item, is no entity tag, or disagrees with ``expected_version``.
        PersonasError: the caller's role only reads, or see ``results_of``.
    """

    def result_of(position: int, outcome: WriteResult | PersonasError) -> PersonaResultItem:
        item = request.personas[position]
        told = persona_result(position, _id_sent(item), outcome, "The persona was updated.")
        if isinstance(outcome, WriteResult) and not isinstance(item, Rejected) and item.merge:
            told.merged = outcome.based_on != item.expected_version or None
        return told

    tags = _matching(if_match, request)
    check_writer(caller, len(request.personas), result_of)
    sound, faulty = check_items(request.personas, "personas", lambda item: item.persona_id, "/persona_id")

    def prepare(chunk: Mapping[int, UpdatePersonaItem]) -> dict[int, Attempt[WriteResult]]:
        items = list(chunk.values())
        prepared = prepare_personas(services, caller.group_id, items, [item.persona_id for item in items])
        return {
            position: partial(
                services.personas.read_decide_write,
                caller.group_id,
                item.persona_id,
                intent.write_id(position),
                prepared.stored.get(item.persona_id),
                partial(_decide, services, caller, item, prepared, tags, place_of(position)),
                writer_of(caller),
            )
            for position, item in chunk.items()
        }

    outcomes = faulty | run_items(services, sound, prepare)
    return UpdatePersonaResponse(results=results_of(outcomes, result_of))


def _id_sent(item: UpdatePersonaItem | Rejected) -> str | None:
    """Return the id that an item names, as far as it names one."""
    if not isinstance(item, Rejected):
        return item.persona_id
    sent = item.raw.get("persona_id") if isinstance(item.raw, Mapping) else None
    return cut_to_length(sent) if isinstance(sent, str) else None


def _decide(
    services: Services,
    caller: Caller,
    item: UpdatePersonaItem,
    prepared: Prepared,
    tags: frozenset[str] | None,
    place: str,
    found: Found,
) -> Persona:
    """Return the persona's next version, if the caller may make it of what was found."""
    stored = visible_to(caller, found)
    persona = stored.persona if stored else None
    if persona is None or not may_see(caller, persona.department_ids):
        raise NotFound(f"There is no persona {item.persona_id}.")
    verdict = may_edit(caller, persona)
    if verdict.reason is not None:
        raise Forbidden(verdict.reason, code=verdict.code)
    state: dict[str, object] = {"current_version": persona.version}
    if tags is not None and str(persona.version) not in tags:
        raise PreconditionFailed(f"If-Match names another version: version {persona.version} is stored.", members=state)
    expected = persona.version if item.expected_version is None else item.expected_version
    if expected > persona.version or (expected < persona.version and not item.merge):
        raise VersionConflict(
            f"Version {expected} was expected, and version {persona.version} is stored.",
            errors=[Fault(f"{place}/expected_version", f"is not the stored version, {persona.version}")],
            members={**state, "expected_version": expected},
        )
    selected = select(item, Links(prepared.catalogue, caller, persona.form.linked_ids), prepared.texts)
    form = persona.form.changed(selected.changes)
    faults = [*selected.faults, *too_long(text for _, text in form.texts)]
    if faults:
        raise invalid_item(place, faults)
    if stored is not None and expected < persona.version:
        conflicts = conflicts_of(persona.form, form, stored.authorship.stamps, expected, prepared.catalogue)
        if conflicts:
            raise FieldsChanged(conflicts, item, place, expected=expected, current=persona.version)
    if "department_ids" in selected.changes:
        check_assignment(caller, form.department_ids, selected, item, place)
    return replace(persona, form=form, updated_at=services.now().isoformat())


def _matching(if_match: str | None, request: UpdatePersonaRequest) -> frozenset[str] | None:
    """Return the entity tags that ``If-Match`` allows (RFC 9110, section 13.1.1), or None where it allows any."""
    if if_match is None:
        return None
    if len(request.personas) != 1:
        raise Invalid("If-Match is for exactly one item: use expected_version in each instead.", code="if_match_many")
    if if_match.strip() == "*":
        return None
    found = [_ENTITY_TAG.fullmatch(each) for each in if_match.split(",")]
    if not all(found):
        raise Invalid('If-Match must be an entity tag such as "3", as get answers it.', code="if_match_malformed")
    # The comparison is a strong one, so a weak tag matches nothing.
    tags = frozenset(tag[2] for tag in found if tag and not tag[1])
    (item,) = request.personas
    expected = None if isinstance(item, Rejected) else item.expected_version
    if expected is not None and str(expected) not in tags:
        raise Invalid(
            "If-Match and expected_version name different versions.",
            code="if_match_disagrees",
            errors=[Fault(f"{place_of(0)}/expected_version", "differs from If-Match")],
        )
    return tags
