"""The fields of import files, and personas to fill their rows with."""

from collections.abc import Mapping
from typing import Final

from hypothesis import strategies as st

from personas.domain.cells import escape, join_list
from personas.domain.importing import IMPORT_FIELDS
from personas_tools.importer.columns import PERSONA_ID, VERSION, Field, name_of, names_of

FIELDS: Final = [Field.model_validate(each.model_dump()) for each in IMPORT_FIELDS]
KEYS: Final = [field.key for field in FIELDS]

_KNOWN: Final = {*names_of(FIELDS), PERSONA_ID, VERSION}


def is_known(header: str) -> bool:
    """Tell whether a column of that header says something of a persona."""
    return name_of(header) in _KNOWN


def filled(hostile: str, most: int) -> st.SearchStrategy[dict[str, object]]:
    """Make values of all fields; their texts are of any characters, or at most so many of the hostile ones.

    They are as the service keeps them: trimmed, and not empty. No lone surrogates: UTF-8 has none.
    """
    texts = (st.text(st.characters(codec="utf-8"), max_size=20) | st.text(hostile, max_size=most)).map(str.strip)
    kept = texts.filter(bool)
    return st.fixed_dictionaries(
        {
            field.key: st.booleans() if field.type == "boolean" else st.lists(kept) if field.multi else kept
            for field in FIELDS
        }
    )


def cells_of(row: Mapping[str, object]) -> list[str]:
    """Write the values of a row by the rules of an export."""
    return [_cell(row[key]) for key in KEYS]


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return escape(join_list(value) if isinstance(value, list) else str(value))
