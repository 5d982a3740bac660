"""A persona as attributes of its item: the row, and the texts that lie beside it.

The change feed projects the *row*, and the views are made of it; its keys are short because each is stored twice and
paid for by the byte. The longer texts lie beside it, compressed, and are not projected.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from personas.contract.base import LIST_MAX, is_sound
from personas.contract.persona_fields import FIELDS, TEXT_FIELDS, LinkField
from personas.domain.persona import HEAD_CHARACTERS, Form, Persona, one_or_many
from personas.domain.text import Text
from personas.store import keys
from personas.store.attributes import (
    NUMBER_END,
    Item,
    Value,
    flag,
    inflated_json,
    integer,
    mapping,
    mapping_or_empty,
    sound_id,
    strings,
    text,
)

PROFILES: Final = "np"
"""The field in which a row, a tombstone's too, counts the profiles that name the persona."""
_FIELDS_BESIDE_ROW: Final = tuple(field for field in TEXT_FIELDS if field.beside_row)


def row_of(persona: Persona) -> dict[str, Value]:
    """Return the row of a persona."""
    row: dict[str, Value] = {}
    for field, value in persona.form.items():
        if field.needed and value is None:
            raise AssertionError("the contract lets no persona be without what is needed")
        if isinstance(field, LinkField):
            row[field.column] = value
        elif field.many:
            row[field.column] = [text.id for text in value]
        else:
            row[field.column] = value and value.id
            row[field.text_column] = value and value.text[: HEAD_CHARACTERS if field.beside_row else None]
    return row | {
        "sc": persona.scenario_ids,
        "as": persona.active_scenario_ids,
        PROFILES: persona.num_profiles,
        "g": persona.generated,
        "m": persona.mcp,
        "ct": persona.created_at,
        "ut": persona.updated_at,
    }


def packed_texts(persona: Persona) -> bytes:
    """Return the texts that lie beside a persona's row: JSON, compressed."""
    longer = [one_or_many(field, [text.text for text in persona.form.texts_in(field)]) for field in _FIELDS_BESIDE_ROW]
    return zlib.compress(json.dumps(longer, ensure_ascii=False, separators=(",", ":")).encode())


def name_in(item: Item | None) -> str | None:
    """Return the name of an item's persona, or None where there is none."""
    name = mapping_or_empty(item or {}, "row").get("n")
    return name if isinstance(name, str) else None


def cast_in(row: Mapping[str, Value]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Return of a persona's row its name, its scenarios, and the active ones of them.

    Raises:
        Unreadable: it does not say.
    """
    return text(row, "n"), strings(row, "sc", NUMBER_END), strings(row, "as", NUMBER_END)


def persona_in(item: Item, version: int, seq: int) -> Persona:
    """Decode the persona of an item. Call it by ``readable``."""
    row = mapping(item, "row")
    return Persona(
        id=sound_id(keys.id_of(text(item, "sk"))),
        form=_form(row, item.get("texts")),
        scenario_ids=_ids(row, "sc", NUMBER_END),
        active_scenario_ids=_ids(row, "as", NUMBER_END),
        num_profiles=integer(row, PROFILES),
        generated=flag(row, "g"),
        mcp=flag(row, "m"),
        created_at=_time(text(row, "ct")),
        updated_at=_time(text(row, "ut")),
        version=version,
        seq=seq,
    )


def _form(row: Mapping[str, Value], packed: Value) -> Form:
    beside_row = _texts_beside_row(row, packed)
    form: dict[str, Any] = {}
    for field in FIELDS:
        absent = row.get(field.column) is None and (field.added_later or not (field.many or field.needed))
        if absent:
            continue
        ids = _ids(row, field.column) if field.many else (sound_id(text(row, field.column)),)
        if isinstance(field, LinkField):
            form[field.id_name] = ids if field.many else ids[0]
        elif field.many:
            texts = strings(beside_row, field.name, LIST_MAX)
            form[field.name] = tuple([Text(*each) for each in zip(ids, texts, strict=True)])
        else:
            own = text(beside_row, field.name) if field.beside_row else _sound(text(row, field.text_column))
            form[field.name] = Text(ids[0], own)
    return Form(**form)


def _texts_beside_row(row: Mapping[str, Value], packed: Value) -> dict[str, Any]:
    longer = inflated_json(packed)
    if not isinstance(longer, list):
        raise TypeError("the texts beside a row are no list")
    names = [field.name for field in _FIELDS_BESIDE_ROW if not field.added_later or field.column in row]
    return dict(zip(names, longer, strict=True))


def _ids(row: Mapping[str, Value], name: str, most: int = LIST_MAX) -> tuple[str, ...]:
    return tuple(map(sound_id, strings(row, name, most)))


def _sound(value: str) -> str:
    if not is_sound(value):
        raise ValueError("a text holds half of a surrogate pair")
    return value


def _time(value: str) -> str:
    if datetime.fromisoformat(value).tzinfo is None:
        raise ValueError("a time has no zone")
    return value
