"""Personas as lines of a CSV file that can be imported again."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from personas.contract.persona_fields import BY_NAME, LINK_FIELDS, LinkField, LinkKind, PersonaField, TextField
from personas.domain.catalogue import Catalogue
from personas.domain.cells import escape, join_list, quoted
from personas.domain.importing import IMPORT_FIELDS

HEADER: Final = ("persona_id", *(field.key for field in IMPORT_FIELDS), "version")
"""``version`` is what an import sends back as the expected version, so that it overwrites nobody's change."""
HEADER_LINE: Final = f"{','.join(HEADER)}\r\n"
_FIELDS: Final = tuple(BY_NAME[column.key] for column in IMPORT_FIELDS)


class CsvLines:
    """The lines of personas, with the names that a catalogue gives to what they link to."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._labels = {field.kind: _Labels(catalogue, field.kind) for field in LINK_FIELDS}

    def of(self, columns: Mapping[str, Sequence[Any]]) -> str:
        """Return the lines of personas whose values these are, by the name of the column.

        Texts stand for themselves, links for their ids. A link to what has left the catalogue has no name, and no
        place.
        """
        cells = [self._cells(field, columns[field.name]) for field in _FIELDS]
        lines = zip(columns["persona_id"], *cells, map(str, columns["version"]), strict=True)
        return "".join([f"{','.join(line)}\r\n" for line in lines])

    def _cells(self, field: PersonaField, values: Sequence[Any]) -> Iterator[str]:
        if field.kind == "flags":
            return ("true" if each else "false" for each in values)
        texts = values if isinstance(field, TextField) else self._named(field, values)
        if field.many:
            texts = map(join_list, texts)
        # Many personas have the same color.
        return map(_cell if field.many or isinstance(field, TextField) else cache(_cell), texts)

    def _named(self, field: LinkField, values: Sequence[Any]) -> Iterator[Any]:
        labels = self._labels[field.kind]
        if field.many:
            return ([label for each in ids if (label := labels[each])] for ids in values)
        return (labels[each] for each in values)


def _cell(text: str | None) -> str:
    return quoted(escape(text)) if text else ""


class _Labels(dict[str, str | None]):
    """The names of the entries of a kind, by id, as far as they were asked for."""

    def __init__(self, catalogue: Catalogue, kind: LinkKind) -> None:
        super().__init__()
        self._catalogue = catalogue
        self._kind = kind

    def __missing__(self, entry_id: str) -> str | None:
        """Look the name up once."""
        self[entry_id] = label = self._catalogue.label(self._kind, entry_id)
        return label
