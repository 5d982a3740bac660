"""The view ``personas_export``: whole personas in S3, so that an export does not read the table.

A *manifest* lists immutable *segments*. The first one, the base, holds the personas of the group; each of those behind
it holds what has changed since: personas, and the ids of deleted ones. Of a persona in several segments, the record
with the highest ``seq`` is true. So a refresh writes no more than what has changed, until the changes are so many that
they are merged (`DELTA_SHARE`, `SEGMENTS_MAX`).

A segment is a row of blocks in the order of the ids, each deflated by itself. The manifest has the place, the first id
and the checksum of each. So a reader takes one block after the other from each segment, and holds no more than that
however large the group is; one who wants a few personas takes the blocks that they lie in.

Nothing here knows AWS: objects are fetched and stored by functions that are handed in.
"""

import heapq
import json
from bisect import bisect_left
from collections.abc import Buffer, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from personas.contract.persona_fields import FIELDS, FIELDS_VERSION, LinkField
from personas.contract.views import EXPORT
from personas.domain.persona import Persona
from personas.search.object_format import SnapshotDamaged, checksum_of, deflate, inflate, seal, unseal

type Fetch = Callable[[str, int, int], bytes | None]
"""So many bytes of an object from an offset on, by its key; None where there is no such object."""
type Store = Callable[[Iterable[bytes]], str]
"""Stores the parts, one behind the other, as one object; its key."""

EXPORT_VIEW: Final = EXPORT.name
FORMAT_VERSION: Final = FIELDS_VERSION
"""Raised by one more with every change of this layout but that of the fields."""

BLOCK_ENTRIES: Final = 500
BLOCK_BYTES: Final = 1024 * 1024
"""A block is closed at so many personas, or at so many bytes of JSON: texts of a persona may be 256 KB."""
READ_AHEAD: Final = 2 * 1024 * 1024
"""Blocks are fetched together up to so many bytes: a request to S3 waits some 20 ms, as long as 1 to 2 MB take."""

DELTA_SHARE: Final = 0.25
"""With more changes than this share of the base, all becomes a new base.

A reader then reads at most a quarter more than it needs, and a persona is written at most five times in all: once as a
change, and once more with every quarter that changes.
"""
SEGMENTS_MAX: Final = 16
"""With so many segments, the changes become one: a reader waits for one request a segment before its first persona
(16 times 20 ms) and holds a block of each. The base, which is most of it, stays as it is."""

_MAGIC: Final = b"PEXPORTS"
_GONE: Final = 2
"""The length of the record of a deleted persona: its id and the seq of its deletion."""

type Record = list[Any]
"""A persona as it is stored: id, seq, version, fields, and what no file shows. Of a deleted one id and seq alone."""
type _Ranked = tuple[str, int, int, Record]
"""A record with what it is merged by: id, then the highest seq first, then the newest segment first."""


class Entry(NamedTuple):
    """The state of a persona as of ``seq``; None: it is deleted."""

    id: str
    seq: int
    persona: Persona | None


class Block(NamedTuple):
    """A block of a segment: the least id in it, how many entries it has, its bytes and their CRC-32."""

    first: str
    entries: int
    length: int
    checksum: int


@dataclass(frozen=True, slots=True)
class Segment:
    """An object of blocks, which lie in it one behind the other."""

    key: str
    blocks: tuple[Block, ...]

    @property
    def entries(self) -> int:
        """The number of personas and deletions that it holds."""
        return sum(block.entries for block in self.blocks)

    @property
    def length(self) -> int:
        """The number of bytes that the object has."""
        return sum(block.length for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The segments of a group: the base, then changes, from the oldest to the newest."""

    segments: tuple[Segment, ...] = ()

    @property
    def keys(self) -> frozenset[str]:
        """The objects that it needs."""
        return frozenset(segment.key for segment in self.segments)


# ---- Reading -----------------------------------------------------------------------------------------------------


def lookup(manifest: Manifest, wanted: Sequence[str] | None, fetch: Fetch) -> Iterator[Record]:
    """Yield those of the ``wanted`` personas (None: all) that exist. Ids and records come in their order, each once.

    Only the blocks that they can lie in are fetched, and no more than some of those is held at a time.

    Raises:
        SnapshotDamaged: a segment is missing, or not what was written.
    """
    return _living(_newest(_ranked(manifest.segments, fetch, wanted)))


def _ranked(segments: Sequence[Segment], fetch: Fetch, wanted: Sequence[str] | None) -> list[Iterator[_Ranked]]:
    return [_records(segment, -number, fetch, wanted) for number, segment in enumerate(segments)]


def _records(segment: Segment, rank: int, fetch: Fetch, wanted: Sequence[str] | None) -> Iterator[_Ranked]:
    """Yield the records that a segment holds of the ``wanted`` (None: all), in the order of the ids."""
    for place, content in _contents(segment, _places(segment.blocks, wanted), fetch):
        chosen = None if wanted is None else frozenset(wanted[place.first : place.last])
        for record in _unpacked(segment, place.block, content):
            if chosen is None or record[0] in chosen:
                yield record[0], -record[1], rank, record


class _Place(NamedTuple):
    """The place of a block in its segment, and the wanted that can be in it: ``first`` to the one before ``last``."""

    block: Block
    offset: int
    first: int
    last: int


def _places(blocks: Sequence[Block], wanted: Sequence[str] | None) -> Iterator[_Place]:
    """Yield the places of all blocks, without those in which none of the ``wanted`` can be."""
    offset = first = 0
    for number, block in enumerate(blocks):
        last = 0
        if wanted is not None:
            first = bisect_left(wanted, block.first, first)
            end = number + 1 == len(blocks)
            last = len(wanted) if end else bisect_left(wanted, blocks[number + 1].first, first)
        if wanted is None or first < last:
            yield _Place(block, offset, first, last)
        offset += block.length


def _contents(segment: Segment, places: Iterable[_Place], fetch: Fetch) -> Iterator[tuple[_Place, bytes]]:
    """Yield the blocks with their bytes; those that lie side by side are fetched together."""
    run: list[_Place] = []
    end = length = 0
    for place in places:
        if run and (place.offset != end or length + place.block.length > READ_AHEAD):
            yield from _fetched(segment, run, length, fetch)
            run, length = [], 0
        run.append(place)
        length += place.block.length
        end = place.offset + place.block.length
    if run:
        yield from _fetched(segment, run, length, fetch)


def _fetched(segment: Segment, run: Sequence[_Place], length: int, fetch: Fetch) -> Iterator[tuple[_Place, bytes]]:
    content = fetch(segment.key, run[0].offset, length)
    if content is None:
        raise SnapshotDamaged(f"{segment.key} is missing")
    offset = 0
    for place in run:
        yield place, content[offset : offset + place.block.length]
        offset += place.block.length


def _unpacked(segment: Segment, block: Block, content: bytes) -> list[Record]:
    if checksum_of(content) != block.checksum:
        raise SnapshotDamaged(f"the checksum of a block of {segment.key} is not that of its contents")
    # Its cache of strings costs as much as the rest: few of them come twice.
    records: list[Record] = from_json(inflate(content), cache_strings="none")
    return records


def _newest(streams: Sequence[Iterator[_Ranked]]) -> Iterator[Record]:
    """Yield the record that is true of each persona, in the order of the ids."""
    previous = None
    for persona_id, _, _, record in heapq.merge(*streams) if len(streams) > 1 else chain(*streams):
        if persona_id != previous:
            yield record
        previous = persona_id


def _living(records: Iterable[Record]) -> Iterator[Record]:
    for record in records:
        if len(record) == _WHOLE:
            yield record
        elif len(record) != _GONE:
            raise SnapshotDamaged("a record has another number of fields")


# ---- Writing -----------------------------------------------------------------------------------------------------


def revise(manifest: Manifest, changes: Iterable[Entry], count: int, fetch: Fetch, store: Store) -> Manifest:
    """Return the manifest with about ``count`` changes, which come in the order of their ids, each id once.

    They are stored as a segment of their own, or together with what is to be merged with them. The segments that the
    new manifest no longer names are left as they are. An empty manifest becomes one of a base alone.

    Raises:
        SnapshotDamaged: a segment that is to be merged is missing, or not what was written.
        ValueError: the changes are not in order.
    """
    kept, merged = _divided(manifest.segments, count)
    ranked = ((change.id, -change.seq, -len(merged), record_of(change)) for change in changes)
    records = _newest([*_ranked(merged, fetch, None), ranked])
    packing = _Packing(records if kept else _living(records))
    blocks = iter(packing)
    first = next(blocks, None)
    if first is None:
        return Manifest(kept)
    key = store(chain((first,), blocks))
    return Manifest((*kept, Segment(key, tuple(packing.blocks))))


def _divided(segments: tuple[Segment, ...], count: int) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """Return the segments that stay as they are, and those that are merged with ``count`` changes."""
    kept = len(segments)
    if segments:
        base, *deltas = (segment.entries for segment in segments)
        if sum(deltas) + count > base * DELTA_SHARE:
            kept = 0
        elif len(segments) >= SEGMENTS_MAX:
            kept = 1
    return segments[:kept], segments[kept:]


class _Packing:
    """The bytes of a segment, block by block; ``blocks`` says what they were, when all are taken."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._records = records
        self.blocks: list[Block] = []

    def __iter__(self) -> Iterator[bytes]:
        first, previous = "", ""
        packed: list[bytes] = []
        size = 0
        for record in self._records:
            persona_id: str = record[0]
            if persona_id <= previous:
                raise ValueError("entries of the export view come in the order of their ids, each once")
            previous = persona_id
            if not packed:
                first = persona_id
            packed.append(to_json(record))
            size += len(packed[-1])
            if len(packed) == BLOCK_ENTRIES or size >= BLOCK_BYTES:
                yield self._close(first, packed)
                packed, size = [], 0
        if packed:
            yield self._close(first, packed)

    def _close(self, first: str, packed: Sequence[bytes]) -> bytes:
        content = deflate(b"[" + b",".join(packed) + b"]")
        self.blocks.append(Block(first, len(packed), len(content), checksum_of(content)))
        return content


# ---- Records, and the manifest's bytes -----------------------------------------------------------------------------


def record_of(entry: Entry) -> Record:
    """Return the record of a persona, or of its deletion."""
    persona = entry.persona
    if persona is None:
        return [entry.id, entry.seq]
    record: Record = [entry.id, entry.seq, persona.version]
    for field, value in persona.form.items():
        if isinstance(field, LinkField):
            record.append(value)
        elif field.many:
            record += ([text.id for text in value], [text.text for text in value])
        else:
            record += value or (None, None)
    record += (persona.scenario_ids, persona.active_scenario_ids, persona.num_profiles)
    record += (persona.generated, persona.mcp, persona.created_at, persona.updated_at)
    return record


def _columns() -> Iterator[tuple[str, int]]:
    """Yield the columns of a file, each with its place in a record. A field of texts has their ids before them."""
    yield from (("persona_id", 0), ("version", 2))
    place = 2
    for field in FIELDS:
        place += 1 if isinstance(field, LinkField) else 2
        yield field.name, place


_COLUMNS: Final = dict(_columns())
_WHOLE: Final = max(_COLUMNS.values()) + 8
"""The length of the record of a persona: seven values that no file shows stand behind its fields."""


def columns_of(records: Sequence[Record]) -> dict[str, list[Any]]:
    """Return records of personas as the columns of a file."""
    return {name: [record[place] for record in records] for name, place in _COLUMNS.items()}


def encode(manifest: Manifest) -> bytes:
    """Return the bytes of a manifest."""
    content = json.dumps([[segment.key, segment.blocks] for segment in manifest.segments], separators=(",", ":"))
    return seal(_MAGIC, FORMAT_VERSION, [deflate(content.encode())])


def decode(data: Buffer) -> Manifest:
    """Return the manifest that these bytes are.

    Raises:
        SnapshotDamaged: they are not what `encode` gave.
        SnapshotVersionUnknown: another version of this service gave them.
    """
    with unseal(_MAGIC, (FORMAT_VERSION,), data) as (content,):
        segments = json.loads(inflate(content))
        return Manifest(tuple(Segment(key, tuple(map(Block._make, blocks))) for key, blocks in segments))
