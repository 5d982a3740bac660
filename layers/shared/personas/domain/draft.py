"""A draft: a form as far as it is filled in, laid over a persona or over nothing."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from personas.contract.persona_fields import FIELDS
from personas.domain.text import Text

DRAFT_LIFE: Final = timedelta(days=90)
"""The time that a draft lives after its last write."""

SINGLES: Final = tuple(field.id_name for field in FIELDS if not field.many)
LISTS: Final = tuple(field.id_name for field in FIELDS if field.many)

type Selection = str | tuple[str, ...] | None


class Draft(NamedTuple):
    """A profile's draft.

    ``fields`` holds all that was ever patched, by the names of DraftFormState: None or an empty tuple clears a field,
    an absent name leaves the persona's own value. ``texts`` holds the texts that its ids stand for.
    """

    id: str
    version: int
    fields: Mapping[str, Selection]
    mcp: bool
    session_id: str
    created_at: str
    updated_at: str
    texts: Mapping[str, tuple[Text, ...]] = {}


def selections_of(fields: Mapping[str, Selection]) -> dict[str, Selection]:
    """Return every field of the form; those that are absent are empty."""
    return {name: fields.get(name) for name in SINGLES} | {name: fields.get(name) or () for name in LISTS}


def differing(patch: Mapping[str, Selection], stored: Mapping[str, Selection]) -> list[str]:
    """Return those of the patch's fields that the stored form holds otherwise."""
    current = selections_of(stored)
    return [name for name, value in patch.items() if (value or None) != (current[name] or None)]
