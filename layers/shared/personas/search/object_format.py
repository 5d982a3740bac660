"""The bytes of an object: a magic word, a checksum, a format version and sections of numbers and texts.

Pure, and without the libraries of the index: get and export read such objects too. A checksum finds damage, not
forgery: anyone who may write the bucket may write an object.
"""

import struct
from array import array
from collections.abc import Buffer, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from typing import Final

from isal import isal_zlib

_LEVEL: Final = 2
"""ISA-L's own default: as fast as its level 1 and smaller; level 3 takes twice as long for 4 % of the bytes."""

_CHECKSUM: Final = struct.Struct("<I")
_HEAD: Final = struct.Struct("<HH")
_LENGTH: Final = struct.Struct("<I")


class SnapshotDamaged(ValueError):
    """These bytes are no snapshot, or not all of one."""


class SnapshotVersionUnknown(ValueError):
    """A whole snapshot, but one of another version of this service, or of Python's Unicode tables."""


def deflate(data: Buffer) -> bytes:
    """Return the bytes deflated, as zlib has it, by ISA-L."""
    return isal_zlib.compress(data, _LEVEL)


def inflate(data: Buffer) -> bytes:
    """Return the bytes that were deflated, by whatever library.

    Raises:
        SnapshotDamaged: these are not all of them.
    """
    try:
        return isal_zlib.decompress(data)
    except isal_zlib.IsalError as error:
        raise SnapshotDamaged("a section of the snapshot cannot be inflated") from error


def checksum_of(*parts: Buffer) -> int:
    """Return the CRC-32 of the parts, one behind the other."""
    checksum = 0
    for part in parts:
        checksum = isal_zlib.crc32(part, checksum)
    return checksum


def seal(magic: bytes, version: int, sections: Sequence[bytes | memoryview]) -> bytes:
    """Return the sections as one object: magic, CRC-32 of all that follows, version, lengths, sections."""
    lengths = b"".join(_LENGTH.pack(len(section)) for section in sections)
    body = b"".join((_HEAD.pack(version, len(sections)), lengths, *sections))
    return b"".join((magic, _CHECKSUM.pack(checksum_of(body)), body))


@contextmanager
def unseal(magic: bytes, versions: Sequence[int], data: Buffer) -> Iterator[list[memoryview]]:
    """Hand out the sections of an object to be decoded.

    Raises:
        SnapshotDamaged: these bytes are not what `seal` gave for this magic word, or cannot be decoded.
        SnapshotVersionUnknown: they have another version.
    """
    view = memoryview(data)
    body = view[len(magic) + _CHECKSUM.size :]
    if len(body) < _HEAD.size or bytes(view[: len(magic)]) != magic:
        raise SnapshotDamaged("these bytes are no such snapshot")
    if _CHECKSUM.unpack_from(view, len(magic)) != (checksum_of(body),):
        raise SnapshotDamaged("the checksum of the snapshot is not that of its contents")
    found, count = _HEAD.unpack_from(body)
    if found not in versions:
        known = " and ".join(map(str, versions))
        raise SnapshotVersionUnknown(f"the snapshot has format {found}, only {known} is known here")
    start = _HEAD.size + count * _LENGTH.size
    lengths = (length for (length,) in _LENGTH.iter_unpack(body[_HEAD.size : start]))
    sections = [body[begin:end] for begin, end in pairwise(accumulate(lengths, initial=start))]
    try:
        yield sections
    except SnapshotDamaged:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise SnapshotDamaged("the contents of the snapshot do not fit together") from error


def pack_numbers(column: array[int]) -> bytes:
    """Return numbers as planes: the lowest byte of each, then the next of each, and so on, deflated.

    High bytes are mostly zeros, and zeros next to zeros are soon unpacked. Little-endian, as both of Lambda's
    processors are.
    """
    data = column.tobytes()
    return deflate(b"".join(data[plane :: column.itemsize] for plane in range(column.itemsize)))


def unpack_numbers(typecode: str, stored: Buffer) -> array[int]:
    """Return the numbers that `pack_numbers` made planes of."""
    column = array(typecode)
    planes = inflate(stored)
    width = column.itemsize
    count = len(planes) // width
    data = bytearray(len(planes))
    for plane in range(width):
        data[plane::width] = planes[plane * count : (plane + 1) * count]
    column.frombytes(data)
    return column


def pack_texts(texts: Sequence[str]) -> bytes:
    """Return texts, none of which holds U+0000, deflated."""
    return deflate("\0".join((*texts, "")).encode())


def unpack_texts(stored: Buffer) -> list[str]:
    """Return the texts that `pack_texts` packed."""
    return inflate(stored).decode().split("\0")[:-1]
