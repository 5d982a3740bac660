"""A version of a persona as its history keeps it: who made it, when, and what it changed."""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from personas.contract.persona_fields import FIELDS
from personas.domain.persona import Form, Persona

VersionKind = Literal["created", "updated", "restored", "deleted"]

_CALLED: Final = {"active_flag": "active"}
"""The fields that a history calls otherwise than a form does."""
FIELD_NAMES: Final = tuple(_CALLED.get(field.name, field.name) for field in FIELDS)
"""The fields by the names that a history has for them."""


class Author(NamedTuple):
    """The profile that made a version, with the name that it bore then."""

    profile_id: str
    name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionRecord:
    """A version of a persona without its contents.

    ``at`` is RFC 3339 in UTC. ``changed`` names the fields that differ from the version before. Those who could not see
    its departments learn nothing of it; a deletion has the departments of what it deleted. ``changed_by`` is None for a
    tool, and where it is not known.
    """

    version: int
    kind: VersionKind
    at: str
    changed_by: Author | None = None
    mcp: bool = False
    changed: tuple[str, ...] = ()
    restored_from: int | None = None
    department_ids: tuple[str, ...] = ()


class PastVersion(NamedTuple):
    """A version with its contents; a deletion has none."""

    record: VersionRecord
    persona: Persona | None


def changed_fields(before: Form | None, after: Form) -> tuple[str, ...]:
    """Return the names of the fields whose values differ: all of them where there was no persona before.

    A list is one field, compared in order.
    """
    if before is None:
        return FIELD_NAMES
    pairs = zip(FIELD_NAMES, before.items(), after.items(), strict=True)
    return tuple([name for name, (_, was), (_, became) in pairs if was != became])
