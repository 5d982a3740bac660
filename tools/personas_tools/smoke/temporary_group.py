"""A group for the time of a trial: its library, its people and their keys, and the removal of all that is its own."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.resources import files
from typing import Final
from uuid import uuid4

from personas.domain.profile import ApiKey, Profile
from personas.identity import digest_of, new_key
from personas.store import keys
from personas.store.history import HistoryTable
from personas_tools.library import load
from personas_tools.library_catalogue import stored_catalogue
from personas_tools.library_file import parse
from personas_tools.profile_store import ProfileWriter
from personas_tools.target import Target

KEY_LIFE: Final = timedelta(hours=1)
"""The life of a key that a trial leaves behind which was killed."""
_AT_ONCE: Final = 8
"""Partitions that are deleted side by side: a client has ten connections."""
_STREAM_LAG: Final = 3.0
"""Seconds after which the stream would have brought what was still to come."""
_OBJECTS_MAX: Final = 1000
"""Objects that S3 deletes in one call, and lists in one."""


@dataclass
class TemporaryGroup:
    """A group in a store."""

    target: Target
    id: str = field(default_factory=lambda: str(uuid4()))
    uploads: list[str] = field(default_factory=list)
    """The ids of its exports."""
    _profiles: list[str] = field(default_factory=list)
    _digests: list[str] = field(default_factory=list)

    def load_library(self) -> None:
        """Give the group the library of the demo; its scenarios have nobody to cast."""
        text = files("personas_tools.demo").joinpath("library.yaml").read_text(encoding="utf-8")
        load(self.target.table, self.id, parse(text))

    def key_for(self, name: str, role: str, *departments: str) -> str:
        """Make a profile and return a key that names it."""
        table = self.target.table
        catalogue = stored_catalogue(table, self.id)
        ids = frozenset(catalogue.find("departments", each) for each in departments)
        profile = Profile(id=str(uuid4()), group_id=self.id, name=name, role=role, department_ids=ids)
        self._profiles.append(profile.id)
        profiles, key, moment = ProfileWriter(table), new_key(profile.id), table.now()
        self._digests.append(digest_of(key))
        profiles.put_profile(profile, (), str(uuid4()))
        api_key = ApiKey(
            digest=digest_of(key),
            group_id=self.id,
            profile_id=profile.id,
            label="smoke",
            created_at=int(moment.timestamp()),
            expires_at=int((moment + KEY_LIFE).timestamp()),
        )
        profiles.put_key(api_key, str(uuid4()))
        return key

    def revoke(self, key: str) -> None:
        """Have a key be refused."""
        ProfileWriter(self.target.table).revoke(digest_of(key), str(uuid4()))

    def remove(self) -> None:
        """Remove all that was written of the group, its keys first: then nobody writes any more."""
        table = self.target.table
        marks = table.changes(keys.group_partition(self.id), keys.PERSONA_CHANGES, None)
        histories = [keys.history_partition(self.id, keys.id_of(each.key)) for each in marks]
        self._clear(table.name, (keys.api_key(each).pk for each in self._digests))
        self._clear(
            table.name,
            (
                keys.group_partition(self.id),
                keys.drafters_partition(self.id),
                keys.keys_partition(self.id),
                keys.profiles_partition(self.id),
                *(keys.drafts_partition(self.id, each) for each in self._profiles),
                *(keys.profile(each).pk for each in self._profiles),
                *(keys.export(each).pk for each in self.uploads),
                *(keys.texts_partition(self.id, shard) for shard in range(keys.TEXT_SHARDS)),
            ),
        )
        for prefix in (f"views/{self.id}/", f"exports/{self.id}/"):
            self._remove_objects(prefix)
        # Last of all: versions come by the stream, a moment behind the personas and their removal.
        while self._clear(self.target.resource("HistoryTable"), histories):
            time.sleep(_STREAM_LAG)

    def _clear(self, table: str, partitions: Iterable[str]) -> int:
        """Delete partitions of a table, and return how many items they had."""
        # Both tables have the same keys, and to delete a partition is something that only a history asks for elsewhere.
        store = HistoryTable.beside(self.target.table, table)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            return sum(threads.map(store.delete_partition, partitions))

    def _remove_objects(self, prefix: str) -> None:
        s3, bucket = self.target.s3(), self.target.resource("Bucket")
        while found := s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=_OBJECTS_MAX).get("Contents"):
            s3.delete_objects(
                Bucket=bucket, Delete={"Objects": [{"Key": each["Key"]} for each in found], "Quiet": True}
            )


@contextlib.contextmanager
def temporary_group(target: Target) -> Iterator[TemporaryGroup]:
    """Yield a new group, and remove it whatever happens."""
    group = TemporaryGroup(target)
    try:
        group.load_library()
        yield group
    finally:
        group.remove()
