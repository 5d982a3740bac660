"""The fields of a persona's form, in one table.

The contract's checks, the form itself, drafts, the stored row, the views, export and import read it. A new field begins
here; CONTRIBUTING says what else it takes.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, get_args

TextKind = Literal["names", "descriptions", "instructions", "examples"]
LinkKind = Literal["colors", "icons", "flags", "departments", "parameter_fields", "voices"]


class TextField(NamedTuple):
    """A field of texts: on the wire ``name`` takes them by value, and ``id_name`` by id.

    In a stored row ``column`` holds the ids, and ``text_column`` the text. Where texts can be long they lie beside the
    row (``beside_row``), which then holds no more than the beginning of one. Rows that were written before a field was
    added (``added_later``) lack its columns.
    """

    name: str
    id_name: str
    kind: TextKind
    column: str
    text_column: str = ""
    beside_row: bool = False
    many: bool = False
    needed: bool = False
    added_later: bool = False

    @property
    def attribute(self) -> str:
        """The name in a form, which holds texts as texts."""
        return self.name


class LinkField(NamedTuple):
    """A field of links to the catalogue: on the wire ``name`` takes them by value, and ``id_name`` by id.

    In a stored row ``column`` holds the ids. Rows that were written before a field was added (``added_later``) lack it.
    """

    name: str
    id_name: str
    kind: LinkKind
    column: str
    many: bool = False
    needed: bool = False
    added_later: bool = False

    @property
    def attribute(self) -> str:
        """The name in a form, which holds links as ids."""
        return self.id_name


type PersonaField = TextField | LinkField

FIELDS_VERSION: Final = 1
"""Raised with every change of the fields: the formats of the views that hold whole forms go by it."""
FIELDS: Final[Sequence[PersonaField]] = (
    TextField("name", "name_id", "names", "ni", "n", needed=True),
    TextField("description", "description_id", "descriptions", "di", "d"),
    TextField("instructions", "instructions_id", "instructions", "ii", "ih", beside_row=True, needed=True),
    LinkField("color", "color_id", "colors", "c", needed=True),
    LinkField("icon", "icon_id", "icons", "i", needed=True),
    LinkField("active_flag", "active_flag_id", "flags", "f"),
    LinkField("departments", "department_ids", "departments", "dp", many=True),
    LinkField("parameter_fields", "parameter_field_ids", "parameter_fields", "pf", many=True),
    TextField("examples", "example_ids", "examples", "ex", beside_row=True, many=True),
    LinkField("voices", "voice_ids", "voices", "vo", many=True),
)
"""All fields, in the order of the export view's records."""

FieldName = Literal[
    "name",
    "description",
    "instructions",
    "color",
    "icon",
    "active",
    "departments",
    "parameter_fields",
    "examples",
    "voices",
]
"""The names by which history, compare and conflicts show the fields, in the same order."""
FIELD_NAMES: Final[tuple[FieldName, ...]] = get_args(FieldName)
SHOWN_FIELDS: Final = tuple(zip(FIELD_NAMES, FIELDS, strict=True))

BY_NAME: Final = {field.name: field for field in FIELDS}
TEXT_FIELDS: Final = tuple(field for field in FIELDS if isinstance(field, TextField))
LINK_FIELDS: Final = tuple(field for field in FIELDS if isinstance(field, LinkField))
TEXTS_THEN_LINKS: Final[Sequence[PersonaField]] = (*TEXT_FIELDS, *LINK_FIELDS)
"""All fields, in the order in which an answer tells of faults and differences."""
