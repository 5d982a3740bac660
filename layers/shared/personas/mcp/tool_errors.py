"""Errors as a tool tells them to a model: what is wrong, what stands there, and what to do next."""

from collections.abc import Iterator
from typing import Final

import pydantic_core

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
from personas.operations.bulk import plain_name
from personas.operations.merging import FieldsChanged, cut
from personas.operations.persona_writes import place_of

_NEXT: Final[tuple[tuple[type[PersonasError], str], ...]] = (
    (NotFound, "Ids come from find_personas; a deleted persona is found by its id in persona_history alone."),
    (Forbidden, "The profile whose key is used may not do this: tell the person, and try nothing else."),
    (
        FieldsChanged,
        "Decide whether your change still makes sense. If it does, send it again with expected_version {current}; to"
        " see all of the persona, use read_persona.",
    ),
    (VersionConflict, "Use read_persona, and send the version that it tells as expected_version."),
    (Invalid, "Correct this and call again; list_choices tells the names that there are."),
    (OutcomeUnknown, "It may have been saved: look with find_personas or read_persona before you repeat it."),
    (Unavailable, "Call again in {seconds} seconds."),
    (Unreadable, "Tell the person; nothing here can mend it."),
)
"""The next step by kind of error, the first that fits."""


def told_to_a_model(error: PersonasError) -> str:
    """Return the text of an error."""
    step = next((step for kind, step in _NEXT if isinstance(error, kind)), "")
    step = step.format(seconds=error.retry_after, current=error.members.get("current_version"))
    return "\n".join([error.detail, *_faults(error), *_stored(error), *([step] if step else [])])


def _faults(error: PersonasError) -> Iterator[str]:
    """Yield a line for each argument at fault; where there is but one, the detail has told it."""
    if isinstance(error, VersionConflict) or (len(error.errors) == 1 and error.errors[0].message in error.detail):
        return
    for field, message in error.errors:
        yield f"- {plain_name(field, place_of(0))}: {message}"


def _stored(error: PersonasError) -> Iterator[str]:
    """Yield a line for each field that others have changed, with the beginning of what is stored in it."""
    for conflict in error.conflicts if isinstance(error, FieldsChanged) else ():
        stored = cut(conflict).stored
        yield f"- {conflict.field} is stored as: {pydantic_core.to_json(stored).decode()}"
