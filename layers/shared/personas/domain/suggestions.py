"""The suggestions of a form beyond the catalogue: the entries that the group's personas use most."""

from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Final, NamedTuple

from personas.contract.persona_fields import TextKind
from personas.domain.text import Text, wire_bytes

OPTIONS_MAX: Final = 100
SECTION_BYTES: Final = 1_000_000
"""The most bytes that the texts of one section of a form may take in an answer."""


class Suggestions(NamedTuple):
    """The suggestions for one caller, most used first.

    ``texts`` are the texts to choose from, ``most_used`` the ids of what is used as of the last refresh (None: nobody
    knows), by the kind of the section.
    """

    texts: Mapping[TextKind, Sequence[Text]]
    most_used: Mapping[str, Sequence[str]] | None


class Use(NamedTuple):
    """An entry, a text or an id, and how many personas use it."""

    entry: str
    times: int


def used_most[T: (int, str)](uses: Iterable[tuple[T, int]]) -> list[tuple[T, int]]:
    """Return the first hundred of entries, or of their places, with how often each is used: most used first."""
    return nsmallest(OPTIONS_MAX, uses, key=lambda use: (-use[1], use[0]))


def within_section(uses: Iterable[Use]) -> list[Use]:
    """Return the first of these, as long as their texts fit into one section of a form."""
    kept, left = [], SECTION_BYTES
    for use in uses:
        left -= wire_bytes(use.entry)
        if left < 0:
            break
        kept.append(use)
    return kept
