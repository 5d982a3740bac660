"""The suggestions of a form beyond the catalogue: the entries that the group's personas use most."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from personas.contract.persona_fields import TextKind
from personas.domain.text import Text


class Suggestions(NamedTuple):
    """The suggestions for one caller, most used first.

    ``texts`` are the texts to choose from, ``most_used`` the ids of what is used as of the last refresh (None: nobody
    knows), by the kind of the section.
    """

    texts: Mapping[TextKind, Sequence[Text]]
    most_used: Mapping[str, Sequence[str]] | None
