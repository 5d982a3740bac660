"""Ids that follow from what they name: the same text has the same id, from anyone, without a look-up."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple
from uuid import UUID, uuid5

import pydantic_core

from personas.contract.names import QUOTED_MAX

TextKind = Literal["names", "descriptions", "instructions", "examples"]

NAMESPACE: Final = UUID("6b1f5b0e-53a2-5a0c-9b53-0b6f1f0d7c11")
"""The namespace of every derived id of this service (RFC 9562, version 5). It can never change."""


class Text(NamedTuple):
    """A text and the id that it goes by within its group and kind."""

    id: str
    text: str


class Reference(NamedTuple):
    """A text of a group, by its kind and id."""

    kind: TextKind
    id: str


def resource_id(group_id: str, kind: str, name: str) -> str:
    """The id of a catalogue entry that was loaded without one. A field's name is ``parameter/field``."""
    return str(uuid5(NAMESPACE, f"{group_id}/{kind}/{name}"))


def text_id(group_id: str, kind: TextKind, text: str) -> str:
    """The id of ``text`` among the group's texts of that kind."""
    return resource_id(group_id, kind, text)


def identified(group_id: str, kind: TextKind, text: str) -> Text:
    """``text`` together with its id."""
    return Text(text_id(group_id, kind, text), text)


def is_sound(text: str) -> bool:
    """Whether a text can be kept and told: no half of a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8_bytes(texts: Iterable[str]) -> int:
    """The length of the texts together, in bytes of UTF-8."""
    return sum(len(text.encode()) for text in texts)


def wire_bytes(text: str) -> int:
    """The length of the text in an answer: UTF-8, and what JSON has to escape escaped."""
    return len(pydantic_core.to_json(text))


def quoted(sent: str) -> str:
    """What was sent, in quotation marks and cut, for a message about it."""
    return repr(sent if len(sent) <= QUOTED_MAX else f"{sent[: QUOTED_MAX - 1]}…")
