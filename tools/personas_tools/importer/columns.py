"""The meaning of the columns of a file, and what its rows ask of the service."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel

from personas.domain.cells import escape, join_list, split_list, unescape
from personas.domain.folding import fold
from personas_tools.importer.rows import REASON, FileError, Row, RowFile
from personas_tools.importer.words import SWITCH

PERSONA_ID: Final = "persona_id"
VERSION: Final = "version"
EXPECTED_VERSION: Final = "expected_version"
_OWN: Final = frozenset({PERSONA_ID, VERSION})
"""The columns that say which persona a row is, and of which version."""
_VERSION_DIGITS: Final = 18
INSTRUCTIONS: Final = "instructions"
"""The column of the one text that a persona needs and that may be empty."""
_BAR: Final = "|"

type Operation = Literal["create", "update"]


class Field(BaseModel):
    """A column that the service can import, of ``import_fields``; what it says besides is passed over."""

    key: str
    label: str
    required: bool = False
    multi: bool = False
    type: str = "string"


class Item(NamedTuple):
    """The item of a row: the values as the operation takes them, and the reasons why it cannot be sent.

    Among the values of an update are ``persona_id`` and, where the row has a version, ``expected_version``. A value
    that cannot be read is left out; ``unread`` are the fields of cells that are no texts. There are no values
    if the row as a whole cannot be trusted.
    """

    operation: Operation
    values: dict[str, object]
    faults: Sequence[str] = ()
    unread: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class _Column:
    position: int
    field: Field
    separator: str | None
    """The sign that joins lists in it; None where its cells are single values."""


def name_of(header: str) -> str:
    """Return a column's name without regard to case, spaces for underscores and spaces around it."""
    return fold(header).strip().replace(" ", "_")


def names_of(fields: Iterable[Field]) -> dict[str, Field]:
    """Return the fields by every name that a column for them may have: their key and their label."""
    return {name: field for field in fields for name in (name_of(field.label), name_of(field.key))}


class Columns:
    """The columns of a file, matched with the fields of the service by key or label.

    ``lists`` says what joins them: "|" or ",". Unless it does, that is ``|``, and a comma in a column without any ``|``
    of a file that is new. A file with persona ids or reasons comes from `export` or from an import: it has ``|`` only,
    and a comma in it is part of a text. ``yes`` are the words that say yes in the language of the group, as labels of
    its flag do.

    Raises:
        FileError: a column is unknown, there twice, or needed and not there.
    """

    def __init__(
        self,
        file: RowFile,
        fields: Sequence[Field],
        *,
        update: bool,
        skipped: Collection[str] = (),
        lists: str | None = None,
        yes: Iterable[str] = (),
    ) -> None:
        self.update = update
        self.width = len(file.header)
        self._header = file.header
        self._words = {fold(word).strip(): True for word in yes} | SWITCH
        own: dict[str, int] = {}
        self._nameless: list[int] = []
        passed_over = {name_of(each) for each in skipped}
        known = names_of(fields)
        places: dict[str, tuple[int, Field]] = {}
        for position, header in enumerate(file.header):
            name = name_of(header)
            if not name:
                self._nameless.append(position)
            elif name in passed_over or name == REASON:
                continue
            elif name in _OWN:
                if own.setdefault(name, position) != position:
                    raise FileError(f"{file.path} has two columns for {name}.")
            elif name not in known:
                raise FileError(
                    f"{file.path} has a column {header!r}, which cannot be imported. --skip leaves it out. "
                    f"Known are: {', '.join([PERSONA_ID, *(field.key for field in fields), VERSION])}."
                )
            elif places.setdefault(known[name].key, (position, known[name]))[0] != position:
                raise FileError(f"{file.path} has two columns for {known[name].key}.")
        missing = [field.key for field in fields if field.required and field.key not in places]
        if missing and not update:
            raise FileError(f"{file.path} lacks what every persona needs: {', '.join(missing)}.")
        self.id_at, self.version_at = own.get(PERSONA_ID), own.get(VERSION)
        if update and self.id_at is None:
            raise FileError(f"{file.path} has no column {PERSONA_ID}: --update takes from it which personas to change.")

        self.rows = 0
        self.ids = 0
        self.unguarded = 0
        """Rows that name a persona and no version of it."""
        with_bars: set[int] = set()
        for row in file.rows():
            self.rows += 1
            named = bool(self.id_of(row))
            self.ids += named
            self.unguarded += named and not self._own(self.version_at, row)
            with_bars.update(position for position, cell in enumerate(row.cells) if _BAR in cell)
        comes_back = self.id_at is not None or REASON in map(name_of, file.header)
        self.columns = tuple(
            _Column(at, field, (lists or (_BAR if comes_back or at in with_bars else ",")) if field.multi else None)
            for at, field in places.values()
        )
        self._used = {*own.values(), *(column.position for column in self.columns)}

    @property
    def reading(self) -> str:
        """The way the file is read: the same for two readings that make the same of each row."""
        parts = [f"{column.field.key}@{column.position}{column.separator or ''}" for column in self.columns]
        guard = f"{VERSION}@{self.version_at}"
        return " ".join(["update", guard, *parts] if self.update else ["create", *parts])

    def id_of(self, row: Row) -> str:
        """Return the persona that a row names, or nothing."""
        return self._own(self.id_at, row)

    def item(self, row: Row) -> Item:
        """Return the item of a row. An empty cell gives a new persona nothing, and clears a field of a changed one."""
        persona_id = self.id_of(row) if self.update else ""
        operation: Operation = "update" if persona_id else "create"
        if fault := self._misfit(row):
            return Item(operation, {}, [fault])
        values: dict[str, object] = {}
        faults = [f"{name_of(self._header[at])}: {reason}" for at, reason in row.unreadable.items() if at in self._used]
        if persona_id:
            values[PERSONA_ID] = persona_id
            version = self._own(self.version_at, row)
            if version.isdecimal() and len(version) <= _VERSION_DIGITS:
                values[EXPECTED_VERSION] = int(version)
            elif version:
                faults.append(f"{VERSION}: must be a whole number, as it was exported")
        for column in self.columns:
            if column.position >= len(row.cells) or column.position in row.unreadable:
                continue  # spreadsheets leave out empty cells at the end: that is no wish to clear
            cell = row.cells[column.position]
            if column.field.type == "boolean":
                word = fold(unescape(cell)).strip()
                if word and word not in self._words:
                    faults.append(f"{column.field.key}: must be true or false")
                    continue
                value: object = self._words.get(word)
            else:
                value = _value(column, cell)
                if value is None and column.field.key == INSTRUCTIONS and self.id_of(row):
                    value = ""  # of what was exported, that is the empty text
            if persona_id or value not in (None, []):
                values[column.field.key] = value
        unread = {column.field.key for column in self.columns if column.position in row.unreadable}
        return Item(operation, values, faults, unread)

    def _own(self, position: int | None, row: Row) -> str:
        """Return the text that a row has in one of the columns that are no fields."""
        if position is None or position >= len(row.cells):
            return ""
        return unescape(row.cells[position]).strip()

    def _misfit(self, row: Row) -> str | None:
        """Return the reason why a row cannot be one of this file, or None."""
        if any(map(str.strip, row.cells[self.width :])):
            return f"has {len(row.cells)} cells, and the header names {self.width}: is a text not quoted?"
        if row.fault is not None:
            return row.fault
        for position in self._nameless:
            if position < len(row.cells) and row.cells[position].strip():
                return f"cell {position + 1} has a value, and its column has no name"
        return None

    def in_own_form(self, row: Row) -> Row:
        """Return the row with its lists joined by ``|``, whatever else they were joined by."""
        cells = list(row.cells)
        for column in self.columns:
            if column.separator == "," and column.position < len(cells):
                cells[column.position] = escape(join_list(_parts(column.separator, cells[column.position])))
        return row._replace(cells=cells)

    def told(self) -> Iterator[tuple[str, str]]:
        """Yield each field that has a column, and the form of its cells."""
        for column in self.columns:
            joined = {None: "", ",": "list, joined by commas", _BAR: "list, joined by |"}[column.separator]
            yield column.field.key, joined or column.field.type


def _value(column: _Column, cell: str) -> object:
    if column.separator is not None:
        return _parts(column.separator, cell)
    text = unescape(cell)
    return text if text.strip() else None


def _parts(separator: str, cell: str) -> list[str]:
    text = unescape(cell)
    parts = split_list(text) if separator == _BAR else text.split(separator)
    return [part.strip() for part in parts if part.strip()]


def fields_in(search: Mapping[str, object]) -> list[Field]:
    """Return the ``import_fields`` of an answer of search."""
    listed = search.get("import_fields")
    return [Field.model_validate(each) for each in listed] if isinstance(listed, Sequence) else []
