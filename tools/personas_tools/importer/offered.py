"""The entries that the library offers the caller, and the one meant by a name that it does not offer."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from typing import Any, Final

from personas.contract.get import GetPersonaResponse
from personas.contract.persona_fields import LinkKind
from personas.contract.search import SearchPersonaResponse
from personas.domain.catalogue import Catalogue, Unresolved
from personas.domain.folding import fold
from personas.domain.suggestions import OPTIONS_MAX
from personas_tools.http_api import Api
from personas_tools.naming import did_you_mean

KINDS: Final[Mapping[str, LinkKind]] = {
    "color": "colors",
    "icon": "icons",
    "departments": "departments",
    "parameter_fields": "parameter_fields",
    "voices": "voices",
}
"""The kinds of entries that the columns of links name."""

_NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
"""A scenario that no persona is in."""

type _Entries = dict[str, list[dict[str, Any]]]
type _Rows = dict[str, dict[str, dict[str, Any]]]


class Held:
    """The links that a persona has already, as ``form``, its own, says: it may keep them, offered or not."""

    def __init__(self, form: GetPersonaResponse) -> None:
        self.entries = _entries(form, selected=True)
        self.ids = frozenset(_id_of(each) for kind in KINDS.values() for each in self.entries[kind])


class Offered:
    """The library as ``form``, the blank form of a new persona, offers it.

    A form offers at most a hundred entries of a kind. If there may be more, the service is asked for a value that is
    not among them.
    """

    def __init__(self, api: Api, form: GetPersonaResponse) -> None:
        self._api = api
        self._group_id = form.group_id or ""
        self._rows: _Rows = {}
        self._mixed: tuple[Held, Catalogue] | None = None
        self._asked: set[tuple[LinkKind, str]] = set()
        self._add(_entries(form))
        self._cut = {kind for kind in KINDS.values() if len(list(self._ids(kind))) >= OPTIONS_MAX}

    def find(self, kind: LinkKind, value: str, held: Held | None = None) -> str:
        """Return the id of the entry that ``value`` names, as the service finds it for a persona with what is ``held``.

        Raises:
            Unresolved: no entry goes by it, or several do; the message says which may be meant.
        """
        try:
            return self._catalogue.find(kind, value)
        except Unresolved as error:
            if kind in self._cut and (kind, fold(value)) not in self._asked:
                self._asked.add((kind, fold(value)))
                self._ask(kind, value)
                return self.find(kind, value, held)
            if held:
                with suppress(Unresolved):
                    return self._known(held).find(kind, value, held=held.ids)
            names = list(self._names(kind))
            meant = None if fold(value.strip()) in map(fold, names) else did_you_mean(value, names)
            raise Unresolved(f"{error}: did you mean {meant!r}?" if meant else str(error)) from error

    def label(self, kind: LinkKind, entry_id: str, held: Held | None = None) -> str:
        """Return the value that names an entry, of those that are ``held`` too."""
        return self._known(held).label(kind, entry_id) or entry_id

    def _known(self, held: Held | None) -> Catalogue:
        if held is None:
            return self._catalogue
        if self._mixed is None or self._mixed[0] is not held:
            rows = deepcopy(self._rows)
            _take(rows, held.entries, active=False)
            self._mixed = held, Catalogue(self._group_id, rows)
        return self._mixed[1]

    def _ids(self, kind: LinkKind) -> Iterable[str]:
        return self._catalogue.parameter_fields if kind == "parameter_fields" else self._catalogue.rows(kind)

    def _names(self, kind: LinkKind) -> Iterator[str]:
        """Yield the names that entries go by."""
        for entry_id in self._ids(kind):
            yield self.label(kind, entry_id)
            if kind == "parameter_fields":
                link = self._catalogue.parameter_fields[entry_id]
                parameter, field = self._rows["parameters"][link.parameter_id], self._rows["fields"][link.field_id]
                yield f"{parameter['name']}: {field['name']}"

    def _ask(self, kind: LinkKind, value: str) -> None:
        """Look for entries beyond those that the form offers."""
        if kind in {"departments", "voices"}:
            # Of what is in use, filters have entries that nobody offers this caller. Where nothing is found, nothing is
            # in use, and they have what `get` offers.
            searched = {f"{kind.removesuffix('s')}_search": value, "scenario_ids": [_NOWHERE], "page_size": 1}
            found = SearchPersonaResponse.model_validate(self._api.read("search", searched))
            section = found.department_filter if kind == "departments" else found.voice_filter
            options = (section and section.options) or []
            self._add({kind: [{"id": each.id, "name": each.name, "voice": each.name} for each in options if each.id]})
        else:
            # A field is offered by its own name.
            name = value.rpartition(": ")[2] if kind == "parameter_fields" else value
            searched = {f"{kind.removesuffix('s')}_search": name}
            self._add(_entries(GetPersonaResponse.model_validate(self._api.read("get", searched))))

    def _add(self, entries: _Entries) -> None:
        _take(self._rows, entries)
        self._catalogue = Catalogue(self._group_id, self._rows)
        self._mixed = None


def _entries(form: GetPersonaResponse, *, selected: bool = False) -> _Entries:
    """Return the entries of a form by kind: what can be chosen, or what is."""
    kinds = (*KINDS.values(), "parameters")
    sections = form.model_dump(include={*kinds})
    found: _Entries = {}
    for kind in kinds:
        section = sections[kind] or {}
        chosen = section.get("current") or [each for each in (section.get("resource"),) if each]
        found[kind] = chosen if selected else section.get("resources") or []
    return found


def _id_of(entry: Mapping[str, str]) -> str:
    return entry.get("id") or entry["department_id"]


def _take(rows: _Rows, entries: _Entries, **more: object) -> None:
    """Put entries of forms into the rows of a catalogue that has them not yet, with ``more`` in each row."""
    parameters = {each["id"]: each["name"] for each in entries.get("parameters", ())}
    for link in entries.get("parameter_fields", ()):
        rows.setdefault("fields", {}).setdefault(link["field_id"], {"name": link["name"], **more})
        parameter = {"name": parameters.get(link["parameter_id"]), "field_ids": [], **more}
        field_ids = rows.setdefault("parameters", {}).setdefault(link["parameter_id"], parameter)["field_ids"]
        if link["field_id"] not in field_ids:
            field_ids.append(link["field_id"])
    for kind in ("colors", "icons", "departments", "voices"):
        of_kind = rows.setdefault(kind, {})
        for entry in entries.get(kind, ()):
            of_kind.setdefault(_id_of(entry), {**entry, **more})
