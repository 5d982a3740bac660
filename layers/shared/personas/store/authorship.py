"""The author of an item's version, and the version in which each field last changed: one packed attribute.

It lies outside of the row, so the change feed does not carry it. It says as of which version it is, and counts only if
that is the item's own: functions of an earlier release leave it standing when they write, and their deletions too.
"""

import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, get_args

from personas.contract.base import NUMBER_MAX, VersionKind
from personas.contract.persona_fields import FIELD_NAMES, FIELDS
from personas.domain.authorship import Author, Stamp, Stamps, Write, stamped_alike
from personas.errors import Unreadable
from personas.observability import count_unreadable
from personas.store.attributes import Item, Value, inflated_json, integer, mapping, readable, text
from personas.store.keys import moment_of

AUTHORSHIP: Final = "authorship"
"""The attribute of a persona, or of its tombstone."""
_NAME_MAX: Final = 200
"""The characters of a profile's name that are kept with what it wrote."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS: Final = dict(zip([field.column for field in FIELDS], FIELD_NAMES, strict=True))


class Authorship(NamedTuple):
    """The last write of an item, and the stamps of its fields."""

    write: Write | None
    """None where the write did not say: an earlier release made it."""
    stamps: Stamps


def packed_authorship(write: Write, stamps: Stamps) -> bytes:
    """Return the attribute: JSON, compressed, in which each author and each write stands once.

    The form is ``[as_of, kind, at, author, mcp, restored_from, [[profile_id, name], ...], [[version, at, author,
    write_id, columns], ...]]``. A time is in microseconds, an author the place in the list of authors, and columns are
    those of the fields that the write was the last to change.
    """
    authors: dict[Author, int] = {}

    def place_of(author: Author | None) -> int | None:
        return None if author is None else authors.setdefault(author, len(authors))

    last = place_of(write.changed_by)
    columns: dict[Stamp, list[str]] = {}
    for column, name in _COLUMNS.items():
        columns.setdefault(stamps.fields[name], []).append(column)
    stamped = [
        [stamp.version, _microseconds(stamp.at), place_of(stamp.changed_by), stamp.write_id, " ".join(names)]
        for stamp, names in columns.items()
    ]
    named = [[author.profile_id, author.name and author.name[:_NAME_MAX]] for author in authors]
    content = [
        stamps.as_of,
        write.kind,
        _microseconds(write.at),
        last,
        int(write.mcp),
        write.restored_from,
        named,
        stamped,
    ]
    return zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(), 9)


def authorship_in(item: Item) -> Authorship:
    """Return what a persona's item, or a tombstone, says of its authorship. Call it by ``readable``.

    Where it says nothing of the item's own version, every field counts as changed in that, by nobody knows whom.

    Raises:
        Unreadable: the attribute is damaged.
    """
    unrecorded = _unrecorded(item)
    found = None if AUTHORSHIP not in item else _unpacked(item[AUTHORSHIP])
    if found is None or found.stamps.as_of != integer(item, "version"):
        return unrecorded
    # A field that the writer did not know counts as changed in its version.
    fields = {**unrecorded.stamps.fields, **found.stamps.fields}
    return found._replace(stamps=Stamps(found.stamps.as_of, fields))


def legible_authorship(item: Item) -> Authorship:
    """Return the same; where it is damaged, which is counted and logged, as if it said nothing.

    So a damaged one is no obstacle to a write, which records its own.
    """
    try:
        return readable(item, authorship_in)
    except Unreadable as error:
        count_unreadable(error)
        return _unrecorded(item)


def _unrecorded(item: Item) -> Authorship:
    return Authorship(None, stamped_alike(Stamp(integer(item, "version"), last_written(item))))


def _unpacked(packed: Value) -> Authorship:
    content = inflated_json(packed)
    if not isinstance(content, list):
        raise Unreadable("", "the authorship is no list")
    as_of, kind, at, last, mcp, restored_from, named, stamped = content
    authors = {
        place: Author(_string(profile_id), None if name is None else _string(name))
        for place, (profile_id, name) in enumerate(named)
    }

    def author_at(place: object) -> Author | None:
        return None if place is None else authors[_number(place)]

    from_version = None if restored_from is None else _number(restored_from)
    if kind not in get_args(VersionKind):
        raise Unreadable("", "the kind of a write is none")
    write = Write(kind, _time(at), author_at(last), bool(_number(mcp)), from_version)
    fields: dict[str, Stamp] = {}
    for version, moment, place, write_id, columns in stamped:
        by = None if write_id is None else _string(write_id)
        stamp = Stamp(_number(version), _time(moment), author_at(place), by)
        fields |= {_COLUMNS[column]: stamp for column in _string(columns).split() if column in _COLUMNS}
    return Authorship(write, Stamps(_number(as_of), fields))


def last_written(item: Mapping[str, Value]) -> str:
    """Return the time at which an item's version was made; of a tombstone, that of the last write of its item.

    That is for versions that tell no write.
    """
    row = mapping(item, "row")
    if "ut" in row:
        return text(row, "ut")
    return moment_of(text(item, "changed")).isoformat()


def _microseconds(moment: str) -> int:
    return (datetime.fromisoformat(moment) - _EPOCH) // timedelta(microseconds=1)


def _time(microseconds: object) -> str:
    return (_EPOCH + timedelta(microseconds=_number(microseconds))).isoformat()


def _number(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value <= NUMBER_MAX:
        raise Unreadable("", "a number of the authorship is none")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise Unreadable("", "a text of the authorship is none")
    return value
