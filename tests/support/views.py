"""The views of the world's group as they are stored, and what the table says: to be compared."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from personas.domain.catalogue import Pointer
from personas.search.index import Index
from personas.search.queries import Query
from personas.search.snapshot_format import decode
from personas.store import keys
from personas.store.attributes import Value, each_readable, mapping
from personas.store.groups import GroupRecord, GroupStore
from personas.store.personas import stored_in
from personas.views import export_segments
from personas.views.export_segments import EXPORT_VIEW, Entry, Manifest, Record, record_of
from personas.views.search_views import SEARCH_VIEW, take_changes
from personas.views.view_objects import contents, label_of
from support.world import GROUP, World

EVERYTHING: Final = Query(caller_departments=None, page_size=1_000_000)


def records(entries: Iterable[Entry]) -> list[Record]:
    """Return the records of entries as one reads them back from JSON."""
    found: list[Record] = json.loads(json.dumps([record_of(entry) for entry in entries]))
    return found


class Views:
    """The objects of a group in the bucket, as its record points to them."""

    def __init__(self, world: World, group: str = GROUP) -> None:
        self._world = world
        self._group = group
        self._s3 = world.aws.s3
        self._bucket = world.aws.names["Bucket"]

    @property
    def record(self) -> GroupRecord:
        return GroupStore(self._world.table).read(self._group)

    @property
    def marked(self) -> bool:
        return GroupStore(self._world.table).is_marked(self._group)

    def pointer(self, view: str) -> Pointer:
        """Return the pointer to a view in the group's record."""
        pointer = self.record.pointer(view)
        assert pointer is not None, f"there is no {view}"
        return pointer

    def key(self, view: str) -> str:
        """Return the key of the object to which a view's pointer leads."""
        return self.pointer(view).key

    def contents(self, pointer: Pointer) -> memoryview:
        """Return the bytes under the label of an object."""
        return contents(label_of(pointer), self.content(pointer.key))

    def content(self, key: str) -> bytes:
        return self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()

    def put(self, key: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=content)

    def remove(self, key: str) -> None:
        self._s3.delete_object(Bucket=self._bucket, Key=key)

    @property
    def manifest(self) -> Manifest:
        return self.manifest_at(self.pointer(EXPORT_VIEW))

    def manifest_at(self, pointer: Pointer) -> Manifest:
        """Return the manifest of the export view as of that pointer."""
        return export_segments.decode(self.contents(pointer))

    # ---- What they say ---------------------------------------------------------------------------------------------

    def table(self) -> dict[str, Record]:
        """Return the records of the personas as the table has them."""
        found = each_readable(self._world.personas.all(self._group), stored_in)
        entries = [Entry(stored.persona.id, stored.seq, stored.persona) for stored in found if stored.persona]
        return {record[0]: record for record in records(entries)}

    def table_rows(self) -> dict[str, Mapping[str, Value]]:
        found = each_readable(self._world.personas.all(self._group), stored_in)
        return {stored.persona.id: mapping(stored.item, "row") for stored in found if stored.persona}

    def exported(self) -> dict[str, Record]:
        """Return the records of the personas as the export view has them."""
        return {record[0]: record for record in export_segments.lookup(self.manifest, None, self._fetch)}

    def indexed(self, *, with_feed: bool = False) -> dict[str, Mapping[str, object]]:
        """Return the rows as the search view has them, with all of the feed if wanted."""
        index: Index = decode(self.contents(self.pointer(SEARCH_VIEW))).index
        if with_feed:
            take_changes(
                index, self._world.table.changes(keys.group_partition(self._group), keys.PERSONA_CHANGES, None)
            )
        return {each: row for each in index.ids(EVERYTHING, {}) if (row := index.row(each))}

    def agree(self) -> None:
        """Assert that all views say what the table says."""
        assert self.indexed() == self.table_rows()
        assert self.exported() == self.table()

    # ---- The objects -----------------------------------------------------------------------------------------------

    def objects(self) -> set[str]:
        """Return the keys of all objects of the group's views that are not superseded."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=f"views/{self._group}/").get("Contents", [])
        return {each["Key"] for each in listed if not self.superseded(each["Key"])}

    def expire(self) -> None:
        """Remove what is superseded, as the bucket's lifecycle rule does after a day."""
        for each in self._s3.list_objects_v2(Bucket=self._bucket).get("Contents", []):
            if self.superseded(each["Key"]):
                self.remove(each["Key"])

    def superseded(self, key: str) -> bool:
        tags = self._s3.get_object_tagging(Bucket=self._bucket, Key=key)["TagSet"]
        return tags == [{"Key": "superseded", "Value": "true"}]

    def pointed_at(self) -> set[str]:
        """Return the keys of the objects to which the group's record points."""
        record = self.record
        pointers = (record.pointer(view) for view in mapping(record.row, "snapshots"))
        return {pointer.key for pointer in pointers if pointer}

    def needed(self) -> set[str]:
        """Return the keys of the objects to which the group's pointers lead."""
        return self.pointed_at() | self.manifest.keys

    def _fetch(self, key: str, start: int, length: int) -> bytes:
        return self.content(key)[start : start + length]
