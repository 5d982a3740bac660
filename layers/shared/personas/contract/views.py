"""The views that refresh keeps, each with its name on the wire and what it is made of."""

from typing import Final, NamedTuple


class View(NamedTuple):
    """A materialized view of one group."""

    name: str
    definition: str


SEARCH: Final = View(
    "personas_search",
    "Every persona of the group as a row of a list, with an index of its texts and of all that it can be filtered by. "
    "Made from the personas and the change feed; a search reads what was written since then from the feed.",
)
TEXTS: Final = View(
    "personas_texts",
    "Every distinct name, description, instruction text and example that the group's personas use, with how many use "
    "it. Made from the personas and the change feed, as fresh as the last refresh; a text search of get reads what was "
    "written since then from the feed.",
)
EXPORT: Final = View(
    "personas_export",
    "Every persona of the group as a whole, in blocks, so that an export does not read the table. Made from the "
    "personas and the change feed.",
)
VIEWS: Final = (SEARCH, TEXTS, EXPORT)
