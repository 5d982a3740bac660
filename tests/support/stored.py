"""The stored state, read as a whole and restored: moto's own dictionaries, without a request.

The matrix of faults (``support.matrix``) begins each of its cases from a state held here, and afterwards reads all that
is stored: the part that callers can see (``Logical``), and the part that should not be there (``leaks``).
"""

import json
import re
import zlib
from base64 import b64decode
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

from moto.core.models import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.dynamodb.models import dynamodb_backends
from moto.s3.models import s3_backends
from moto.sqs.models import sqs_backends

from personas.contract.persona_fields import TextKind
from personas.domain.text import Reference
from personas.runtime import utc_now
from personas.store import keys
from personas.store.attributes import Item, Value, decode_item, integer, mapping, mapping_or_empty, text
from support.aws import Aws
from support.world import GROUP, text_id

_NUMBERED: Final = re.compile(r" Copy \d+$")


class Backend:
    """The state of moto, read and restored without a request: requests would take most of the time of a case."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._tables = dynamodb_backends[ACCOUNT][aws.dynamodb.meta.region_name].tables
        self._s3 = s3_backends[ACCOUNT]["aws"]
        self._bucket = self._s3.buckets[aws.names["Bucket"]]
        queues = sqs_backends[ACCOUNT][aws.sqs.meta.region_name].queues
        self._queue = queues[aws.names["RefreshQueue"].rpartition("/")[2]]

    def items(self, logical_id: str) -> list[Item]:
        """Return all items of a table, in no order."""
        table = self._tables[self._aws.names[logical_id]]
        return [
            decode_item({name: each.to_regular_json() for name, each in item.attrs.items()})
            for item in table.all_items()
        ]

    @property
    def uploads(self) -> list[str]:
        """The uploads that are neither completed nor aborted."""
        return list(self._bucket.multiparts)

    @property
    def queued(self) -> list[str]:
        """The groups on the queue, each as often as it is there."""
        return [json.loads(message.body)["group_id"] for message in self._queue.messages]

    @property
    def files(self) -> dict[str, bytes]:
        """The files of exports, by the id of the export."""
        found = {key: self._bucket.keys[key].value for key in self._bucket.keys if key.startswith("exports/")}
        return {key.rpartition("/")[2].removesuffix(".csv"): content for key, content in found.items()}

    @property
    def exports(self) -> dict[str, Item]:
        """The records of exports, by their ids."""
        found = (item for item in self.items("PersonasTable") if item["sk"] == "export")
        return {keys.id_of(text(item, "pk")): item for item in found}

    def held(self) -> "Held":
        """Return a copy of the tables and the bucket as they stand; the queue is empty."""
        tables = {name: deepcopy(self._tables[name].items) for name in _tables(self._aws)}
        return Held(tables, {key: self._object(key) for key in self._bucket.keys})

    def put_back(self, held: "Held") -> None:
        """Make everything as it was."""
        for name, items in held.tables.items():
            self._tables[name].items = deepcopy(items)
        self._bucket.multiparts.clear()
        self._queue._messages.clear()
        name, s3 = self._aws.names["Bucket"], self._aws.s3
        standing = {key: self._object(key) for key in self._bucket.keys}
        for key in standing.keys() - held.objects.keys():
            s3.delete_object(Bucket=name, Key=key)
        for key, (content, superseded) in held.objects.items():
            if standing.get(key) != (content, superseded):
                s3.put_object(Bucket=name, Key=key, Body=content, Tagging="superseded=true" if superseded else "")

    def _object(self, key: str) -> tuple[bytes, bool]:
        found = self._bucket.keys[key]
        return found.value, bool(self._s3.tagger.get_tag_dict_for_resource(found.arn))


class Held(NamedTuple):
    """All tables and the bucket as they stood at a moment; of each object whether it was superseded."""

    tables: Mapping[str, Any]
    objects: Mapping[str, tuple[bytes, bool]]


def _tables(aws: Aws) -> tuple[str, str]:
    return aws.names["PersonasTable"], aws.names["IdempotencyTable"]


type Logical = Mapping[str, tuple[object, ...]]
"""The stored state as callers can see it: the contents of each persona, draft and profile, without times.

By id where the id was there before; by name where it is new, and then there may be several.
"""


@dataclass(frozen=True)
class Base:
    """A state to begin from, what it holds, and its parts by name."""

    backend: Backend
    held: Held
    ids: Mapping[str, str]

    def logical(self) -> Logical:
        """Return the part of the stored state that callers could see."""
        found: dict[str, list[object]] = {}
        known = set(self.ids.values())
        for item in self.backend.items("PersonasTable"):
            kind, _, item_id = text(item, "sk").partition("#")
            if text(item, "sk") == "profile":
                found[keys.id_of(text(item, "pk"))] = [(item["name"], item["role"], item["personas"])]
            if kind not in {"persona", "draft"}:
                continue
            row = {name: value for name, value in mapping(item, "row").items() if name not in _TIMES}
            name = _NUMBERED.sub(" Copy", str(row.get("n", "")))
            shown = (name, {**row, "n": name, "ni": None}, item.get("texts"), item["version"], item.get("deleted"))
            key = item_id if item_id in known else f"new:{name}" if kind == "persona" else "new draft"
            found.setdefault(key, []).append(shown)
        return {key: tuple(sorted(contents, key=str)) for key, contents in found.items()}


_TIMES: Final = frozenset({"ct", "ut"})


def leaks(backend: Backend, before: Logical, after: Logical, drafts: Container[str]) -> Iterator[str]:
    """Yield the stored things that should not be there, or not so; ``drafts`` are the keys that are no personas."""
    items = backend.items("PersonasTable")
    assigned = Counter(
        each for item in items if item["sk"] == "profile" for each in cast("list[str]", item["personas"])
    )
    standing = {(item["pk"], item["sk"]) for item in items}
    for item in items:
        pk, sk = text(item, "pk"), text(item, "sk")
        if pk.startswith("text#"):
            (_, group, _), (kind, _, entry_id) = pk.split("#"), sk.partition("#")
            stored = _unpacked(cast("bytes", item["text"]))
            if (
                text_id(cast("TextKind", kind), stored, group) != entry_id
                or integer(item, "used_at") > utc_now().timestamp() + 9
            ):
                yield f"the clean-up would not find {pk} {sk}"
        if sk.startswith("draft#") and (f"draft#{GROUP}", f"drafter#{pk.rpartition('#')[2]}") not in standing:
            yield f"the clean-up would not find the texts of {sk}"
        row = mapping_or_empty(item, "row")
        for reference in _references(row):
            if keys.text(pk.split("#")[1], *reference) not in standing:
                yield f"{sk} gives out an id that the directory does not know: {reference}"
        if sk.startswith(keys.PERSONAS) and "deleted" not in item and row.get("np", 0) != assigned[keys.id_of(sk)]:
            yield f"{sk} is assigned to {assigned[keys.id_of(sk)]} profiles and counts {row.get('np')}"
    old, new = ({key: each for key, each in state.items() if key not in drafts} for state in (before, after))
    if old != new and keys.mark(GROUP) not in standing:
        yield "a persona changed and its group is not marked"


def _unpacked(packed: bytes) -> str:
    try:
        return zlib.decompress(packed).decode()
    except zlib.error:
        # moto keeps what comes in a batch as it came over the wire.
        return zlib.decompress(b64decode(packed)).decode()


_TEXT_COLUMNS: Final[Mapping[str, TextKind]] = {
    "ni": "names",
    "di": "descriptions",
    "ii": "instructions",
    "ex": "examples",
}
_TEXT_FIELDS: Final[Mapping[str, TextKind]] = {
    "name_id": "names",
    "description_id": "descriptions",
    "instructions_id": "instructions",
    "example_ids": "examples",
}


def _references(row: Mapping[str, Value]) -> Iterator[Reference]:
    for name, kind in {**_TEXT_COLUMNS, **_TEXT_FIELDS}.items():
        value = row.get(name)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, str):
                yield Reference(kind, each)
