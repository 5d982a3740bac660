"""The base classes of the contract's models, its limits, and the types of single values that the models share."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, PydanticKnownError, core_schema

from personas.contract.composing import composed
from personas.contract.persona_fields import FIELDS
from personas.contract.problems import FieldError, field_errors
from personas.contract.visible import is_visible

GROUP_ID: Final = "group_id"
NAME_MAX: Final = 200
DESCRIPTION_MAX: Final = 2_000
INSTRUCTIONS_MAX: Final = 32_000
EXAMPLE_MAX: Final = 2_000
CATALOGUE_VALUE_MAX: Final = 200
SEARCH_MAX: Final = 500
"""The limits of texts, in characters (code points), counted after NFC and trimming."""

EXAMPLES_MAX: Final = 50
"""Examples of a persona."""
LIST_MAX: Final = 100
"""Ids or names in one list."""
ITEMS_MAX: Final = 1_000
"""Items of one bulk call."""
PAGE_SIZE_DEFAULT: Final = 12
PAGE_SIZE_MAX: Final = 100
VERSION_PAGE_SIZE_DEFAULT: Final = 20
BODY_MAX: Final = 1_000_000
"""Bytes of a request body."""
BULK_BODY_MAX: Final = 4_000_000
"""Bytes of a body that brings whole personas, many at once. In Lambda's event it is a string with escapes, of 6 MB."""
QUOTED_MAX: Final = 60
"""Characters that a result quotes of what was sent."""
TEXTS_MAX: Final = 256 * 1024
"""Bytes of UTF-8 of all texts of a persona together."""
VersionKind = Literal["created", "updated", "restored", "deleted"]
"""The kind of write that made a version of a persona."""
HISTORY_DAYS_MAX: Final = 3_650
"""The longest time for which a deployment may keep the history of personas."""
NUMBER_MAX: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

NFC_SHRINKS_BY: Final = 4
"""Composing takes at most four code points into one, so a text longer than this many limits is too long as it is."""

ID_FIELDS: Final = {field.name: field.id_name for field in FIELDS}
"""For every field that takes a value, the one that takes an id instead."""

NEEDED: Final = tuple(field.name for field in FIELDS if field.needed)
"""The fields that no persona can be without."""

_UUID: Final = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE
)
_DIGITS: Final = re.compile("[0-9]{1,100}")
"""A number as text. Longer ones are above any limit, and take longer to read than they are worth."""


def canonical_id(value: object) -> str:
    """Return a UUID, given with or without hyphens in either case, in lower case with hyphens."""
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise PydanticCustomError("contract_uuid", "must be a UUID")
    digits = value.replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def is_sound(text: str) -> bool:
    """Tell whether a text can be stored and sent: no half of a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sound_text(value: object) -> object:
    """Return ``value``, unless it is a string that cannot be stored; leave other types to the core."""
    if isinstance(value, str):
        if "\x00" in value:
            raise PydanticCustomError("contract_nul", "must not contain the character U+0000")
        if not is_sound(value):
            raise PydanticCustomError("contract_surrogate", "must not contain a lone surrogate (U+D800 to U+DFFF)")
    return value


def tidy_text(limit: int) -> Callable[[object], object]:
    """Return a validator that puts a text into NFC and trims it, before the core counts its characters."""

    def tidy(value: object) -> object:
        sound_text(value)
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text.isascii():
            return text
        if len(text) > limit * NFC_SHRINKS_BY:
            raise PydanticKnownError("string_too_long", {"max_length": limit})
        return composed(text)

    return tidy


def _empty_as_null(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _unseen_as_null(value: object) -> object:
    sound_text(value)
    return None if isinstance(value, str) and not is_visible(value) else value


def _null_as_empty[T](value: list[T] | None) -> list[T]:
    return [] if value is None else value


def _null_as(default: int) -> Callable[[object], object]:
    return lambda value: default if value is None else value


def _whole(value: object) -> object:
    # Form fields hold text, and clients send it as it is.
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    # JSON knows numbers alone: 1.0 is an integer too, and some clients write it so.
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= NUMBER_MAX else value


def _each_once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


Id = Annotated[str, BeforeValidator(canonical_id), WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID in a request, in its canonical form."""

# Bounds stand next to str, so that the core counts characters; what tidies the text stands outside and so comes first.

# Single texts of a request. Clients that save while someone types send "" for a field that was emptied: it is null, but
# in instructions.
NameText = Annotated[
    Annotated[str, Field(max_length=NAME_MAX), BeforeValidator(tidy_text(NAME_MAX))] | None,
    BeforeValidator(_unseen_as_null),
]
"""A name; one that nobody would see is none."""
DescriptionText = Annotated[
    Annotated[str, Field(max_length=DESCRIPTION_MAX), BeforeValidator(tidy_text(DESCRIPTION_MAX))] | None,
    BeforeValidator(_empty_as_null),
]
InstructionsText = (
    Annotated[str, Field(max_length=INSTRUCTIONS_MAX), BeforeValidator(tidy_text(INSTRUCTIONS_MAX))] | None
)
"""Instructions; the empty text is one, for a persona may be left to the model."""
CatalogueValue = Annotated[
    Annotated[str, Field(max_length=CATALOGUE_VALUE_MAX), BeforeValidator(tidy_text(CATALOGUE_VALUE_MAX))] | None,
    BeforeValidator(_empty_as_null),
]
"""The name of an entry of the catalogue (or a color's hex code, an icon's value), found without case."""

SearchText = Annotated[str, Field(max_length=SEARCH_MAX), BeforeValidator(sound_text)] | None
"""A literal substring to look for, exactly as sent: answers echo it, and folding is the search's own business."""

# Texts inside lists: one that is empty is a mistake.
ListedName = Annotated[
    str, Field(min_length=1, max_length=CATALOGUE_VALUE_MAX), BeforeValidator(tidy_text(CATALOGUE_VALUE_MAX))
]
ExampleText = Annotated[str, Field(min_length=1, max_length=EXAMPLE_MAX), BeforeValidator(tidy_text(EXAMPLE_MAX))]

# Lists of a request: absent is None, null is [], and what is named twice counts once.
Ids = Annotated[
    Annotated[list[Id], Field(max_length=LIST_MAX), AfterValidator(_each_once)] | None, AfterValidator(_null_as_empty)
]
ExampleIds = Annotated[
    Annotated[list[Id], Field(max_length=EXAMPLES_MAX), AfterValidator(_each_once)] | None,
    AfterValidator(_null_as_empty),
]
ListedNames = Annotated[
    Annotated[list[ListedName], Field(max_length=LIST_MAX), AfterValidator(_each_once)] | None,
    AfterValidator(_null_as_empty),
]
Examples = Annotated[
    Annotated[list[ExampleText], Field(max_length=EXAMPLES_MAX), AfterValidator(_each_once)] | None,
    AfterValidator(_null_as_empty),
]
FilterIds = Annotated[list[Id], Field(max_length=LIST_MAX), AfterValidator(_each_once)] | None
"""Ids that narrow a reading: none given and null are the same."""

Switch = Annotated[bool, Field(strict=True)]
SwitchOrOff = Annotated[
    Switch,
    BeforeValidator(_null_as(default=False)),
    WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
]
"""A switch that is off where it is absent or null."""
Version = Annotated[Annotated[int, Field(strict=True, ge=0, le=NUMBER_MAX)], BeforeValidator(_whole)]
VersionOrZero = Annotated[Version, BeforeValidator(_null_as(0))]
_Page = Annotated[Annotated[int, Field(strict=True, ge=1, le=PAGE_SIZE_MAX)], BeforeValidator(_whole)]
_PAGE_SCHEMA: Final = WithJsonSchema(
    {"anyOf": [{"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX}, {"type": "null"}]}
)
PageSize = Annotated[_Page, BeforeValidator(_null_as(PAGE_SIZE_DEFAULT)), _PAGE_SCHEMA]
VersionPageSize = Annotated[_Page, BeforeValidator(_null_as(VERSION_PAGE_SIZE_DEFAULT)), _PAGE_SCHEMA]
PageOffset = Annotated[
    Version,
    BeforeValidator(_null_as(0)),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0, "maximum": NUMBER_MAX}, {"type": "null"}]}),
]

# Values of an answer are ours and are not checked again; only their schema says more than "string".
WireId = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
WireTime = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


# Any JSON value passes: the group is the caller's own, whatever is written here.
IgnoredGroup = Annotated[
    object,
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "null"}], "deprecated": True}),
]


def id_or_value[T](value: T, info: ValidationInfo) -> T | None:
    """Return a value, unless its id was given before it. Beside an id, null, ``[]`` and ``""`` give nothing.

    Raises:
        PydanticCustomError: both are given.
    """
    if info.field_name is None or not info.data.get(id_field := ID_FIELDS[info.field_name]):
        return value
    if value == "":
        return None
    if value is None or value == []:
        return value
    raise PydanticCustomError(
        "contract_both",
        "give {value_field} or {id_field}, not both",
        {"value_field": info.field_name, "id_field": id_field},
    )


class WireModel(BaseModel):
    """A part of an answer. A field that it does not have is an error of ours and fails where it is built.

    Every field is sent, null or not, so the schema of an answer requires each of them.
    """

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class ReadRequest(BaseModel):
    """The body of an operation that only reads: fields it does not know are passed over."""

    model_config = ConfigDict(extra="ignore")


class Written(BaseModel):
    """A body or item that a caller wants to save: an unknown field is refused by name, never dropped in silence."""

    model_config = ConfigDict(extra="forbid")

    @property
    def given(self) -> frozenset[str]:
        """The names of the fields that the caller sent, those sent as null among them."""
        return frozenset(self.model_fields_set - {GROUP_ID})


class WriteRequest(Written):
    """The body of an operation that saves something."""

    group_id: Annotated[
        IgnoredGroup,
        Field(exclude=True, description="Taken for the sake of existing clients and ignored: the key says the group."),
    ] = None


class WriteItem(Written):
    """One entry of a body that saves several things at once."""

    # Accepted as in the body around it, but no part of the item's published shape.
    group_id: SkipJsonSchema[Annotated[IgnoredGroup, Field(exclude=True)]] = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item of a bulk call that breaks the contract. It fails alone; the others are processed.

    ``errors`` point into the item (``/name``), not into the body. ``raw`` is the item as it was sent.
    """

    errors: tuple[FieldError, ...]
    raw: object


@dataclass(frozen=True, slots=True)
class OnItsOwn:
    """A mark for the entries of a list of which each is valid, or ``Rejected``, whatever the others are.

    Used as ``Annotated[Item | Rejected, OnItsOwn(Item)]``: the schema is that of ``item`` alone, so that no caller can
    send something that passes for a rejection.
    """

    item: object

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_judged, handler.generate_schema(self.item))


def _judged(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    try:
        return validate(value)
    except ValidationError as fault:
        errors = fault.errors(include_url=False, include_input=False)
        return Rejected(errors=tuple(field_errors(errors)), raw=value)
