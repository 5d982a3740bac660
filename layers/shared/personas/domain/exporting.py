"""A persona as a row of a CSV file that can be imported again."""

from collections.abc import Iterable
from typing import Final

from personas.contract.persona_fields import BY_NAME, LinkKind, PersonaField, TextField
from personas.domain.catalogue import Catalogue
from personas.domain.cells import escape, join_list
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.persona import Form, Persona

HEADER: Final = ("persona_id", *(field.key for field in IMPORT_FIELDS), "version")
"""``version`` is what an import sends back as the expected version, so that it overwrites nobody's change."""
_FIELDS: Final = tuple(BY_NAME[column.key] for column in IMPORT_FIELDS)


class Rows:
    """The rows of personas, with the names that a catalogue gives to what they link to."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._labels: dict[tuple[LinkKind, str], str | None] = {}

    def row(self, persona: Persona) -> tuple[str, ...]:
        """Return the cells of a persona, under `HEADER`.

        A link to what has left the catalogue has no name, and no place.
        """
        return (persona.id, *[self._cell(field, persona.form) for field in _FIELDS], str(persona.version))

    def _cell(self, field: PersonaField, form: Form) -> str:
        if field.kind == "flags":
            return "true" if form.active_flag_id else "false"
        if isinstance(field, TextField):
            values = [text.text for text in form.texts_in(field)]
        else:
            values = self._named(field.kind, form.ids_in(field))
        return escape(join_list(values) if field.many else "".join(values))

    def _named(self, kind: LinkKind, ids: Iterable[str]) -> list[str]:
        labels = self._labels
        for each in ids:
            if (kind, each) not in labels:
                labels[kind, each] = self._catalogue.label(kind, each)
        return [label for each in ids if (label := labels[kind, each])]
