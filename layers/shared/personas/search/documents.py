"""The rows of an index as columns by doc, and the columns that a snapshot stores of them."""

import struct
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final, NamedTuple

from pyroaring import BitMap

from personas.search.columns import Ragged, Runs, Single, Starts, bytes_of, gathered
from personas.search.options import Labelled, Options
from personas.search.queries import FACET_KEYS
from personas.search.rows import (
    GENERATED,
    HAS_CREATED,
    HAS_DESCRIPTION,
    HAS_DESCRIPTION_ID,
    HAS_NAME_ID,
    HAS_UPDATED,
    ID_BYTES,
    MANY_KEYS,
    MCP,
    SINGLE_KEYS,
    Cells,
    ListedRow,
    PersonaRow,
    time_of,
    unpacked,
)
from personas.search.text_search import BaseTexts, TextRun, Texts, WordDocs, Words

_FIXED_COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    "id": ("B", ID_BYTES),
    "name_id": ("B", ID_BYTES),
    "description_id": ("B", ID_BYTES),
    "seq": ("Q", 1),
    "flags": ("B", 1),
    "profiles": ("I", 1),
    "created": ("q", 1),
    "updated": ("q", 1),
}
_RAGGED: Final = ("examples", *MANY_KEYS)
_COUNTED_KEYS: Final = frozenset(FACET_KEYS.values())
_LABELLED_KEY: Final = "ii"


class Tombstone(NamedTuple):
    """A deleted persona, the seq of its deletion, and when it may be forgotten, in unix seconds."""

    id: str
    seq: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class SavedColumns:
    """All rows of an index as plain columns, without a delta, and its tombstones.

    ``starts`` say where each doc's part of an array starts, where a doc has any number of values. Texts and words may
    still lie where they are stored.
    """

    size: int
    arrays: dict[str, array[int]]
    starts: dict[str, Starts]
    strings: dict[str, list[str]]
    bitmaps: dict[str, list[BitMap]]
    texts: BaseTexts
    words: Words | None
    tombstones: Sequence[Tombstone]

    @classmethod
    def empty(cls) -> "SavedColumns":
        """Return the columns of an index without personas."""
        arrays = {name: array(typecode) for name, (typecode, _) in _FIXED_COLUMNS.items()}
        arrays |= {key: array("I") for key in (*SINGLE_KEYS, *MANY_KEYS)} | {"examples": array("B")}
        return cls(
            size=0,
            arrays=arrays,
            starts={name: Starts(array("I")) for name in _RAGGED},
            strings={key: [""] for key in (*SINGLE_KEYS, *MANY_KEYS, f"{_LABELLED_KEY}.labels")},
            bitmaps={key: [BitMap()] for key in _COUNTED_KEYS},
            texts=BaseTexts.of(TextRun.none()),
            words=Words.of(WordDocs.none()),
            tombstones=[],
        )

    def fit(self) -> bool:
        """Tell whether the columns have the lengths that go together."""
        arrays, starts, size = self.arrays, self.starts, self.size
        return (
            all(len(arrays[name]) == size * width for name, (_, width) in _FIXED_COLUMNS.items())
            and all(len(arrays[key]) == size for key in SINGLE_KEYS)
            and all(starts[name].docs == size and starts[name].end == len(arrays[name]) for name in _RAGGED)
            and all(len(self.bitmaps[key]) == len(self.strings[key]) for key in _COUNTED_KEYS)
            and len(self.texts) == size
        )


class Documents:
    """The rows of an index by doc: fixed columns, examples, texts and options."""

    def __init__(self, saved: SavedColumns) -> None:
        """Take over the columns of ``saved``: do not use them afterwards.

        Raises:
            KeyError: a column is missing.
            ValueError: a column has another length than the others.
        """
        if not saved.fit():
            raise ValueError("the columns do not fit together")
        arrays, starts = saved.arrays, saved.starts
        self.columns = {name: arrays[name] for name in _FIXED_COLUMNS}
        self._examples = Ragged(arrays["examples"], starts["examples"])
        self.texts = Texts(saved.texts, saved.words)
        self.options: dict[str, Options] = {}
        """The options by the keys of the rows."""
        for key in (*SINGLE_KEYS, *MANY_KEYS):
            cells = Single(arrays[key]) if key in SINGLE_KEYS else Ragged(arrays[key], starts[key])
            if key != _LABELLED_KEY:
                self.options[key] = Options(saved.strings[key], cells, saved.bitmaps.get(key))
                continue
            self.instructions = Labelled(saved.strings[key], cells, saved.bitmaps[key], saved.strings[f"{key}.labels"])
            self.options[key] = self.instructions
        self.end = saved.size
        """The doc that the next row gets."""

    def append(self, persona_key: bytes, seq: int, cells: Cells) -> bytes:
        """Add a row at ``end``, and return its folded name.

        Raises:
            OverflowError: the seq is none; nothing is changed.
        """
        columns = self.columns
        # Nothing has checked the seq, so it comes first: it can only fail before anything is changed.
        columns["seq"].append(seq)
        columns["id"].frombytes(persona_key)
        columns["name_id"].frombytes(cells.name_id)
        columns["description_id"].frombytes(cells.description_id)
        columns["flags"].append(cells.flags)
        columns["profiles"].append(cells.profiles)
        columns["created"].append(cells.created)
        columns["updated"].append(cells.updated)
        self._examples.append(array("B", cells.examples))
        for key, options in self.options.items():
            options.append(self.end, cells.ids[key])
        for instructions_id in cells.ids[_LABELLED_KEY]:
            self.instructions.label(instructions_id, cells.head)
        self.end += 1
        return self.texts.append(cells.name, cells.description)

    def take_out(self, doc: int) -> None:
        """Have a row counted no more."""
        for options in self.options.values():
            options.discard(doc)

    def gather(self, runs: Runs, in_use: BitMap) -> None:
        """Write the rows that are ``in_use``, which the ``runs`` bring into the order of the list, as a new base."""
        place = array("I", bytes(4 * self.end))
        size = 0
        for start, stop in runs:
            place[start:stop] = array("I", range(size, size + stop - start))
            size += stop - start
        self.columns = {name: gathered(self.columns[name], runs, _FIXED_COLUMNS[name][1]) for name in self.columns}
        self._examples.gather(runs)
        for options in self.options.values():
            options.gather(runs, place)
        self.texts = self.texts.gathered(runs, place, in_use)
        self.end = size

    def key_at(self, doc: int) -> bytes:
        """Return the 16 bytes of the id of the persona at a doc."""
        return self.columns["id"][ID_BYTES * doc : ID_BYTES * (doc + 1)].tobytes()

    def keys(self, docs: BitMap) -> dict[bytes, int]:
        """Return the docs by the ids of their personas."""
        keys = struct.Struct(f"{ID_BYTES}s" * self.end).unpack(self.columns["id"])
        found = dict(zip(keys, count(), strict=False))
        # Of a persona with several docs, the last is in use.
        for doc in BitMap(range(self.end)) - docs:
            if found.get(keys[doc]) == doc:
                del found[keys[doc]]
        return found

    def seq_at(self, doc: int) -> int:
        """Return the seq of the row at a doc."""
        return self.columns["seq"][doc]

    def order_at(self, doc: int) -> tuple[bytes, bytes]:
        """Return the folded name and the id at a doc of the base: the order of the list."""
        return self.texts.folded_name_at(doc), self.key_at(doc)

    def listed_at(self, doc: int) -> ListedRow:
        """Return the part of a row that a list shows."""
        columns, options = self.columns, self.options
        flags = columns["flags"][doc]
        name, description = self.texts.written_at(doc)
        return ListedRow(
            name=name,
            description=description if flags & HAS_DESCRIPTION else None,
            color_id=options["c"].id_at(doc),
            icon_id=options["i"].id_at(doc),
            active_flag_id=options["f"].id_at(doc),
            department_ids=tuple(options["dp"].ids_at(doc)),
            parameter_field_ids=tuple(options["pf"].ids_at(doc)),
            scenario_ids=tuple(options["sc"].ids_at(doc)),
            active_scenario_ids=tuple(options["as"].ids_at(doc)),
            num_profiles=columns["profiles"][doc],
            generated=bool(flags & GENERATED),
            mcp=bool(flags & MCP),
            updated_at=time_of(columns["updated"][doc]) if flags & HAS_UPDATED else None,
        )

    def row_at(self, doc: int) -> PersonaRow:
        """Return a whole row."""
        listed, columns, options = self.listed_at(doc), self.columns, self.options
        flags = columns["flags"][doc]
        ids = slice(ID_BYTES * doc, ID_BYTES * doc + ID_BYTES)
        examples = self._examples.at(doc).tobytes()
        return {
            "n": listed.name,
            "d": listed.description,
            "c": listed.color_id,
            "i": listed.icon_id,
            "f": listed.active_flag_id,
            "dp": list(listed.department_ids),
            "pf": list(listed.parameter_field_ids),
            "sc": list(listed.scenario_ids),
            "as": list(listed.active_scenario_ids),
            "np": listed.num_profiles,
            "g": listed.generated,
            "m": listed.mcp,
            "ut": listed.updated_at,
            "ni": unpacked(columns["name_id"][ids].tobytes()) if flags & HAS_NAME_ID else None,
            "di": unpacked(columns["description_id"][ids].tobytes()) if flags & HAS_DESCRIPTION_ID else None,
            "ii": options["ii"].id_at(doc),
            "ih": self.instructions.labels[self.instructions.cells.values[doc]],
            "ex": [unpacked(examples[at : at + ID_BYTES]) for at in range(0, len(examples), ID_BYTES)],
            "vo": options["vo"].ids_at(doc),
            "ct": time_of(columns["created"][doc]) if flags & HAS_CREATED else None,
        }

    def to_columns(self, tombstones: Sequence[Tombstone]) -> SavedColumns:
        """Return the rows, which must all be in the base, as columns. They are not copied, and change with the rows."""
        arrays = self.columns | {"examples": self._examples.values}
        starts = {"examples": self._examples.starts}
        strings: dict[str, list[str]] = {}
        bitmaps: dict[str, list[BitMap]] = {}
        for key, options in self.options.items():
            arrays[key] = options.cells.values
            if isinstance(options.cells, Ragged):
                starts[key] = options.cells.starts
            strings[key] = options.ids
            if options.bitmaps is not None:
                bitmaps[key] = options.bitmaps
        strings[f"{_LABELLED_KEY}.labels"] = self.instructions.labels
        return SavedColumns(
            size=self.end,
            arrays=arrays,
            starts=starts,
            strings=strings,
            bitmaps=bitmaps,
            texts=self.texts.base_texts,
            words=self.texts.words,
            tombstones=tombstones,
        )

    def size_bytes(self) -> int:
        """Return about how many bytes of memory the rows take."""
        columns = bytes_of(self.columns.values()) + self._examples.size_bytes()
        return columns + sum(each.size_bytes() for each in self.options.values()) + self.texts.size_bytes()
