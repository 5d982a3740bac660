"""What the library offers the caller, and what somebody meant who names something else."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final, cast

from pydantic import BaseModel

from personas.contract.get import GetPersonaResponse
from personas.contract.search import ListFilterOption, SearchPersonaResponse
from personas.domain.catalogue import Catalogue, LinkKind, Unresolved
from personas.domain.folding import fold
from personas.domain.sections import OPTIONS_MAX
from personas_tools.http_api import Api

KINDS: Final[Mapping[str, LinkKind]] = {
    "color": "colors",
    "icon": "icons",
    "departments": "departments",
    "parameter_fields": "parameter_fields",
    "voices": "voices",
}
"""What the columns of links name."""


class Offered:
    """The library as ``form``, the blank form of a new persona, offers it.

    A form offers at most a hundred entries of a kind. Where there may be more, the service is asked for a value that is
    not among them.
    """

    def __init__(self, api: Api, form: GetPersonaResponse) -> None:
        self._api = api
        self._group_id = form.group_id or ""
        self._rows: dict[str, dict[str, dict[str, object]]] = {"fields": {}, "parameters": {}}
        self._asked: set[tuple[LinkKind, str]] = set()
        self._add(form)
        self._cut = {kind for kind in KINDS.values() if len(list(self._ids(kind))) >= OPTIONS_MAX}

    def find(self, kind: LinkKind, value: str) -> str:
        """The id of the entry that ``value`` names, as the service finds it.

        Raises:
            Unresolved: no entry goes by it, or several do; the message says which may be meant.
        """
        try:
            return self._catalogue.find(kind, value)
        except Unresolved as error:
            if kind in self._cut and (kind, fold(value)) not in self._asked:
                self._asked.add((kind, fold(value)))
                self._ask(kind, value)
                return self.find(kind, value)
            names = dict(self._names(kind))
            meant = [] if fold(value).strip() in names else get_close_matches(fold(value).strip(), names, n=1)
            raise Unresolved(f"{error}: did you mean {names[meant[0]]!r}?" if meant else str(error)) from error

    def label(self, kind: LinkKind, entry_id: str) -> str:
        """The value that names an entry."""
        return self._catalogue.label(kind, entry_id) or entry_id

    def _ids(self, kind: LinkKind) -> Iterable[str]:
        return self._catalogue.parameter_fields if kind == "parameter_fields" else self._catalogue.rows(kind)

    def _names(self, kind: LinkKind) -> Iterator[tuple[str, str]]:
        """The names that entries go by, by how they are compared."""
        for entry_id in self._ids(kind):
            label = self.label(kind, entry_id)
            yield fold(label), label
            if kind == "parameter_fields":
                link = self._catalogue.parameter_fields[entry_id]
                parameter, field = self._rows["parameters"][link.parameter_id], self._rows["fields"][link.field_id]
                whole = f"{parameter['name']}: {field['name']}"
                yield fold(whole), whole

    def _ask(self, kind: LinkKind, value: str) -> None:
        """Look for entries beyond those that the form offers."""
        if kind in {"departments", "voices"}:
            searched = {f"{kind.removesuffix('s')}_search": value, "page_size": 1}
            found = SearchPersonaResponse.model_validate(self._api.read("search", searched))
            section = found.department_filter if kind == "departments" else found.voice_filter
            self._add_options(kind, (section and section.options) or [])
        else:
            # A field is offered by its own name.
            name = value.rpartition(": ")[2] if kind == "parameter_fields" else value
            searched = {f"{kind.removesuffix('s')}_search": name}
            self._add(GetPersonaResponse.model_validate(self._api.read("get", searched)))

    def _add_options(self, kind: LinkKind, options: Iterable[ListFilterOption]) -> None:
        column = "voice" if kind == "voices" else "name"
        self._rows.setdefault(kind, {}).update({each.id: {column: each.name} for each in options if each.id})
        self._catalogue = Catalogue(self._group_id, self._rows)

    def _add(self, form: GetPersonaResponse) -> None:
        parameters, fields = self._rows["parameters"], self._rows["fields"]
        named = {each.id: each.name for each in (form.parameters and form.parameters.resources) or []}
        for link in (form.parameter_fields and form.parameter_fields.resources) or []:
            if link.parameter_id and link.field_id:
                fields[link.field_id] = {"name": link.name}
                row = parameters.setdefault(link.parameter_id, {"name": named.get(link.parameter_id), "field_ids": []})
                cast("list[str]", row["field_ids"]).append(link.field_id)
        sections = {"colors": form.colors, "icons": form.icons, "departments": form.departments, "voices": form.voices}
        for kind, section in sections.items():
            entries: Iterable[BaseModel] = (section and section.resources) or []
            for entry in entries:
                row = entry.model_dump()
                self._rows.setdefault(kind, {})[str(row.get("id") or row.get("department_id"))] = row
        self._catalogue = Catalogue(self._group_id, self._rows)
