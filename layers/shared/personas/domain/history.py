"""A version of a persona as its history keeps it: who made it, when, and what it changed."""

from dataclasses import dataclass
from typing import NamedTuple

from personas.contract.base import VersionKind
from personas.domain.authorship import Author
from personas.domain.persona import Persona


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
    changed_by: Author | None
    mcp: bool
    changed: tuple[str, ...]
    restored_from: int | None
    department_ids: tuple[str, ...]


class PastVersion(NamedTuple):
    """A version with its contents; a deletion has none."""

    record: VersionRecord
    persona: Persona | None
