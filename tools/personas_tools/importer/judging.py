"""The faults that the service would find in a row, told before it is sent."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import pydantic_core
from pydantic import ValidationError

from personas.contract.create import CreatePersonaItem
from personas.contract.get import GetPersonaResponse
from personas.contract.persona_fields import BY_NAME, TEXT_FIELDS, LinkKind, PersonaField, TextField
from personas.contract.problems import field_errors
from personas.contract.update import UpdatePersonaItem
from personas.domain.catalogue import Unresolved
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.selection import too_long
from personas.domain.text import Text
from personas_tools.http_api import Api, NotThere
from personas_tools.importer.changes import Changes
from personas_tools.importer.columns import EXPECTED_VERSION, PERSONA_ID, Item, Operation
from personas_tools.importer.offered import KINDS, Held, Offered
from personas_tools.importer.sending import told
from personas_tools.library_catalogue import id_in

_MODELS: Final[Mapping[Operation, type[CreatePersonaItem | UpdatePersonaItem]]] = {
    "create": CreatePersonaItem,
    "update": UpdatePersonaItem,
}
_BESIDE_A_TEXT: Final = frozenset({"id", "generated"})
"""The members of a text in a form that are not the text."""


class Change(NamedTuple):
    """A field that an update would change: its text, or the names of what it links to."""

    field: str
    now: object
    then: object


class Judge:
    """A judge of rows by the contract, the library, and the personas that they change."""

    def __init__(self, api: Api, offered: Offered, form: GetPersonaResponse) -> None:
        self._api = api
        self._changes = Changes(api)
        self._offered = offered
        self._forbidden = [] if form.can_edit else [str(form.disabled_reason)]
        """The reason why this caller saves nothing at all, as the blank ``form`` says."""

    def faults(self, item: Item) -> list[str]:
        """Return all faults of the values themselves."""
        forbidden = self._forbidden if item.operation == "create" else []
        return [*forbidden, *self._breaches(item), *self._unknown(item)]

    def verdict(self, item: Item) -> tuple[list[str], list[Change]]:
        """Return all faults that the service would find in an item, and the changes of an update without faults.

        Raises:
            ApiError: the persona cannot be read.
        """
        persona_id = item.values.get(PERSONA_ID)
        if not isinstance(persona_id, str) or not id_in(persona_id):
            return self.faults(item), []
        try:
            form = GetPersonaResponse.model_validate(self._api.read("get", {PERSONA_ID: persona_id}))
        except NotThere as error:
            return [f"{PERSONA_ID}: {error.detail}", *self.faults(item)], []
        held = Held(form)
        now = self._now(form.model_dump(), held)
        faults = [] if form.can_edit else [str(form.disabled_reason)]
        expected = item.values.get(EXPECTED_VERSION)
        if expected not in (None, form.version):
            message = f"Version {expected} was expected, and version {form.version} is stored."
            faults.append(self._changes.reason(message, persona_id, expected))
        faults += [*self._breaches(item), *self._unknown(item, held)]
        if faults:
            return faults, []
        then = now | self._then(item, held)
        return _too_long(then), [Change(field, now[field], new) for field, new in then.items() if new != now[field]]

    def _now(self, form: Mapping[str, Any], held: Held) -> dict[str, object]:
        """Return the fields of a persona as its form has them."""

        def value_of(field: PersonaField) -> object:
            section = form[field.kind]
            if field.kind == "flags":
                return section["current"] is not None
            if field.many:
                return [shown(field, each) for each in section["current"] or ()]
            return shown(field, section["resource"]) if section["resource"] else None

        def shown(field: PersonaField, entry: Mapping[str, str]) -> str:
            if isinstance(field, TextField):
                (text,) = (value for name, value in entry.items() if name not in _BESIDE_A_TEXT)
                return text
            return self._offered.label(field.kind, entry.get("department_id") or entry["id"], held)

        return {column.key: value_of(BY_NAME[column.key]) for column in IMPORT_FIELDS}

    def _then(self, item: Item, held: Held) -> dict[str, object]:
        """Return the fields that an update sets, in the same form."""

        def named(kind: LinkKind | None, name: str) -> str:
            if kind is None:
                return name
            return self._offered.label(kind, self._offered.find(kind, name, held), held)

        sent = _MODELS[item.operation].model_validate_json(pydantic_core.to_json(item.values))
        fields: dict[str, object] = {}
        for field in sent.given - {PERSONA_ID, EXPECTED_VERSION}:
            value = getattr(sent, field)
            kind = KINDS.get(field)
            if isinstance(value, str):
                value = named(kind, value)
            elif BY_NAME[field].many:
                value = list(dict.fromkeys(named(kind, each) for each in value or ()))
            fields[field] = bool(value) if field == "active_flag" else value
        return fields

    def _breaches(self, item: Item) -> list[str]:
        """Return the faults of an item by the contract."""
        try:
            _MODELS[item.operation].model_validate_json(pydantic_core.to_json(item.values))
        except ValidationError as error:
            found = field_errors(error.errors(include_url=False, include_input=False))
            places = [(fault.field.split("/")[1:], fault.message) for fault in found]
            # The row has a fault for a cell that is no text already; it is not missing besides.
            return [told([(steps, message)]) for steps, message in places if not {*steps[:1]} & {*item.unread}]
        return _too_long(item.values) if item.operation == "create" else []

    def _unknown(self, item: Item, held: Held | None = None) -> Iterator[str]:
        """Yield a fault for each name in an item that the library does not offer, but for what is held."""
        for field, kind in KINDS.items():
            value = item.values.get(field)
            places = [([field], value)] if isinstance(value, str) else []
            if isinstance(value, list):
                places = [([field, str(position)], str(each)) for position, each in enumerate(value)]
            for steps, name in places:
                try:
                    self._offered.find(kind, name, held)
                except Unresolved as unresolved:
                    yield told([(steps, str(unresolved))])


def _too_long(fields: Mapping[str, object]) -> list[str]:
    """Return the fault of texts that together are more than a persona may hold, or nothing."""
    held = [fields.get(field.name) for field in TEXT_FIELDS]
    texts = [text for value in held for text in (value if isinstance(value, list) else [value])]
    return [fault.message for fault in too_long(Text("", text) for text in texts if isinstance(text, str))]
