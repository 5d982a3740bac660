"""The file format of a library: what a group's personas may be made of, in YAML or JSON.

``parse`` reads a file and checks everything that can be told without knowing the group.
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal, NamedTuple
from uuid import UUID

import yaml
from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import PydanticKnownError

from personas.contract.base import DESCRIPTION_MAX, ListedName, tidy_text
from personas.contract.visible import is_visible
from personas.domain.folding import fold
from personas_tools.library_store import ResourceKind

SectionKind = Literal[
    "names",
    "descriptions",
    "colors",
    "icons",
    "instructions",
    "flags",
    "departments",
    "parameter_fields",
    "examples",
    "parameters",
    "voices",
]
"""The sections of a persona's form, by the names that they have on the wire."""

_MERGE: Final = "tag:yaml.org,2002:merge"


class LibraryError(Exception):
    """A library that cannot be loaded; ``faults`` says where in the file and why, one sentence each."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


def _visible(name: str) -> str:
    if not is_visible(name):
        raise PydanticKnownError("string_too_short", {"min_length": 1})
    return name


Name = Annotated[ListedName, AfterValidator(_visible)]
Description = Annotated[str, Field(max_length=DESCRIPTION_MAX), BeforeValidator(tidy_text(DESCRIPTION_MAX))]
HexCode = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]
References = tuple[Name, ...]
"""Entries of another kind, by name or by id."""


class FileEntry(BaseModel):
    """The fields of every entry. One that is not ``active`` stays with its personas and is offered no more."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: UUID | None = None
    active: bool = True

    @property
    def called(self) -> str:
        """The name of the entry in references and messages."""
        raise NotImplementedError


class _Named(FileEntry):
    name: Name

    @property
    def called(self) -> str:
        return self.name


class Department(_Named):
    """A part of the organisation; personas and profiles belong to departments."""

    id: UUID | None = Field(default=None, validation_alias=AliasChoices("id", "department_id"))
    description: Description = ""
    generated: bool = False


class Color(_Named):
    """A named color."""

    hex_code: HexCode
    description: Description = ""
    generated: bool = False


class Icon(_Named):
    """A named icon; ``value`` is what a client draws it by."""

    value: Name
    description: Description = ""
    generated: bool = False


class Flag(FileEntry):
    """A switch of a persona. The service knows one, ``active``."""

    id: UUID | None = Field(default=None, validation_alias=AliasChoices("id", "flag_option_id"))
    key: Name
    label: Name
    description: Description | None = None
    icon_id: Name | None = Field(default=None, description="An icon, by name, value or id.")
    show: bool = True
    required: bool = False
    generated: bool = False

    @property
    def called(self) -> str:
        """The flag's key."""
        return self.key


class Voice(FileEntry):
    """A voice that speaks for a persona."""

    voice: Name
    generated: bool = False

    @property
    def called(self) -> str:
        """The voice itself."""
        return self.voice


class Described(_Named):
    """The part that parameters and their fields share."""

    description: Description = ""
    value: Description = ""
    department_ids: References = Field(default=(), validation_alias=AliasChoices("department_ids", "departments"))
    created_at: AwareDatetime | None = None
    generated: bool = False
    mcp: bool = False


class ParameterField(Described):
    """One of the values that a parameter can take."""

    conditional_parameter_ids: References = Field(
        default=(), validation_alias=AliasChoices("conditional_parameter_ids", "conditional_parameters")
    )


class Parameter(Described):
    """A dimension along which personas are described, with the fields to choose from."""

    persona_parameter: bool = True
    document_parameter: bool = False
    scenario_parameter: bool = False
    video_parameter: bool = False
    fields: tuple[ParameterField, ...] = ()
    field_ids: References = Field(default=(), description="Fields that come first, by name or id.")


class Scenario(_Named):
    """A training scenario and its cast. Without ``personas``, the cast stays as it is."""

    personas: References | None = Field(default=None, validation_alias=AliasChoices("personas", "persona_ids"))


class Settings(BaseModel):
    """The group's settings; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name | None = None
    ai_generate: tuple[SectionKind, ...] | None = None


class Place(NamedTuple):
    """An entry and where it stands: its kind, its path in the file and, for a field, its parameter."""

    kind: ResourceKind
    path: str
    entry: FileEntry
    parameter: Parameter | None = None


class Library(BaseModel):
    """A whole library file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: Settings = Settings()
    departments: tuple[Department, ...] = ()
    colors: tuple[Color, ...] = ()
    icons: tuple[Icon, ...] = ()
    flags: tuple[Flag, ...] = ()
    voices: tuple[Voice, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    scenarios: tuple[Scenario, ...] = ()

    def places(self) -> Iterator[Place]:
        """Yield every entry of the file, with its place."""
        for kind, entries in self._kinds():
            for position, entry in enumerate(entries):
                yield Place(kind, f"{kind}[{position}]", entry)
        for position, parameter in enumerate(self.parameters):
            for inner, field in enumerate(parameter.fields):
                yield Place("fields", f"parameters[{position}].fields[{inner}]", field, parameter)

    def _kinds(self) -> tuple[tuple[ResourceKind, Sequence[FileEntry]], ...]:
        return (
            ("departments", self.departments),
            ("colors", self.colors),
            ("icons", self.icons),
            ("flags", self.flags),
            ("voices", self.voices),
            ("parameters", self.parameters),
            ("scenarios", self.scenarios),
        )


def parse(text: str) -> Library:
    """Read a library file, YAML or JSON.

    Raises:
        LibraryError: it cannot be read, breaks a rule, or uses a name or an id twice within a kind.
    """
    content = _structure(text.removeprefix("\ufeff"))
    if content is None:
        raise LibraryError(["The file is empty."])
    if not isinstance(content, dict):
        raise LibraryError(["The file must be a mapping with keys such as colors, icons and parameters."])
    try:
        library = Library.model_validate(content)
    except ValidationError as error:
        raise LibraryError([_told(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]) from None
    faults = list(_duplicates(library))
    if faults:
        raise LibraryError(faults)
    return library


def _structure(text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text, object_pairs_hook=_object_once)
        except json.JSONDecodeError as error:
            raise LibraryError([f"line {error.lineno}, column {error.colno}: {error.msg}."]) from None
    try:
        return yaml.load(text, Loader=_StrictLoader)  # noqa: S506  # a SafeLoader, and stricter
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise LibraryError([f"{where}{error.problem or error.context}."]) from None
    except yaml.YAMLError as error:
        raise LibraryError([f"The file is neither YAML nor JSON: {error}."]) from None


class _StrictLoader(yaml.SafeLoader):
    """YAML, except that a key given twice is an error and not a silent loss."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, object]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE or not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key_node.value!r} is given twice", key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def _object_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    for key, times in Counter(key for key, _ in pairs).items():
        if times > 1:
            raise LibraryError([f"The key {key!r} is given twice in one object."])
    return dict(pairs)


def _told(location: Iterable[int | str], fault: str, message: str) -> str:
    path = ""
    for step in location:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    path = path.removeprefix(".")
    match fault:
        case "extra_forbidden":
            return f"{path}: there is no such key here."
        case "missing":
            return f"{path}: is missing."
        case "string_pattern_mismatch":
            return f"{path}: must be # and six hex digits, in quotes."
        case "string_too_short":
            return f"{path}: must not be blank."
        case _:
            return f"{path}: {message[:1].lower()}{message[1:]}."


def _duplicates(library: Library) -> Iterator[str]:
    names: dict[tuple[str, str], str] = {}
    ids: dict[tuple[ResourceKind, UUID], str] = {}
    for place in library.places():
        scope = place.path.rpartition("[")[0]
        first = names.setdefault((scope, fold(place.entry.called)), place.path)
        if first != place.path:
            yield f"{place.path}: {place.entry.called!r} has the same name as {first}."
        if place.entry.id is not None:
            first = ids.setdefault((place.kind, place.entry.id), place.path)
            if first != place.path:
                yield f"{place.path}.id: is the id of {first} as well."
