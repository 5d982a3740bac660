"""What the columns of a file stand for, and what its rows ask of the service."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel

from personas.domain.cells import escape, join_list, split_list, unescape
from personas.domain.folding import fold
from personas_tools.importer.csv_file import REASON, CsvFile, FileError, Row

PERSONA_ID: Final = "persona_id"
_BAR: Final = "|"
_SWITCH: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

type Operation = Literal["create", "update"]


class Field(BaseModel):
    """A column that the service can import, of ``import_fields``; what it says besides is passed over."""

    key: str
    label: str
    required: bool = False
    multi: bool = False
    type: str = "string"


class RowError(Exception):
    """A row that cannot be sent; the message is the reason."""


class Item(NamedTuple):
    """What a row asks for: the values as the operation takes them, ``persona_id`` among them in an update."""

    operation: Operation
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Column:
    position: int
    field: Field
    separator: str | None
    """What lists in it are joined by; None where its cells are single values."""


def name_of(header: str) -> str:
    """A column's name without regard to case, spaces for underscores and spaces around it."""
    return fold(header).strip().replace(" ", "_")


def names_of(fields: Iterable[Field]) -> dict[str, Field]:
    """The fields by every name that a column for them may have: their key and their label."""
    return {name: field for field in fields for name in (name_of(field.label), name_of(field.key))}


class Columns:
    """The columns of a file, matched with the fields of the service by key or label.

    ``lists`` says what joins them: "|" or ",". Unless it does, that is ``|``, and a comma in a column without any ``|``
    of a file that is new. A file with persona ids or reasons comes from `export` or from an import: it has ``|`` only,
    and a comma in it is part of a text.

    Raises:
        FileError: a column is unknown, there twice, or needed and not there.
    """

    def __init__(
        self,
        file: CsvFile,
        fields: Sequence[Field],
        *,
        update: bool,
        skipped: Collection[str] = (),
        lists: str | None = None,
    ) -> None:
        self.update = update
        self.width = len(file.header)
        self.id_at: int | None = None
        self._nameless: list[int] = []
        passed_over = {name_of(each) for each in skipped}
        known = names_of(fields)
        places: dict[str, tuple[int, Field]] = {}
        for position, header in enumerate(file.header):
            name = name_of(header)
            if not name:
                self._nameless.append(position)
            elif name == PERSONA_ID and self.id_at is None:
                self.id_at = position
            elif name in passed_over or name == REASON:
                continue
            elif name not in known:
                raise FileError(
                    f"{file.path} has a column {header!r}, which cannot be imported. --skip leaves it out. "
                    f"Known are: {', '.join([PERSONA_ID, *(field.key for field in fields)])}."
                )
            elif places.setdefault(known[name].key, (position, known[name]))[0] != position:
                raise FileError(f"{file.path} has two columns for {known[name].key}.")
        missing = [field.key for field in fields if field.required and field.key not in places]
        if missing and not update:
            raise FileError(f"{file.path} lacks what every persona needs: {', '.join(missing)}.")
        if update and self.id_at is None:
            raise FileError(f"{file.path} has no column {PERSONA_ID}: --update takes from it which personas to change.")

        self.rows = 0
        self.ids = 0
        with_bars: set[int] = set()
        for row in file.rows():
            self.rows += 1
            self.ids += bool(self.id_of(row))
            with_bars.update(position for position, cell in enumerate(row.cells) if _BAR in cell)
        comes_back = self.id_at is not None or REASON in map(name_of, file.header)
        self.columns = tuple(
            _Column(at, field, (lists or (_BAR if comes_back or at in with_bars else ",")) if field.multi else None)
            for at, field in places.values()
        )

    @property
    def reading(self) -> str:
        """How the file is read: the same for two readings that make the same of each row."""
        parts = [f"{column.field.key}@{column.position}{column.separator or ''}" for column in self.columns]
        return " ".join(["update" if self.update else "create", *parts])

    def id_of(self, row: Row) -> str:
        """The persona that a row names, or nothing."""
        if self.id_at is None or self.id_at >= len(row.cells):
            return ""
        return unescape(row.cells[self.id_at]).strip()

    def item(self, row: Row) -> Item:
        """What a row asks for. An empty cell gives nothing to a new persona, and clears a field of a changed one.

        Raises:
            RowError: it does not fit the header, or a cell is not what its column holds.
        """
        if any(map(str.strip, row.cells[self.width :])):
            raise RowError(f"has {len(row.cells)} cells, and the header names {self.width}: is a text not quoted?")
        if row.cut_off:
            raise RowError(f"the file ends within this row, after {len(row.cells)} of {self.width} cells")
        for position in self._nameless:
            if position < len(row.cells) and row.cells[position].strip():
                raise RowError(f"cell {position + 1} has a value, and its column has no name")
        persona_id = self.id_of(row) if self.update else ""
        values: dict[str, object] = {PERSONA_ID: persona_id} if persona_id else {}
        for column in self.columns:
            if column.position >= len(row.cells):
                continue  # spreadsheets leave out empty cells at the end: that is no wish to clear
            value = _value(column, row.cells[column.position])
            if value or value is False or persona_id:
                values[column.field.key] = value
        return Item("update" if persona_id else "create", values)

    def in_own_form(self, row: Row) -> Row:
        """The row with its lists joined by ``|``, whatever else they were joined by."""
        cells = list(row.cells)
        for column in self.columns:
            if column.separator == "," and column.position < len(cells):
                cells[column.position] = escape(join_list(_parts(column.separator, cells[column.position])))
        return row._replace(cells=cells)

    def told(self) -> Iterator[tuple[str, str]]:
        """Each field that has a column, and how its cells are read."""
        for column in self.columns:
            joined = {None: "", ",": "list, joined by commas", _BAR: "list, joined by |"}[column.separator]
            yield column.field.key, joined or column.field.type


def _value(column: _Column, cell: str) -> object:
    if column.separator is not None:
        return _parts(column.separator, cell)
    text = unescape(cell)
    if column.field.type != "boolean":
        return text if text.strip() else None
    word = fold(text).strip()
    if word and word not in _SWITCH:
        raise RowError(f"{column.field.key}: must be true or false")
    return _SWITCH.get(word)


def _parts(separator: str, cell: str) -> list[str]:
    text = unescape(cell)
    parts = split_list(text) if separator == _BAR else text.split(separator)
    return [part.strip() for part in parts if part.strip()]


def fields_in(search: Mapping[str, object]) -> list[Field]:
    """The ``import_fields`` of an answer of search."""
    listed = search.get("import_fields")
    return [Field.model_validate(each) for each in listed] if isinstance(listed, Sequence) else []
