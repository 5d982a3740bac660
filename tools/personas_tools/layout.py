"""The attributes of the items of PersonasTable, for documents. Tests hold it against what the stores really write."""

from typing import Final, Literal, NamedTuple

from personas.store.authorship import AUTHORSHIP
from personas.store.drafts import AS_OF, CHANGED_IN, SINCE
from personas.store.write_rule import RECENT_WRITES

TABLE: Final = "PersonasTable"
"""The table's name in template.yaml; a stack makes its own physical name of it."""


class Attribute(NamedTuple):
    """An attribute of an item. One that is not ``always`` there may be absent."""

    name: str
    type: Literal["string", "number", "boolean", "binary", "map"]
    always: bool = True


KEY: Final = (Attribute("pk", "string"), Attribute("sk", "string"))
_WRITTEN: Final = (Attribute("seq", "number"), Attribute("version", "number"), Attribute(RECENT_WRITES, "map"))
_FED: Final = (Attribute("changed", "string"), Attribute("row", "map"))

PERSONA: Final = (
    *KEY,
    *_FED,
    Attribute("texts", "binary", always=False),
    *_WRITTEN,
    Attribute(AUTHORSHIP, "binary", always=False),
    Attribute("copies", "number", always=False),
    Attribute("copied_by", "string", always=False),
    Attribute("deleted", "boolean", always=False),
    Attribute("expires_at", "number", always=False),
)
DRAFT: Final = (
    *KEY,
    *_FED,
    Attribute("texts", "map"),
    *_WRITTEN,
    Attribute("expires_at", "number"),
    *(Attribute(name, "number", always=False) for name in (AS_OF, SINCE, *CHANGED_IN.values())),
)
CATALOGUE_ENTRY: Final = (*KEY, *_FED, *_WRITTEN)
TEXT_ENTRY: Final = (*KEY, Attribute("text", "binary"), Attribute("used_at", "number"))
