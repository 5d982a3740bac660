"""A persona as a row of a CSV file that can be imported again."""

from collections.abc import Iterable
from typing import Final

from personas.contract.persona_fields import LinkKind
from personas.domain.catalogue import Catalogue
from personas.domain.cells import escape, join_list
from personas.domain.importing import IMPORT_FIELDS
from personas.domain.persona import Persona

HEADER: Final = ("persona_id", *(field.key for field in IMPORT_FIELDS), "version")
"""``version`` is what an import sends back as the expected version, so that it overwrites nobody's change."""


class Rows:
    """Makes rows of personas, with the names that a catalogue gives to what they link to."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._labels: dict[tuple[LinkKind, str], str | None] = {}

    def row(self, persona: Persona) -> tuple[str, ...]:
        """The cells of a persona, under `HEADER`. A link to what has left the catalogue has no name, and no place."""
        return (
            persona.id,
            escape(persona.name.text),
            escape(persona.description.text) if persona.description else "",
            escape("".join(self._named("colors", (persona.color_id,)))),
            escape("".join(self._named("icons", (persona.icon_id,)))),
            escape(persona.instructions.text),
            "false" if persona.active_flag_id is None else "true",
            escape(join_list(self._named("departments", persona.department_ids))),
            escape(join_list(self._named("parameter_fields", persona.parameter_field_ids))),
            escape(join_list(example.text for example in persona.examples)),
            escape(join_list(self._named("voices", persona.voice_ids))),
            str(persona.version),
        )

    def _named(self, kind: LinkKind, ids: Iterable[str]) -> list[str]:
        labels = self._labels
        for each in ids:
            if (kind, each) not in labels:
                labels[kind, each] = self._catalogue.label(kind, each)
        return [label for each in ids if (label := labels[kind, each])]
