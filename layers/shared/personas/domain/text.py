"""Ids that follow from what they name: the same text has the same id, from anyone, without a look-up.

A caller who knows the id of a text can read it. So the id also follows from the group's secret: nobody learns from a
guessed text that someone uses it.
"""

import hmac
import secrets
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID, uuid5

import pydantic_core

from personas.contract.base import QUOTED_MAX
from personas.contract.persona_fields import TextKind

NAMESPACE: Final = UUID("6b1f5b0e-53a2-5a0c-9b53-0b6f1f0d7c11")
"""The namespace of every derived id of this service (RFC 9562, version 5). It can never change."""

_SECRET_BYTES: Final = 32
_VERSION_8: Final = 0x8000 << 64 | 0x8000 << 48
_RANDOM_BITS: Final = ~(0xF000 << 64 | 0xC000 << 48)


class Text(NamedTuple):
    """A text and the id that it goes by within its group and kind."""

    id: str
    text: str


class Reference(NamedTuple):
    """A text of a group, by its kind and id."""

    kind: TextKind
    id: str


class Fingerprint(NamedTuple):
    """A text by its kind and a digest of the text alone."""

    kind: TextKind
    digest: str


def resource_id(group_id: str, kind: str, name: str) -> str:
    """Return the id of a catalogue entry that was loaded without one. A field's name is ``parameter/field``."""
    return str(uuid5(NAMESPACE, f"{group_id}/{kind}/{name}"))


def new_secret() -> bytes:
    """Return a fresh secret for the ids of a group's texts: 256 random bits."""
    return secrets.token_bytes(_SECRET_BYTES)


def text_id(secret: bytes, kind: TextKind, text: str) -> str:
    """Return the id of ``text`` among the texts of that kind of the group with this secret (RFC 9562, version 8)."""
    digest = hmac.digest(secret, f"{kind}/{text}".encode(), "sha256")
    return str(UUID(int=int.from_bytes(digest[:16]) & _RANDOM_BITS | _VERSION_8))


def identified(secret: bytes, kind: TextKind, text: str) -> Text:
    """Return a text together with its id."""
    return Text(text_id(secret, kind, text), text)


def fingerprint(kind: TextKind, text: str) -> Fingerprint:
    """Return the fingerprint of a text, for use without the group's secret; no answer contains it."""
    return Fingerprint(kind, str(uuid5(NAMESPACE, f"{kind}/{text}")))


def utf8_bytes(texts: Iterable[str]) -> int:
    """Return the length of the texts together, in bytes of UTF-8."""
    return sum(len(text.encode()) for text in texts)


def wire_bytes(text: str) -> int:
    """Return the length of the text in an answer: UTF-8, and what JSON has to escape escaped."""
    return len(pydantic_core.to_json(text))


def quoted(sent: str) -> str:
    """Return a sent text in quotation marks and cut, for a message about it."""
    return repr(sent if len(sent) <= QUOTED_MAX else f"{sent[: QUOTED_MAX - 1]}…")
