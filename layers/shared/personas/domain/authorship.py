"""The authorship of a persona's versions: who made the last one, and in which version each field last changed."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from personas.contract.base import VersionKind
from personas.contract.persona_fields import FIELD_NAMES, SHOWN_FIELDS, PersonaField
from personas.domain.persona import Form
from personas.domain.profile import Caller
from personas.domain.text import Text


class Author(NamedTuple):
    """A profile that wrote, with the name that it bore then."""

    profile_id: str
    name: str | None


class Stamp(NamedTuple):
    """The write in which a field last changed. Where that was not recorded, its author and its id are None."""

    version: int
    at: str
    changed_by: Author | None = None
    write_id: str | None = None


class Write(NamedTuple):
    """The write that made a version. ``at`` is RFC 3339 in UTC; ``restored_from`` is the version that it brought back.

    ``changed_by`` is None for a tool.
    """

    kind: VersionKind
    at: str
    changed_by: Author | None
    mcp: bool = False
    restored_from: int | None = None

    def stamp(self, version: int, write_id: str) -> Stamp:
        """Return its stamp for the fields that it changes."""
        return Stamp(version, self.at, self.changed_by, write_id)


class Writer(NamedTuple):
    """The one who writes: a profile, or a tool of the operators (``author`` is None).

    ``mcp``: the call came through an MCP server.
    """

    author: Author | None
    mcp: bool = False

    def write(self, kind: VersionKind, moment: datetime, restored_from: int | None = None) -> Write:
        """Return a write of this writer, which is a restoration where it brings a version back."""
        kind = kind if restored_from is None else "restored"
        return Write(kind, moment.isoformat(), self.author, self.mcp, restored_from)


TOOL: Final = Writer(None)


class Stamps(NamedTuple):
    """A stamp for every field of a persona, by name, as of one version."""

    as_of: int
    fields: Mapping[str, Stamp]

    def changed_since(self, version: int, fields: Collection[str]) -> list[str]:
        """Return those of ``fields`` that have changed after a version, in the order of the form."""
        return [name for name in FIELD_NAMES if name in fields and self.fields[name].version > version]


def writer_of(caller: Caller) -> Writer:
    """Return the caller as the one who writes."""
    return Writer(Author(caller.profile_id, caller.name), caller.mcp)


def stamped_alike(stamp: Stamp) -> Stamps:
    """Return the stamps of a version in which every field counts as changed."""
    return Stamps(stamp.version, dict.fromkeys(FIELD_NAMES, stamp))


def next_stamps(stamps: Stamps, changed: Collection[str], stamp: Stamp) -> Stamps:
    """Return the stamps of the version that ``stamp`` makes by changing these fields."""
    return Stamps(stamp.version, {**stamps.fields, **dict.fromkeys(changed, stamp)})


def changed_fields(before: Form | None, after: Form | None) -> tuple[str, ...]:
    """Return the names of the fields that differ, in the order of the form.

    None is a persona that does not exist: when it begins or ends, every field changes.
    """
    if before is None or after is None:
        return () if before is after else FIELD_NAMES
    return tuple([name for name, field in SHOWN_FIELDS if _compared(before, field) != _compared(after, field)])


def _compared(form: Form, field: PersonaField) -> Any:
    """Return the value of a field as it is compared: texts by themselves, links by their ids, a list in its order."""
    held = getattr(form, field.attribute)
    if isinstance(held, Text):
        return held.text
    return tuple([each.text if isinstance(each, Text) else each for each in held]) if field.many else held
