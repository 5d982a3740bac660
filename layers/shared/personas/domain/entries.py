"""The entries of a persona: its texts and links by kind, as they are counted and suggested."""

from collections.abc import Sequence
from typing import Any, Final

from personas.contract.persona_fields import LINK_FIELDS, TEXT_FIELDS, LinkKind, PersonaField, TextField, TextKind
from personas.domain.persona import Persona

type Kind = TextKind | LinkKind

TEXT_KINDS: Final = tuple(field.kind for field in TEXT_FIELDS)
KINDS: Final[Sequence[Kind]] = (*TEXT_KINDS, *(field.kind for field in LINK_FIELDS))

type Entries = tuple[tuple[str, ...], ...]
"""The entries of one persona, a tuple for each of ``KINDS``."""
type Move = tuple[Entries | None, Entries | None]
"""The entries of a persona before it was written and after; None where there was none."""


def entries_of(persona: Persona) -> Entries:
    """Return the entries of a persona; its departments are sorted."""
    entries = {field.kind: _entries(field, value) for field, value in persona.form.items()}
    return tuple(map(entries.__getitem__, KINDS))


def _entries(field: PersonaField, value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(field, TextField):
        return tuple(dict.fromkeys([text.text for text in value])) if field.many else (value.text,)
    if not field.many:
        return (value,)
    return tuple(sorted(set(value)) if field.kind == "departments" else dict.fromkeys(value))
