"""Drafts: each change of one is a single conditional write on its version."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import Final, NamedTuple

from personas.clock import Moment
from personas.contract.base import LIST_MAX
from personas.contract.persona_fields import FIELDS, TEXT_FIELDS
from personas.domain.draft import DRAFT_LIFE, LISTS, SINGLES, Draft, Selection
from personas.domain.text import Reference, Text
from personas.errors import Unreadable
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.attributes import (
    Item,
    Value,
    each_readable,
    expired,
    flag,
    inflated_json,
    integer,
    key_of,
    mapping,
    mapping_or_empty,
    readable,
    strings,
    text,
    text_or_none,
)
from personas.store.table import Table
from personas.store.write_rule import RECENT_WRITES, Condition, is_version, version_written_by

LATEST_MAX: Final = 200

LISTED_EVERY: Final = timedelta(days=1)
"""An environment lists a profile among its group's drafters at most this often."""
_LISTED_MAX: Final = 10_000

AS_OF: Final = "as_of"
"""The version as of which a draft says when its fields changed. Functions of an earlier release leave it behind."""
SINCE: Final = "since"
"""The version in which every field counts as changed that has no later one of its own."""
CHANGED_IN: Final = {field.id_name: f"v_{field.column}" for field in FIELDS}
"""The attributes with the versions in which fields last changed: on top, for old drafts lack a map to write into."""


class StandingDraft(NamedTuple):
    """A draft as it stands, and the version in which each of its fields last changed, by the names in its fields.

    Where that was not ``recorded`` for its version, every field counts as changed in it.
    """

    draft: Draft
    changed_in: Mapping[str, int]
    recorded: bool


class DraftStore:
    """The drafts of all profiles; every call names the caller's group and profile."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._listed: dict[tuple[str, str], Moment] = {}

    def was_listed_recently(self, group_id: str, profile_id: str) -> bool:
        """Return True if this environment has listed the profile within a day: see ``list_drafter``."""
        listed = self._listed.get((group_id, profile_id))
        return listed is not None and listed.is_recent(LISTED_EVERY, self._table.now())

    def list_drafter(self, group_id: str, profile_id: str) -> None:
        """List the profile among those of its group that may have drafts.

        The clean-up of texts finds this profile's drafts by that, without a look at the whole table. The entry outlives
        every draft that is written until it is put again.

        Raises:
            Unavailable: it could not be written.
        """
        now = Moment.at(self._table.now())
        until = now.wall + DRAFT_LIFE + 2 * LISTED_EVERY
        entry = {"expires_at": int(until.timestamp())}
        self._table.put_plain(keys.drafter(group_id, profile_id), entry, asked_for=False)
        if len(self._listed) >= _LISTED_MAX:
            self._listed.clear()
        self._listed[group_id, profile_id] = now

    def drafters(self, group_id: str) -> list[str]:
        """Return the profiles of the group that may have drafts."""
        now = self._table.now()
        found = self._table.partition(keys.drafters_partition(group_id))
        listed = each_readable(found, lambda item: None if expired(item, now) else keys.id_of(text(item, "sk")))
        return [profile_id for profile_id in listed if profile_id is not None]

    def text_ids(self, group_id: str, profile_id: str) -> set[Reference]:
        """Return references to the texts that the profile's drafts hold."""
        partition = keys.drafts_partition(group_id, profile_id)
        return set(chain.from_iterable(self._table.latest(partition, keys.DRAFT_CHANGES, None, _references)))

    def get(self, group_id: str, profile_id: str, draft_id: str) -> Draft | None:
        """Return the profile's draft, or None where there is none or its time is over.

        Raises:
            Unreadable: it cannot be read.
        """
        item = self._table.get(keys.draft(group_id, profile_id, draft_id))
        return self._living(item)

    def written(self, group_id: str, profile_id: str, draft_id: str, write_id: str) -> tuple[int, Draft] | None:
        """Return the version that this write made of a draft, and the draft; None if it is not among its recent writes.

        Raises:
            Unreadable: the draft cannot be read.
        """
        item = self._table.get(keys.draft(group_id, profile_id, draft_id))
        version = version_written_by(item, write_id)
        return None if item is None or version is None else (version, readable(item, _whole))

    def latest(self, group_id: str, profile_id: str) -> list[Draft]:
        """Return the profile's drafts, latest written first, at most 200; without their texts."""
        partition = keys.drafts_partition(group_id, profile_id)
        return self._table.latest(partition, keys.DRAFT_CHANGES, LATEST_MAX, _draft)

    def create(self, group_id: str, profile_id: str, draft: Draft, write_id: str) -> Draft:
        """Store a new draft; under a repeated Idempotency-Key, the one that the first attempt stored.

        Raises:
            ConditionFailed: another draft has that id.
        """
        row = {**_row(draft.fields), "m": draft.mcp, "se": draft.session_id}
        times = {"ct": draft.created_at, "ut": draft.updated_at}
        written = self._table.put(
            keys.draft(group_id, profile_id, draft.id),
            {
                "row": {**row, **times},
                "texts": {name: _pack(texts) for name, texts in draft.texts.items() if texts},
                "seq": 1,
                "version": 1,
                AS_OF: 1,
                SINCE: 1,
                "expires_at": self._expiry(),
            },
            prefix=keys.DRAFT_CHANGES,
            write_id=write_id,
            based_on=None,
        )
        return draft if written.item is None else readable(written.item, _whole)

    def patch(
        self,
        group_id: str,
        profile_id: str,
        draft_id: str,
        fields: Mapping[str, Selection],
        texts: Mapping[str, Sequence[Text]],
        *,
        expected_version: int,
        decide: Callable[[StandingDraft | None], StandingDraft],
        updated_at: str,
        write_id: str,
    ) -> tuple[int, Draft]:
        """Lay ``fields`` over the stored draft if its version is the expected one, in one write.

        Where another one stands, or none that is alive, ``decide`` is told, and raises unless the fields may be laid
        over that: then another write is made. So it is where the version is the expected one, and its fields' versions
        were not recorded.

        Returns the version that this write made, and the draft as it stands.

        Raises:
            ConditionFailed: there was no time for another write.
        """
        decided: list[StandingDraft] = []

        def write(standing: StandingDraft | None) -> tuple[int, Draft]:
            sets: dict[str, Value] = {f"row.{name}": value for name, value in _row(fields).items()}
            sets |= {"row.ut": updated_at, "expires_at": self._expiry()}
            sets |= {f"texts.{name}": _pack(texts[name]) for name in texts if texts[name]}
            version = standing.draft.version if standing else expected_version
            sets |= {AS_OF: version + 1} | {CHANGED_IN[name]: version + 1 for name in fields}
            if standing and not standing.recorded:
                sets[SINCE] = version
            condition = is_version(version, self._table.now())
            try:
                written = self._table.update(
                    keys.draft(group_id, profile_id, draft_id),
                    sets,
                    prefix=keys.DRAFT_CHANGES,
                    write_id=write_id,
                    seq=version + 1,
                    version=version + 1,
                    condition=condition if standing else _recorded(condition),
                    removes=[f"texts.{name}" for name in texts if not texts[name]],
                )
            except ConditionFailed as failed:
                # At once: a conflict is told even if there is no time for another write.
                item = failed.item
                gone = item is None or expired(item, self._table.now())
                decided.append(decide(None if item is None or gone else readable(item, _standing)))
                raise
            if written.item is None:
                raise TypeError("an update shows the item it made")
            return written.version, readable(written.item, _whole)

        return self._table.retry_on_conflict(None, lambda: decided[-1], write)

    def _living(self, item: Item | None) -> Draft | None:
        return None if item is None or expired(item, self._table.now()) else readable(item, _whole)

    def _expiry(self) -> int:
        return int((self._table.now() + DRAFT_LIFE).timestamp())


def _recorded(condition: Condition) -> Condition:
    """Return the condition of a write without a look: that the version which it expects is recorded."""
    return Condition(f"{condition.expression} AND #{AS_OF} = :expected", (*condition.names, AS_OF), condition.values)


def _standing(item: Item) -> StandingDraft:
    draft = _whole(item)
    recorded = integer(item, AS_OF, absent=0) == draft.version
    since = integer(item, SINCE) if recorded else draft.version
    changed_in = {
        name: max(since, integer(item, column, absent=0)) if recorded else since for name, column in CHANGED_IN.items()
    }
    return StandingDraft(draft, changed_in, recorded)


def _references(item: Item) -> list[Reference]:
    fields = _fields(mapping(item, "row"))
    return [Reference(field.kind, each) for field in TEXT_FIELDS for each in _selected(fields.get(field.id_name))]


def _selected(value: Selection) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (value,) if value else ()


def _row(fields: Mapping[str, Selection]) -> dict[str, Value]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}


def _pack(texts: Sequence[Text]) -> bytes:
    return zlib.compress(json.dumps([each.text for each in texts], ensure_ascii=False).encode())


def _fields(row: Mapping[str, Value]) -> dict[str, Selection]:
    fields: dict[str, Selection] = {name: text_or_none(row, name) for name in SINGLES if name in row}
    return fields | {name: strings(row, name, LIST_MAX) for name in LISTS if name in row}


def _whole(item: Item) -> Draft:
    """Read a whole item, not one from the index, which lacks the texts and the recent writes."""
    for name in ("texts", RECENT_WRITES):
        mapping(item, name)
    return _draft(item)


def _draft(item: Item) -> Draft:
    row = mapping(item, "row")
    fields = _fields(row)
    texts: dict[str, tuple[Text, ...]] = {}
    for name, packed in mapping_or_empty(item, "texts").items():
        found = inflated_json(packed)
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise Unreadable(key_of(item), "texts are not a list of strings")
        texts[name] = tuple(Text(*each) for each in zip(_selected(fields.get(name)), found, strict=True))
    return Draft(
        id=keys.id_of(text(item, "sk")),
        version=integer(item, "version"),
        fields=fields,
        texts=texts,
        mcp=flag(row, "m"),
        session_id=text(row, "se"),
        created_at=text(row, "ct"),
        updated_at=text(row, "ut"),
    )
