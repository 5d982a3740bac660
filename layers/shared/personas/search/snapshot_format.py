"""The bytes of a snapshot: an index as one object in S3, and back. Pure, and never pickle.

Layout: magic, the CRC-32 of all that follows it, the format version, the length of the header, the header (deflated
JSON), then the sections one behind the other, as the header lists them. A section is packed in one of these ways:

* ``planes``: numbers, first the lowest byte of each, then the next of each, and so on, then deflated. High bytes are
  mostly zeros, and zeros next to zeros are soon unpacked. ``steps`` are the same of the differences between numbers.
  Little-endian, as both of Lambda's processors are.
* ``plain``: ids are random bytes, and bitmaps nearly so; to deflate them takes time and saves nothing.
* ``deflated``: as zlib has it, by ISA-L, which unpacks twice as fast as zlib and packs four times as fast.
* Changes since the columns were written may lie beside them, as rows. To write them costs next to nothing, to
  rewrite the columns a second at 100,000 personas; a reader takes the rows in one by one, so they are few.
* Texts lie in portions, the written and the folded ones of a few docs in turns: a folded text repeats most of the
  written one, and this near to it that costs next to nothing.

A checksum finds damage, not forgery: anyone who may write the bucket may write a snapshot.
"""

import json
import struct
import unicodedata
from array import array
from collections.abc import Buffer, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub
from typing import Final, Literal, NamedTuple, TypedDict

from pyroaring import BitMap

from personas.search.documents import SavedColumns, Tombstone
from personas.search.index import Delta, Index
from personas.search.object_format import (
    SnapshotDamaged,
    SnapshotVersionUnknown,
    checksum_of,
    deflate,
    inflate,
    pack_numbers,
    unpack_numbers,
)

type Packing = Literal["plain", "deflated", "planes", "steps"]

FORMAT_VERSION: Final = 2
"""Raised with every change of this layout, of `PersonaRow` or of how texts are folded."""

_MAGIC: Final = b"PERSONAS"
_CHECKSUM: Final = struct.Struct("<I")
_VERSION: Final = struct.Struct("<HI")
_DELTA_SHARE: Final = 100
"""Up to one change on so many personas is left beside the base. To take in 1,000 of them costs a reader some 50 ms."""
_CHANGING: Final = frozenset(("late", "tombstones"))
"""The sections that are not the base's: the delta, which is stored as "late", and the tombstones."""
_PORTION: Final = 8192
_TURN: Final = 64


class _Header(TypedDict):
    unicode: str
    watermark: str
    metadata: dict[str, str]
    size: int
    arrays: dict[str, str]
    strings: list[str]
    bitmaps: list[str]
    sections: list[tuple[str, Packing, int]]


class _Section(NamedTuple):
    name: str
    packing: Packing
    stored: bytes | memoryview


class Base(NamedTuple):
    """The columns of an index as they are stored."""

    header: _Header
    sections: list[_Section]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index as it was at a watermark of the change feed.

    ``base`` is what the index was made of. With it, `encode` writes only what has changed since.
    """

    index: Index
    watermark: str
    base: Base | None = None


# ---- Writing ------------------------------------------------------------------------------------------------------


def encode(snapshot: Snapshot) -> bytes:
    """Return the bytes of a snapshot. The same index, built in the same way, gives the same bytes."""
    index, base = snapshot.index, snapshot.base
    if base is None or index.bases or index.changes * _DELTA_SHARE > base.header["size"]:
        base = _base(index.to_columns())
    delta = index.delta()
    sections = [
        *base.sections,
        _Section("late", "deflated", _json((list(delta.gone), delta.rows))),
        _Section("tombstones", "deflated", _json(index.tombstones)),
    ]
    header: _Header = {
        **base.header,
        "watermark": snapshot.watermark,
        "sections": [(section.name, section.packing, len(section.stored)) for section in sections],
    }
    packed = deflate(json.dumps(header, separators=(",", ":")).encode())
    parts = [_VERSION.pack(FORMAT_VERSION, len(packed)), packed, *(section.stored for section in sections)]
    return b"".join((_MAGIC, _CHECKSUM.pack(checksum_of(*parts)), *parts))


def _json(value: object) -> bytes:
    return deflate(json.dumps(value).encode())


def _base(saved: SavedColumns) -> Base:
    header: _Header = {
        "unicode": unicodedata.unidata_version,
        "watermark": "",
        "metadata": {},
        "size": saved.size,
        "arrays": {name: column.typecode for name, column in saved.arrays.items()},
        "strings": list(saved.strings),
        "bitmaps": list(saved.bitmaps),
        "sections": [],
    }
    return Base(header, list(_sections(saved)))


def _sections(saved: SavedColumns) -> Iterator[_Section]:
    for name, column in saved.arrays.items():
        if name.endswith(".starts"):
            # The first one is always 0.
            yield _Section(name, "steps", pack_numbers(array(column.typecode, map(sub, column[1:], column))))
        elif column.itemsize > 1:
            yield _Section(name, "planes", pack_numbers(column))
        elif name == "flags":
            yield _Section(name, "deflated", deflate(column))
        else:
            yield _Section(name, "plain", column.tobytes())
    for name, strings in saved.strings.items():
        yield _Section(f"{name}.strings", "deflated", _json(strings))
    for name, bitmaps in saved.bitmaps.items():
        serialized = [bitmap.serialize() for bitmap in bitmaps]
        yield _Section(f"{name}.bitmaps", "plain", b"".join(serialized))
        yield _Section(f"{name}.bitmaps.starts", "steps", pack_numbers(array("I", map(len, serialized))))
    if saved.words is not None:
        yield _Section("words", "deflated", deflate(saved.words))
    written_starts, folded_starts = saved.arrays["written.starts"], saved.arrays["folded.starts"]
    for first in range(0, saved.size, _PORTION):
        texts = [
            text[starts[start] : starts[stop]]
            for start, stop in _turns(first, saved.size)
            for text, starts in ((saved.written, written_starts), (saved.folded, folded_starts))
        ]
        yield _Section(f"texts.{first}", "deflated", deflate(b"".join(texts)))


def _turns(first: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the runs of docs of the portion that starts at ``first``."""
    last = min(first + _PORTION, size)
    for start in range(first, last, _TURN):
        yield start, min(start + _TURN, last)


# ---- Reading ------------------------------------------------------------------------------------------------------


def decode(data: Buffer) -> Snapshot:
    """Return the snapshot that these bytes are.

    Raises:
        SnapshotDamaged: they are not what `encode` gave.
        SnapshotVersionUnknown: another version of this service, or of Python's Unicode tables, gave them.
    """
    view = memoryview(data)
    start = len(_MAGIC) + _CHECKSUM.size
    if len(view) < start + _VERSION.size or bytes(view[: len(_MAGIC)]) != _MAGIC:
        raise SnapshotDamaged("these bytes are no snapshot")
    if _CHECKSUM.unpack_from(view, len(_MAGIC)) != (checksum_of(view[start:]),):
        raise SnapshotDamaged("the checksum of the snapshot is not that of its contents")
    version, length = _VERSION.unpack_from(view, start)
    if version != FORMAT_VERSION:
        raise SnapshotVersionUnknown(f"the snapshot has format {version}, only {FORMAT_VERSION} is known here")
    start += _VERSION.size
    try:
        header: _Header = json.loads(inflate(view[start : start + length]))
        if header["unicode"] != unicodedata.unidata_version:
            # Other tables of Unicode fold otherwise: texts that are equal now may not have been.
            raise SnapshotVersionUnknown(f"the snapshot was folded with Unicode {header['unicode']}")
        sections = _split(view[start + length :], header["sections"])
        gone, rows = json.loads(inflate(sections["late"]))
        index = Index(_saved_columns(header, sections), Delta(gone, rows))
        return Snapshot(index, header["watermark"], _stored_base(header, sections))
    except (SnapshotDamaged, SnapshotVersionUnknown):
        raise
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise SnapshotDamaged("the contents of the snapshot do not fit together") from error


def _stored_base(header: _Header, sections: Mapping[str, memoryview]) -> Base:
    names = ((name, packing) for name, packing, _ in header["sections"] if name not in _CHANGING)
    return Base(header, [_Section(name, packing, sections[name]) for name, packing in names])


def _split(view: memoryview, sections: Sequence[tuple[str, Packing, int]]) -> dict[str, memoryview]:
    ends = list(accumulate((length for _, _, length in sections), initial=0))
    if ends[-1] != len(view):
        raise SnapshotDamaged("the snapshot is longer or shorter than its sections")
    return {name: view[ends[at] : ends[at + 1]] for at, (name, _, _) in enumerate(sections)}


def _saved_columns(header: _Header, sections: Mapping[str, memoryview]) -> SavedColumns:
    packings = {name: packing for name, packing, _ in header["sections"]}
    arrays = {name: _column(typecode, packings[name], sections[name]) for name, typecode in header["arrays"].items()}
    bitmaps: dict[str, list[BitMap]] = {}
    for name in header["bitmaps"]:
        data, starts = bytes(sections[f"{name}.bitmaps"]), _column("I", "steps", sections[f"{name}.bitmaps.starts"])
        bitmaps[name] = list(map(BitMap.deserialize, (data[a:b] for a, b in pairwise(starts))))
    texts: tuple[list[bytes], list[bytes]] = ([], [])
    for first in range(0, header["size"], _PORTION):
        portion, at = inflate(sections[f"texts.{first}"]), 0
        for start, stop in _turns(first, header["size"]):
            for parts, starts in zip(texts, (arrays["written.starts"], arrays["folded.starts"]), strict=True):
                length = starts[stop] - starts[start]
                parts.append(portion[at : at + length])
                at += length
    written = b"".join(texts[0])
    texts[0].clear()  # at a million personas, the two together are a quarter of a gigabyte
    folded = b"".join(texts[1])
    return SavedColumns(
        size=header["size"],
        arrays=arrays,
        strings={name: json.loads(inflate(sections[f"{name}.strings"])) for name in header["strings"]},
        bitmaps=bitmaps,
        folded=folded,
        written=written,
        words=inflate(sections["words"]) if "words" in sections else None,
        tombstones=[Tombstone(*each) for each in json.loads(inflate(sections["tombstones"]))],
    )


def _column(typecode: str, packing: Packing, stored: memoryview) -> array[int]:
    column = array(typecode)
    match packing:
        case "plain":
            column.frombytes(stored)
        case "deflated":
            column.frombytes(inflate(stored))
        case "planes" | "steps":
            column = unpack_numbers(typecode, stored)
            if packing == "steps":
                return array(typecode, accumulate(column, initial=0))
    return column
