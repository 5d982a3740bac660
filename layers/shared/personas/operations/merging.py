"""Merging: a change over a later version than the one that it was made on."""

from collections.abc import Mapping, Sequence
from typing import Final, cast

from personas.contract.conflicts import FieldConflict
from personas.contract.field_values import FieldValue, NamedEntry
from personas.contract.persona_fields import SHOWN_FIELDS
from personas.domain.authorship import Stamps, changed_fields
from personas.domain.catalogue import Catalogue
from personas.domain.persona import Form
from personas.domain.selection import Sent, name_sent
from personas.domain.shown_values import changed_by, value_of
from personas.errors import Fault, VersionConflict

CUT_TO: Final = 200
"""The characters of a value that a result shows; the problem that answers a single item has all of them."""


class FieldsChanged(VersionConflict):
    """The conflict of a merge: others have changed fields that it sends."""

    def __init__(
        self,
        conflicts: Sequence[FieldConflict],
        sent: Sent,
        place: str,
        *,
        expected: int,
        current: int,
        members: Mapping[str, object] | None = None,
    ) -> None:
        """Create the conflict of what was ``sent``, which stands at ``place``, a pointer into the body."""
        told = "; ".join(f"{each.field} {_change_in(each)}" for each in conflicts)
        fields = dict(SHOWN_FIELDS)
        super().__init__(
            f"After version {expected}, {told}. Version {current} is stored, and nothing of this was saved.",
            errors=[Fault(f"{place}/{name_sent(sent, fields[each.field])}", _change_in(each)) for each in conflicts],
            members={
                "current_version": current,
                "expected_version": expected,
                **(members or {}),
                "conflicts": [each.model_dump(mode="json") for each in conflicts],
            },
        )
        self.conflicts = list(conflicts)


def conflicts_of(
    stored: Form, merged: Form, stamps: Stamps, expected_version: int, catalogue: Catalogue
) -> list[FieldConflict]:
    """Return the fields that ``merged`` would change, and that have changed in ``stored`` since a version."""
    changed = stamps.changed_since(expected_version, changed_fields(stored, merged))
    return [
        FieldConflict(
            field=name,
            yours=value_of(field, merged, catalogue),
            stored=value_of(field, stored, catalogue),
            version=stamps.fields[name].version,
            changed_by=changed_by(stamps.fields[name].changed_by),
            at=stamps.fields[name].at or None,
        )
        for name, field in SHOWN_FIELDS
        if name in changed
    ]


def _change_in(conflict: FieldConflict) -> str:
    by = f" by {conflict.changed_by.name}" if conflict.changed_by and conflict.changed_by.name else ""
    return f"was changed in version {conflict.version}{by}"


def cut(conflict: FieldConflict) -> FieldConflict:
    """Return a conflict with its values cut to the length that a result shows."""
    return conflict.model_copy(update={"yours": _cut(conflict.yours), "stored": _cut(conflict.stored)})


def _cut(value: FieldValue) -> FieldValue:
    if isinstance(value, str):
        return value[:CUT_TO]
    if not isinstance(value, list):
        return value
    left, kept = CUT_TO, []
    for each in value:
        text = each if isinstance(each, str) else each.name or each.id
        kept.append(text[:left] if isinstance(each, str) else NamedEntry(id=each.id, name=text[:left]))
        left -= len(text)
        if left <= 0:
            break
    return cast("FieldValue", kept)
