"""The versions of personas: two items each, a record and the whole persona, so that a page of many is one query.

They are put by what the stream of PersonasTable shows, which may come twice, late, or not at all. So a put takes effect
only where it tells more than what stands there: see ``HistoryTable.put_newer``.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Final, NamedTuple, cast, get_args

from personas.contract.base import VersionKind
from personas.contract.persona_fields import FIELD_NAMES
from personas.domain.authorship import Author, Write, changed_fields
from personas.domain.history import PastVersion, VersionRecord
from personas.domain.persona import Persona
from personas.errors import Unreadable
from personas.store import keys
from personas.store.attributes import (
    NUMBER_END,
    Item,
    Value,
    decode_item,
    each_readable,
    encode_item,
    expired,
    flag,
    inflated,
    integer,
    key_of,
    mapping,
    readable,
    strings,
    text,
    text_or_none,
)
from personas.store.authorship import last_written
from personas.store.keys import Key
from personas.store.persona_rows import packed_texts, persona_in, row_of
from personas.store.personas import Stored
from personas.store.table import BATCH_WRITE_MAX, Table

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import PutItemInputTypeDef, UpdateItemInputTypeDef

_VERSION_END: Final = 10**9
_FORMER_MAX: Final = 20
"""The versions that are looked through for some without an end."""
_ROW_MAX: Final = 400 * 1024
"""The bytes of a row as JSON: it was part of an item."""


class HistoryTable(Table):
    """HistoryTable: the calls to it that PersonasTable does not need."""

    @classmethod
    def beside(cls, table: Table, name: str) -> HistoryTable:
        """Return the table of that name, by the client and clock of another one: for the command line."""
        return cls(table._client, name, table.now, table.deadline)

    def latest_up_to(self, last: Key, prefix: str, most: int) -> tuple[list[Item], Key | None]:
        """Read the items up to that one whose sort keys begin with ``prefix``, the latest first, by one query.

        They are at most ``most``, and no more than fit into 1 MB. The key is that of the last one, where there may be
        more behind it.
        """
        answer = self._attempt(
            lambda: self._client.query(
                TableName=self.name,
                ConsistentRead=True,
                KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
                ExpressionAttributeValues=encode_item({":pk": last.pk, ":first": prefix, ":last": last.sk}),
                ScanIndexForward=False,
                Limit=most,
            )
        )
        end = answer.get("LastEvaluatedKey")
        behind = Key(**{name: text(decode_item(end), name) for name in Key._fields}) if end else None
        return [decode_item(raw) for raw in answer["Items"]], behind

    def put_newer(self, key: Key, body: Mapping[str, Value]) -> bool:
        """Put an item where nothing stands, or what stands tells less; return True if it was put.

        An item tells less that has an earlier ``at``, or the same and no end or an earlier one, ``expires_at``. So the
        order of the puts does not matter, nor how often each is made.
        """
        names, values = {"#at": "at"}, {":at": body["at"]}
        condition = "attribute_not_exists(pk) OR #at < :at"
        if "expires_at" in body:
            names["#end"], values[":end"] = "expires_at", body["expires_at"]
            condition += " OR (#at = :at AND (attribute_not_exists(#end) OR #end < :end))"
        request: PutItemInputTypeDef = {
            "TableName": self.name,
            "Item": encode_item({**key.attributes(), **body}),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": encode_item(values),
        }
        return self._took_effect(partial(self._client.put_item, **request))

    def set_end(self, key: Key, at: str, expires_at: int) -> bool:
        """Give the item of that ``at`` an end, unless it has one as late; return True if it was given."""
        request: UpdateItemInputTypeDef = {
            "TableName": self.name,
            "Key": encode_item(key.attributes()),
            "UpdateExpression": "SET #end = :end",
            "ConditionExpression": "#at = :at AND (attribute_not_exists(#end) OR #end < :end)",
            "ExpressionAttributeNames": {"#at": "at", "#end": "expires_at"},
            "ExpressionAttributeValues": encode_item({":at": at, ":end": expires_at}),
        }
        return self._took_effect(partial(self._client.update_item, **request))

    def delete_partition(self, partition: str) -> int:
        """Delete all items of a partition, for the command line; return how many there were."""
        found = [Key(text(item, "pk"), text(item, "sk")) for item in self.partition(partition)]
        for some in batched(found, BATCH_WRITE_MAX, strict=False):
            self._write_all([{"DeleteRequest": {"Key": encode_item(key.attributes())}} for key in some])
        return len(found)


class RecordPage(NamedTuple):
    """Records of versions, the latest first; where there may be more, the version below which they are."""

    records: Sequence[VersionRecord]
    below: int | None


class HistoryStore:
    """The versions of all personas; every call names the group of its caller.

    A version that has reached its end counts as gone, though DynamoDB removes it days later.
    """

    def __init__(self, table: HistoryTable) -> None:
        self._table = table

    def page(self, group_id: str, persona_id: str, before_version: int | None, limit: int) -> RecordPage:
        """Return the records of the latest versions, or of the latest before one, at most ``limit``: one round.

        Those that have reached their end, or cannot be read, are left out.
        """
        before = _VERSION_END if before_version is None else before_version
        last = keys.version(group_id, persona_id, keys.VERSION_RECORDS, before - 1)
        now = self._table.now()
        items, behind = self._table.latest_up_to(last, keys.VERSION_RECORDS, limit)
        living = each_readable(items, lambda item: None if expired(item, now) else _record_in(item))
        records = [record for record in living if record is not None]
        return RecordPage(records, keys.number_of(behind.sk) if behind else None)

    def versions(self, group_id: str, persona_id: str, versions: Iterable[int]) -> dict[int, PastVersion | Unreadable]:
        """Return those of the versions that are there, with their personas: one round.

        For one that cannot be read, its error.
        """
        wanted = {
            version: [
                keys.version(group_id, persona_id, prefix, version)
                for prefix in (keys.VERSION_RECORDS, keys.WHOLE_VERSIONS)
            ]
            for version in versions
        }
        items = self._table.get_many(key for both in wanted.values() for key in both)
        found: dict[int, PastVersion | Unreadable] = {}
        for version, (record_key, whole_key) in wanted.items():
            try:
                past = self._past(persona_id, items.get(record_key), items.get(whole_key))
            except Unreadable as error:
                found[version] = error
            else:
                found |= {version: past} if past else {}
        return found

    def version(self, group_id: str, persona_id: str, version: int) -> PastVersion | None:
        """Return a version with its persona, or None if it is not there: one round.

        Raises:
            Unreadable: it is there, but cannot be read.
        """
        found = self.versions(group_id, persona_id, [version]).get(version)
        if isinstance(found, Unreadable):
            raise found
        return found

    def _past(self, persona_id: str, item: Item | None, whole: Item | None) -> PastVersion | None:
        if item is None or expired(item, self._table.now()):
            return None
        record = readable(item, _record_in)
        if record.kind == "deleted":
            return PastVersion(record, None)
        if whole is None or whole.get("at") != item.get("at"):
            # One of the two is about to be put, or removed.
            return None
        return PastVersion(record, readable(whole, lambda found: _persona_in(found, persona_id)))

    def put(
        self, group_id: str, persona_id: str, record: VersionRecord, persona: Persona | None, ends_at: int | None
    ) -> None:
        """Store a version where none is stored that tells more; it has no end, or one in unix seconds.

        ``persona`` is None for a deletion.

        Raises:
            Unavailable: the table cannot be written now. The record is there only if the persona is.
        """
        if persona is not None:
            self.put_persona(group_id, persona_id, record, persona, ends_at)
        key = keys.version(group_id, persona_id, keys.VERSION_RECORDS, record.version)
        self._table.put_newer(key, {**_common(record, ends_at), **_body(record)})

    def put_persona(
        self, group_id: str, persona_id: str, record: VersionRecord, persona: Persona, ends_at: int | None
    ) -> None:
        """Store the persona of a version in the same way, without the record.

        Raises:
            Unavailable: the table cannot be written now.
        """
        key = keys.version(group_id, persona_id, keys.WHOLE_VERSIONS, record.version)
        packed: dict[str, Value] = {"row": _packed(row_of(persona)), "texts": packed_texts(persona)}
        self._table.put_newer(key, {**_common(record, ends_at), **packed})

    def end(self, group_id: str, persona_id: str, record: VersionRecord, ends_at: int) -> bool:
        """Give a stored version its end, in unix seconds; return False where all of it is not stored, or has that end.

        Raises:
            Unavailable: the table cannot be written now.
        """
        halves = [keys.VERSION_RECORDS] if record.kind == "deleted" else [keys.VERSION_RECORDS, keys.WHOLE_VERSIONS]
        return all(
            self._table.set_end(keys.version(group_id, persona_id, half, record.version), record.at, ends_at)
            for half in halves
        )

    def end_former(self, group_id: str, persona_id: str, below: int, ends_at: int) -> None:
        """Give the latest versions before one their end, in unix seconds, where they have none.

        The records of the stream that would have ended them were lost.

        Raises:
            Unavailable: the table cannot be written now.
        """
        last = keys.version(group_id, persona_id, keys.VERSION_RECORDS, below - 1)
        items, _ = self._table.latest_up_to(last, keys.VERSION_RECORDS, _FORMER_MAX)
        for record in each_readable([item for item in items if "expires_at" not in item], _record_in):
            self.end(group_id, persona_id, record, ends_at)

    def purge(self, group_id: str, persona_id: str) -> int:
        """Erase the versions of a persona, for the command line; return how many items that were."""
        return self._table.delete_partition(keys.history_partition(group_id, persona_id))


def record_of(stored: Stored, former: Persona | None = None) -> VersionRecord:
    """Return the record of a version, as far as the item says who made it and the ``former`` persona what changed."""
    persona, authorship = stored.persona, stored.authorship
    derived: VersionKind = "deleted" if persona is None else "created" if stored.version == 1 else "updated"
    made = authorship.write or Write(derived, last_written(stored.item), None)
    if persona is not None and former is not None:
        changed = changed_fields(former.form, persona.form)
    else:
        changed = tuple(authorship.stamps.changed_since(stored.version - 1, FIELD_NAMES))
    whole = persona or former
    return VersionRecord(
        version=stored.version,
        kind=made.kind,
        at=made.at,
        changed_by=made.changed_by,
        mcp=made.mcp,
        changed=changed,
        restored_from=made.restored_from,
        department_ids=whole.department_ids if whole else (),
    )


def _common(record: VersionRecord, ends_at: int | None) -> dict[str, Value]:
    end: dict[str, Value] = {} if ends_at is None else {"expires_at": ends_at}
    return {"at": record.at, "version": record.version, **end}


def _packed(row: Mapping[str, Value]) -> bytes:
    return zlib.compress(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode())


def _persona_in(item: Item, persona_id: str) -> Persona:
    row = json.loads(inflated(item.get("row"), _ROW_MAX))
    version = integer(item, "version")
    return persona_in({**item, "sk": keys.PERSONAS + persona_id, "row": row}, version, seq=0)


def _body(record: VersionRecord) -> dict[str, Value]:
    author = record.changed_by
    return {
        "kind": record.kind,
        "by": None if author is None else {"id": author.profile_id, "name": author.name},
        "mcp": record.mcp,
        "changed": record.changed,
        "restored_from": record.restored_from,
        "departments": record.department_ids,
    }


def _record_in(item: Item) -> VersionRecord:
    kind = text(item, "kind")
    if kind not in get_args(VersionKind):
        raise Unreadable(key_of(item), "kind is none that a version has")
    return VersionRecord(
        version=integer(item, "version"),
        kind=cast("VersionKind", kind),
        at=text(item, "at"),
        changed_by=None if item.get("by") is None else _author_in(mapping(item, "by")),
        mcp=flag(item, "mcp"),
        changed=strings(item, "changed", NUMBER_END),
        restored_from=None if item.get("restored_from") is None else integer(item, "restored_from"),
        department_ids=strings(item, "departments", NUMBER_END),
    )


def _author_in(by: Mapping[str, Value]) -> Author:
    return Author(text(by, "id"), text_or_none(by, "name"))
