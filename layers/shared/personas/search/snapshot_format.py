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
  written one, and this near to it that costs next to nothing. A portion is inflated when one of its docs is shown or
  looked into, the words when a text is looked for: a third of what there is, of which many searches need little.

A checksum finds damage, not forgery: anyone who may write the bucket may write a snapshot.
"""

import struct
import unicodedata
from array import array
from collections.abc import Buffer, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from operator import sub
from typing import Final, Literal, NamedTuple, TypedDict

from pydantic_core import from_json, to_json
from pyroaring import BitMap

from personas.search.columns import Starts
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
from personas.search.text_search import BaseTexts, Corpus, TextRun, WordDocs, Words

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
_WORD_SECTIONS: Final = ("words", "words.starts", "words.bitmaps", "words.bitmaps.starts")
_LOADED_LATER: Final = frozenset(("written.starts", "folded.starts", "words.starts"))
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
    packed = _json(header)
    parts = [_VERSION.pack(FORMAT_VERSION, len(packed)), packed, *(section.stored for section in sections)]
    return b"".join((_MAGIC, _CHECKSUM.pack(checksum_of(*parts)), *parts))


def _json(value: object) -> bytes:
    return deflate(to_json(value))


def _base(saved: SavedColumns) -> Base:
    texts, words = saved.texts.whole(), saved.words and saved.words.taken_in()
    arrays = saved.arrays | {f"{name}.starts": starts.whole() for name, starts in saved.starts.items()}
    arrays |= {"written.starts": texts.written.starts, "folded.starts": texts.folded.starts}
    bitmaps = saved.bitmaps
    if words:
        arrays, bitmaps = arrays | {"words.starts": words.corpus.starts}, bitmaps | {"words": words.bitmaps}
    header: _Header = {
        "unicode": unicodedata.unidata_version,
        "watermark": "",
        "metadata": {},
        "size": saved.size,
        "arrays": {name: column.typecode for name, column in arrays.items()},
        "strings": list(saved.strings),
        "bitmaps": list(bitmaps),
        "sections": [],
    }
    sections = [*_arrays(arrays), *_strings(saved.strings), *_bitmaps(bitmaps)]
    if words:
        sections.append(_Section("words", "deflated", deflate(words.corpus.joined)))
    return Base(header, [*sections, *_texts(texts)])


def _arrays(arrays: Mapping[str, array[int]]) -> Iterator[_Section]:
    for name, column in arrays.items():
        if name.endswith(".starts"):
            # The first one is always 0.
            yield _Section(name, "steps", pack_numbers(array(column.typecode, map(sub, column[1:], column))))
        elif column.itemsize > 1:
            yield _Section(name, "planes", pack_numbers(column))
        elif name == "flags":
            yield _Section(name, "deflated", deflate(column))
        else:
            yield _Section(name, "plain", column.tobytes())


def _strings(strings: Mapping[str, list[str]]) -> Iterator[_Section]:
    for name, values in strings.items():
        yield _Section(f"{name}.strings", "deflated", _json(values))


def _bitmaps(bitmaps: Mapping[str, list[BitMap]]) -> Iterator[_Section]:
    for name, values in bitmaps.items():
        serialized = [bitmap.serialize() for bitmap in values]
        yield _Section(f"{name}.bitmaps", "plain", b"".join(serialized))
        yield _Section(f"{name}.bitmaps.starts", "steps", pack_numbers(array("I", map(len, serialized))))


def _texts(texts: TextRun) -> Iterator[_Section]:
    size = len(texts.folded)
    for first in range(0, size, _PORTION):
        turns = [
            corpus.joined[corpus.starts[start] : corpus.starts[stop]]
            for start, stop in _turns(first, min(first + _PORTION, size))
            for corpus in texts
        ]
        yield _Section(f"texts.{first}", "deflated", deflate(b"".join(turns)))


def _turns(first: int, last: int) -> Iterator[tuple[int, int]]:
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
        header: _Header = from_json(inflate(view[start : start + length]))
        if header["unicode"] != unicodedata.unidata_version:
            # Other tables of Unicode fold otherwise: texts that are equal now may not have been.
            raise SnapshotVersionUnknown(f"the snapshot was folded with Unicode {header['unicode']}")
        sections = _split(view[start + length :], header["sections"])
        gone, rows = from_json(inflate(sections["late"]))
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
    return SavedColumns(
        size=header["size"],
        arrays={
            name: _column(typecode, packings[name], sections[name])
            for name, typecode in header["arrays"].items()
            if packings[name] != "steps"
        },
        starts={
            name.removesuffix(".starts"): Starts(unpack_numbers("I", sections[name]))
            for name in header["arrays"]
            if packings[name] == "steps" and name not in _LOADED_LATER
        },
        strings={name: from_json(inflate(sections[f"{name}.strings"])) for name in header["strings"]},
        bitmaps={name: _stored_bitmaps(name, sections) for name in header["bitmaps"] if name != "words"},
        texts=_stored_texts(header["size"], sections),
        words=_stored_words(sections) if "words" in sections else None,
        tombstones=[Tombstone(*each) for each in from_json(inflate(sections["tombstones"]))],
    )


def _stored_bitmaps(name: str, sections: Mapping[str, Buffer]) -> list[BitMap]:
    data, starts = bytes(sections[f"{name}.bitmaps"]), _starts(sections[f"{name}.bitmaps.starts"])
    return list(map(BitMap.deserialize, (data[a:b] for a, b in pairwise(starts))))


def _stored_words(sections: Mapping[str, memoryview]) -> Words:
    own = {name: sections[name] for name in _WORD_SECTIONS}

    def load() -> WordDocs:
        words = WordDocs(Corpus(inflate(own["words"]), _starts(own["words.starts"])), _stored_bitmaps("words", own))
        if len(words.corpus) != len(words.bitmaps) or words.corpus.starts[-1] != len(words.corpus.joined):
            raise SnapshotDamaged("the words of the snapshot do not fit together")
        return words

    return Words(load)


def _stored_texts(size: int, sections: Mapping[str, memoryview]) -> BaseTexts:
    lengths = [unpack_numbers("I", sections[f"{name}.starts"]) for name in TextRun._fields]
    if any(len(each) != size for each in lengths):
        raise SnapshotDamaged("the snapshot has other texts than personas")
    # Views of all the bytes, which stay in memory with them: to copy what is loaded later takes longer than all else.
    stored = [sections[f"texts.{first}"] for first in range(0, size, _PORTION)]
    held = sum(map(len, sections.values()))

    def load(number: int, portion: Buffer) -> TextRun:
        content = inflate(portion)
        own = slice(number * _PORTION, (number + 1) * _PORTION)
        starts = [array("I", accumulate(each[own], initial=0)) for each in lengths]
        turns: list[list[bytes]] = [[], []]
        at = 0
        for start, stop in _turns(0, len(starts[0]) - 1):
            for begins, parts in zip(starts, turns, strict=True):
                length = begins[stop] - begins[start]
                parts.append(content[at : at + length])
                at += length
        if at != len(content):
            raise SnapshotDamaged("a portion of texts is longer or shorter than its texts")
        return TextRun(*map(Corpus, map(b"".join, turns), starts))

    return BaseTexts(size, _PORTION, stored, held, load)


def _column(typecode: str, packing: Packing, stored: Buffer) -> array[int]:
    column = array(typecode)
    match packing:
        case "plain":
            column.frombytes(stored)
        case "deflated":
            column.frombytes(inflate(stored))
        case "planes" | "steps":
            return unpack_numbers(typecode, stored)
    return column


def _starts(steps: Buffer) -> array[int]:
    return array("I", accumulate(unpack_numbers("I", steps), initial=0))
