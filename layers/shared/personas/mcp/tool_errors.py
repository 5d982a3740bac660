"""Errors as a tool tells them to a model: what is wrong, what stands there, and what to do next."""

from collections.abc import Iterator
from http import HTTPStatus
from itertools import islice
from typing import Final, cast

import pydantic_core

from personas.domain.catalogue import Catalogue
from personas.errors import (
    Forbidden,
    Invalid,
    NotFound,
    OutcomeUnknown,
    PersonasError,
    Unavailable,
    Unreadable,
    VersionConflict,
)
from personas.mcp.persona_texts import ARGUMENTS, plain_value
from personas.operations.bulk import plain_name
from personas.operations.merging import FieldsChanged, cut
from personas.operations.persona_writes import place_of

FAULTS_TOLD: Final = 10
"""The arguments at fault that one answer names."""

_BY_CODE: Final = {
    "foreign_department": "list_choices tells the departments that this profile may give.",
    "in_use": "Tell the person: first the scenario has to let go of the persona.",
    "unknown_name": "list_choices tells names that there are.",
}
"""The next step by the code of an error."""
_BY_KIND: Final[tuple[tuple[type[PersonasError], str], ...]] = (
    (
        NotFound,
        "Ids come from find_personas, numbers of versions from persona_history; a deleted persona has the id that it"
        " had.",
    ),
    (Forbidden, "The profile whose key is used may not do this: tell the person."),
    (
        FieldsChanged,
        "Decide whether your change still makes sense. If it does, send it again with expected_version {current}; to"
        " see all of the persona, use read_persona.",
    ),
    (VersionConflict, "Use read_persona, and send the version that it tells as expected_version."),
    (Invalid, "Correct this and call again; for colors, icons, departments, fields and voices use list_choices."),
    (OutcomeUnknown, "Look with find_personas or read_persona before you repeat it."),
    (Unavailable, "Nothing was saved. Call again in {seconds} seconds."),
    (Unreadable, "Tell the person; nothing here can mend it."),
)
"""The next step by the kind of error, the first that fits, where the code has none of its own."""


def is_defect(error: PersonasError) -> bool:
    """Tell whether an error is one of the service itself, about which no caller can do anything."""
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR and not isinstance(error, Unavailable)


def told_to_a_model(error: PersonasError, catalogue: Catalogue | None) -> str:
    """Return the text of an error; ``catalogue`` names what is stored, where somebody else has changed it."""
    step = _BY_CODE.get(error.code) or next((step for kind, step in _BY_KIND if isinstance(error, kind)), "")
    step = step.format(seconds=error.retry_after, current=error.members.get("current_version"))
    stored = _stored(error, catalogue) if isinstance(error, FieldsChanged) and catalogue else ()
    return "\n".join([_detail(error), *_faults(error), *stored, *([step] if step else [])])


def _detail(error: PersonasError) -> str:
    if not isinstance(error, OutcomeUnknown):
        return error.detail
    results = cast("list[dict[str, object]]", error.members.get("results") or [{}])
    persona_id = results[0].get("persona_id")
    return f"It may have been saved{f', with the id {persona_id}' if persona_id else ''}: the store's answer was lost."


def _faults(error: PersonasError) -> Iterator[str]:
    """Yield a line for each argument at fault; where there is but one, the detail has told it."""
    if isinstance(error, VersionConflict) or (len(error.errors) == 1 and error.errors[0].message in error.detail):
        return
    for field, message in islice(error.errors, FAULTS_TOLD):
        yield f"- {plain_name(field, place_of(0))}: {message}"
    if len(error.errors) > FAULTS_TOLD:
        yield f"- and {len(error.errors) - FAULTS_TOLD} more"


def _stored(error: FieldsChanged, catalogue: Catalogue) -> Iterator[str]:
    """Yield a line for each field that others have changed, with the beginning of what is stored in it."""
    for conflict in error.conflicts:
        stored = plain_value(cut(conflict).stored, catalogue)
        told = bool(stored) if conflict.field == "active" else stored
        yield f"- {ARGUMENTS[conflict.field]} is stored as: {pydantic_core.to_json(told).decode()}"
