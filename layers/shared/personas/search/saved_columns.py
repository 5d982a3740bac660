"""An index as plain columns, and what has changed since they were written: what a snapshot stores of it."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pyroaring import BitMap

from personas.search.facets import FACET_KEYS
from personas.search.rows import ID_BYTES, MANY_KEYS, SINGLE_KEYS, PersonaRow

FIXED_COLUMNS: Final[Mapping[str, tuple[str, int]]] = {
    "id": ("B", ID_BYTES),
    "name_id": ("B", ID_BYTES),
    "description_id": ("B", ID_BYTES),
    "seq": ("Q", 1),
    "flags": ("B", 1),
    "profiles": ("I", 1),
    "created": ("q", 1),
    "updated": ("q", 1),
}
COUNTED_KEYS: Final = frozenset(FACET_KEYS.values())
LABELLED_KEY: Final = "ii"


@dataclass(frozen=True, slots=True)
class SavedColumns:
    """All that an index holds, as plain columns: what a snapshot stores. The base is all there is, the delta is empty.

    ``arrays`` named ``x.starts`` hold where each doc's part of ``x`` starts, and where the last one ends.
    """

    size: int
    arrays: dict[str, array[int]]
    strings: dict[str, list[str]]
    bitmaps: dict[str, list[BitMap]]
    folded: bytes
    written: bytes
    words: bytes | None
    tombstones: list[tuple[str, int, int]]

    def fits(self) -> bool:
        """Whether the columns have the lengths that go together."""
        arrays, size = self.arrays, self.size
        ragged: dict[str, Sequence[int]] = {"folded": self.folded, "written": self.written}
        ragged |= {name: arrays[name] for name in ("examples", *MANY_KEYS)}
        return (
            all(len(arrays[name]) == size * width for name, (_, width) in FIXED_COLUMNS.items())
            and all(len(arrays[key]) == size for key in SINGLE_KEYS)
            and all(len(arrays[f"{name}.starts"]) == size + 1 for name in ragged)
            and all(arrays[f"{name}.starts"][-1] == len(values) for name, values in ragged.items())
            and all(len(self.bitmaps[key]) == len(self.strings[key]) for key in COUNTED_KEYS)
            and (self.words is None or len(arrays["words.starts"]) == len(self.bitmaps["words"]) + 1)
        )


@dataclass(frozen=True, slots=True)
class Delta:
    """What has changed since a base was written: the docs of it that are ``gone``, and new rows with ids and seqs."""

    gone: Sequence[int] = ()
    rows: Sequence[tuple[str, int, PersonaRow]] = ()


def nothing() -> SavedColumns:
    """What an empty index holds."""
    arrays = {name: array(typecode) for name, (typecode, _) in FIXED_COLUMNS.items()}
    arrays |= {key: array("I") for key in (*SINGLE_KEYS, *MANY_KEYS)} | {"examples": array("B")}
    ragged = ("folded", "written", "words", "examples", *MANY_KEYS)
    return SavedColumns(
        size=0,
        arrays=arrays | {f"{name}.starts": array("I", (0,)) for name in ragged},
        strings={key: [""] for key in (*SINGLE_KEYS, *MANY_KEYS, f"{LABELLED_KEY}.labels")},
        bitmaps={key: [BitMap()] for key in COUNTED_KEYS} | {"words": []},
        folded=b"",
        written=b"",
        words=b"",
        tombstones=[],
    )
