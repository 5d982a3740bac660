"""The catalogue of a group: the entries that a persona can link to, and the values that name them."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from types import UnionType
from typing import Final, NamedTuple, Self, cast

from personas.contract.base import is_sound
from personas.contract.persona_fields import LinkKind
from personas.domain.folding import fold
from personas.domain.text import quoted, resource_id
from personas.errors import Unreadable

type Row = Mapping[str, object]

ACTIVE_FLAG: Final = "active"
"""The key of the one flag that a persona has."""

SNAPSHOTS: Final = "snapshots"
"""The place in a group's record of the views that it has. Refresh writes that; all else is the library's."""

TEXT_IDS: Final = "text_ids"
"""The place in a group's record of the secret that the ids of its texts follow from. Once there, it never changes."""
UNFOUNDED: Final = "the group's record holds nothing that ids of texts follow from"

_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "departments": ("name",),
    "colors": ("name", "hex_code"),
    "icons": ("name", "value"),
    "flags": ("key", "label"),
    "voices": ("voice",),
}


type _Shape = type | UnionType
type _Names = dict[str, list[str]]

_REQUIRED: Final[Mapping[str, Mapping[str, _Shape]]] = {
    "departments": {"name": str, "description": str | None},
    "colors": {"name": str, "hex_code": str, "description": str | None},
    "icons": {"name": str, "value": str, "description": str | None},
    "flags": {"key": str, "label": str},
    "voices": {"voice": str},
    "parameters": {
        **dict.fromkeys(("name", "description", "value", "created_at"), str),
        **dict.fromkeys(("department_ids", "field_ids"), list),
        **dict.fromkeys(
            ("persona_parameter", "document_parameter", "scenario_parameter", "video_parameter", "active"), bool
        ),
        **dict.fromkeys(("generated", "mcp"), bool),
    },
    "fields": {
        **dict.fromkeys(("name", "description", "value", "created_at"), str),
        **dict.fromkeys(("department_ids", "conditional_parameter_ids"), list),
        **dict.fromkeys(("active", "generated", "mcp"), bool),
    },
    "scenarios": {"name": str},
}
"""The fields that the row of an entry must hold, by kind."""
_OPTIONAL: Final[Mapping[str, _Shape]] = {
    "name": str,
    "description": str | None,
    "icon_id": str | None,
    "active": bool,
    "generated": bool,
    "show": bool,
    "required": bool,
    "ai_generate": list,
}
"""The fields that it may hold besides. Others are a later version's, and nothing here looks at them."""
_MISSING: Final = object()


def check_entry(kind: str, row: Row) -> None:
    """Hold the stored row of an entry against what everything that reads the catalogue takes for granted.

    Raises:
        Unreadable: a field is missing, or is something else than it must be.
    """
    shapes = {name: shape for name, shape in _OPTIONAL.items() if name in row} | dict(_REQUIRED.get(kind, {}))
    for name, shape in shapes.items():
        value = row.get(name, _MISSING)
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        if not isinstance(value, shape) or not all(isinstance(each, str) and is_sound(each) for each in texts):
            raise Unreadable("", f"{name} is not what it must be")


def secret_in(row: Row) -> bytes | None:
    """Return the secret in the row of a group's record, whatever else of it is damaged; None where there is none."""
    secret = row.get(TEXT_IDS)
    return secret if isinstance(secret, bytes) else None


class Unresolved(ValueError):
    """An id or a value that names no entry, or several; the message says so."""


class ParameterField(NamedTuple):
    """A field as one parameter offers it: what a persona links to."""

    id: str
    parameter_id: str
    field_id: str


class Pointer(NamedTuple):
    """The object of a view of a group, and the time up to which it has read the change feed."""

    group_id: str
    view: str
    key: str
    watermark: datetime
    rebuilt_at: datetime

    def as_value(self) -> dict[str, str]:
        """Return the pointer in the form of the group's record."""
        return {
            "key": self.key,
            "watermark": self.watermark.isoformat(),
            "rebuilt_at": self.rebuilt_at.isoformat(),
        }

    @classmethod
    def read(cls, group_id: str, view: str, record: Mapping[str, object]) -> Self | None:
        """Return a pointer of a group's record, or None if there is none that can be read: its view is rebuilt."""
        snapshots = record.get(SNAPSHOTS)
        match snapshots.get(view) if isinstance(snapshots, Mapping) else None:
            case {"key": str() as key, "watermark": str() as watermark, "rebuilt_at": str() as rebuilt_at}:
                times = _moment(watermark), _moment(rebuilt_at)
                return cls(group_id, view, key, times[0], times[1]) if times[0] and times[1] else None
        return None


def _moment(value: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


class Catalogue:
    """The catalogue of one group at one moment. It never changes; the view makes a new one."""

    def __init__(self, group_id: str, rows: Mapping[str, Mapping[str, Row]]) -> None:
        self.group_id = group_id
        self._rows = rows
        self._derived: dict[object, object] = {}

    def rows(self, kind: str) -> Mapping[str, Row]:
        """Return the stored entries of a kind, by id."""
        return self._rows.get(kind, {})

    def derived[T](self, make: Callable[["Catalogue"], T]) -> T:
        """Return the result of ``make`` for this catalogue, which is computed once."""
        if make not in self._derived:
            self._derived[make] = make(self)
        return cast("T", self._derived[make])

    @property
    def group(self) -> Row:
        """The group's own record: its settings, and the places of its views."""
        return self.rows("group").get(self.group_id, {})

    def pointer(self, view: str) -> Pointer | None:
        """Return the pointer to a view of the group, as far as the feed has shown it."""
        return Pointer.read(self.group_id, view, self.group)

    @cached_property
    def ai_kinds(self) -> frozenset[str]:
        """The kinds for which the group's setting offers generation."""
        return frozenset(cast("Sequence[str]", self.group.get("ai_generate", ())))

    @property
    def text_secret_or_none(self) -> bytes | None:
        """The secret that the ids of the group's texts follow from, or None where the group's record is damaged."""
        return secret_in(self.group)

    @property
    def text_secret(self) -> bytes:
        """The secret that the ids of the group's texts follow from.

        Raises:
            Unreadable: the group's record is damaged. It holds one before the first profile, so before anybody calls.
        """
        secret = self.text_secret_or_none
        if secret is None:
            raise Unreadable(self.group_id, UNFOUNDED)
        return secret

    @cached_property
    def flags(self) -> Mapping[str, Row]:
        """The active flag by its id. A group whose library names none still has it: a persona needs one."""
        stored = {flag_id: row for flag_id, row in self.rows("flags").items() if row.get("key") == ACTIVE_FLAG}
        if stored:
            return stored
        return {
            resource_id(self.group_id, "flags", ACTIVE_FLAG): {
                "key": ACTIVE_FLAG,
                "label": "Active",
                "description": "Whether the persona can be used.",
            }
        }

    @property
    def active_flag_id(self) -> str:
        """The id of the active flag."""
        return next(iter(self.flags))

    @cached_property
    def parameter_fields(self) -> Mapping[str, ParameterField]:
        """The fields of all parameters, by the id that a persona links to; in the parameters' own order."""
        found = {}
        for parameter_id, parameter in self.rows("parameters").items():
            for field_id in cast("Sequence[str]", parameter["field_ids"]):
                if field_id in self.rows("fields"):
                    own_id = resource_id(self.group_id, "parameter_fields", f"{parameter_id}/{field_id}")
                    found[own_id] = ParameterField(own_id, parameter_id, field_id)
        return found

    @cached_property
    def links_of_fields(self) -> Mapping[str, Sequence[ParameterField]]:
        """The parameter fields of each field: one for every parameter that has it."""
        found: dict[str, list[ParameterField]] = {}
        for link in self.parameter_fields.values():
            found.setdefault(link.field_id, []).append(link)
        return found

    def has(self, kind: LinkKind, entry_id: str) -> bool:
        """Tell whether an entry of that kind exists."""
        if kind == "parameter_fields":
            return entry_id in self.parameter_fields
        return entry_id in (self.flags if kind == "flags" else self.rows(kind))

    def find(
        self,
        kind: LinkKind,
        value: str,
        permitted: Callable[[str], bool] | None = None,
        held: Collection[str] = (),
    ) -> str:
        """Return the id of the entry that ``value`` names, in any case, among those whose id is ``permitted``.

        Colors go by name or hex code, icons by name or value, fields of parameters by name, or by "parameter: field"
        where two parameters have a field of that name. An entry that is no longer active is found if it is ``held``,
        and only where the value names no active one.

        Raises:
            Unresolved: no entry goes by it, or several do.
        """
        active, withdrawn = self._names(kind)
        wanted = fold(value.strip())
        ids = [each for each in active.get(wanted, ()) if permitted is None or permitted(each)]
        ids = ids or [each for each in withdrawn.get(wanted, ()) if each in held]
        noun = kind.removesuffix("s").replace("_", " ")
        if not ids:
            raise Unresolved(f"there is no {noun} {quoted(value)} in this group")
        if len(ids) > 1:
            hint = ': name it as "parameter: field"' if kind == "parameter_fields" else ": give its id"
            raise Unresolved(f"{len(ids)} entries go by {quoted(value)}{hint}")
        return ids[0]

    def full_name(self, link: ParameterField) -> str:
        """Return the name of a parameter field with that of its parameter, by which ``find`` finds it, too."""
        return f"{self.rows('parameters')[link.parameter_id]['name']}: {self.rows('fields')[link.field_id]['name']}"

    def label(self, kind: LinkKind, entry_id: str) -> str | None:
        """Return the value that names an entry and that ``find`` turns back into its id; None where there is no entry.

        An entry that is no longer active is found by it where it is held. If no value finds the entry, because others
        have each of them too, it is the entry's name.
        """
        if kind == "parameter_fields":
            link = self.parameter_fields.get(entry_id)
            if link is None:
                return None
            names = [str(self.rows("fields")[link.field_id]["name"]), self.full_name(link)]
        else:
            row = (self.flags if kind == "flags" else self.rows(kind)).get(entry_id)
            if row is None:
                return None
            names = [str(row[column]) for column in _NAMED_BY[kind] if row.get(column)]
        active, withdrawn = self._names(kind)
        found = ((name, active.get(fold(name)) or withdrawn.get(fold(name))) for name in names)
        return next((name for name, ids in found if ids == [entry_id]), names[0])

    @cached_property
    def _indexes(self) -> dict[str, tuple[_Names, _Names]]:
        return {}

    def _names(self, kind: LinkKind) -> tuple[_Names, _Names]:
        """Return the ids by each folded name of a kind: active ones, and others. They are made when first asked for."""
        if kind not in self._indexes:
            active: _Names = {}
            withdrawn: _Names = {}
            for entry_id, name, is_active in self._named(kind):
                ids = (active if is_active else withdrawn).setdefault(fold(name), [])
                if entry_id not in ids:
                    ids.append(entry_id)
            self._indexes[kind] = active, withdrawn
        return self._indexes[kind]

    def _named(self, kind: LinkKind) -> Iterator[tuple[str, str, bool]]:
        """Yield the entries of a kind by each of their names, and whether they are active."""
        if kind == "parameter_fields":
            for link in self.parameter_fields.values():
                field, parameter = self.rows("fields")[link.field_id], self.rows("parameters")[link.parameter_id]
                is_active = field.get("active") is not False and parameter.get("active") is not False
                for name in (str(field["name"]), self.full_name(link)):
                    yield link.id, name, is_active
            return
        for entry_id, row in (self.flags if kind == "flags" else self.rows(kind)).items():
            for name in (str(row[column]) for column in _NAMED_BY[kind] if row.get(column)):
                yield entry_id, name, row.get("active") is not False
