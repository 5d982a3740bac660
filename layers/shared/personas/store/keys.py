"""The keys of PersonasTable and HistoryTable. No other module spells one.

A group's keys are built from the caller's own group, never from a request, so crossing groups cannot be written.
"""

from datetime import datetime
from typing import Final, NamedTuple

from personas.contract.persona_fields import TextKind

CHANGES_INDEX: Final = "changes"
DUE_INDEX: Final = "due"
DUE_SHARD: Final = "0"
"""The one partition of the due index: a thousand marks a second fit."""

PERSONAS: Final = "persona#"
"""The prefix of the sort keys of personas; the id follows."""
PERSONA_CHANGES: Final = "p#"
RESOURCE_CHANGES: Final = "r#"
DRAFT_CHANGES: Final = "d#"

VERSION_RECORDS: Final = "v#"
"""The prefix of the sort keys of the records of versions; the version follows, in nine digits: so it sorts."""
WHOLE_VERSIONS: Final = "w#"
"""The same for the personas as they were."""

TEXT_SHARDS: Final = 256

_GROUPS: Final = "group#"


class Key(NamedTuple):
    """The primary key of an item."""

    pk: str
    sk: str

    def attributes(self) -> dict[str, str]:
        """Return the key as attributes of its item."""
        return {"pk": self.pk, "sk": self.sk}


def group_partition(group_id: str) -> str:
    """Return the partition of a group's personas and catalogue, with the one local index over both."""
    return f"{_GROUPS}{group_id}"


def drafts_partition(group_id: str, profile_id: str) -> str:
    """Return the partition of one profile's drafts."""
    return f"draft#{group_id}#{profile_id}"


def persona(group_id: str, persona_id: str) -> Key:
    """Return the key of a persona or its tombstone."""
    return Key(group_partition(group_id), f"{PERSONAS}{persona_id}")


def persona_of(key: Key) -> tuple[str, str] | None:
    """Return the group and the id of the persona that has this key, or None if it is another item's."""
    if key.pk.startswith(_GROUPS) and key.sk.startswith(PERSONAS):
        return key.pk.removeprefix(_GROUPS), key.sk.removeprefix(PERSONAS)
    return None


def resource(group_id: str, kind: str, entry_id: str) -> Key:
    """Return the key of an entry of the catalogue."""
    return Key(group_partition(group_id), f"resource#{kind}#{entry_id}")


def group(group_id: str) -> Key:
    """Return the key of the group's own record: its settings."""
    return Key(group_partition(group_id), "group")


def mark(group_id: str) -> Key:
    """Return the key of the mark that says that the group's views are behind."""
    return Key(group_partition(group_id), "mark")


def queued(group_id: str) -> Key:
    """Return the key of what says when the schedule queued the group that no refresh has finished since."""
    return Key(group_partition(group_id), "queued")


def refresh_claim(group_id: str) -> Key:
    """Return the key of what says that a refresh of the group is under way."""
    return Key(group_partition(group_id), "refreshing")


def drafters_partition(group_id: str) -> str:
    """Return the partition that lists the profiles of a group that may have drafts."""
    return f"draft#{group_id}"


def drafter(group_id: str, profile_id: str) -> Key:
    """Return the key of the entry of a profile that may have drafts."""
    return Key(drafters_partition(group_id), f"drafter#{profile_id}")


def draft(group_id: str, profile_id: str, draft_id: str) -> Key:
    """Return the key of a draft of a profile."""
    return Key(drafts_partition(group_id, profile_id), f"draft#{draft_id}")


def texts_partition(group_id: str, shard: int) -> str:
    """Return one of the 256 partitions of a group's text directory: that of the ids whose first byte is ``shard``."""
    return f"text#{group_id}#{shard:02x}"


def text(group_id: str, kind: TextKind, entry_id: str) -> Key:
    """Return the key of an entry of the text directory, spread over 256 partitions by the first byte of its id."""
    return Key(texts_partition(group_id, int(entry_id[:2], 16)), f"{kind}#{entry_id}")


def export(upload_id: str) -> Key:
    """Return the key of the record of an export, found without its group: the record says who may see it."""
    return Key(f"export#{upload_id}", "export")


def profile(profile_id: str) -> Key:
    """Return the key of a profile, found without its group: its group is read from it."""
    return Key(f"profile#{profile_id}", "profile")


def api_key(digest: str) -> Key:
    """Return the key of an API key by its SHA-256, in hex."""
    return Key(f"key#{digest}", "key")


def keys_partition(group_id: str) -> str:
    """Return the partition that lists a group's API keys, for people; a key's rights stand under the key itself."""
    return f"keys#{group_id}"


def listed_key(group_id: str, digest: str) -> Key:
    """Return the key of a group's entry of one of its API keys."""
    return Key(keys_partition(group_id), f"key#{digest}")


def profiles_partition(group_id: str) -> str:
    """Return the list of a group's profiles, for people; what a profile may do stands under the profile itself."""
    return f"profiles#{group_id}"


def listed_profile(group_id: str, profile_id: str) -> Key:
    """Return the key of a group's mention of one of its profiles."""
    return Key(profiles_partition(group_id), f"profile#{profile_id}")


def history_partition(group_id: str, persona_id: str) -> str:
    """Return the partition of the versions of a persona."""
    return f"history#{group_id}#{persona_id}"


def version(group_id: str, persona_id: str, prefix: str, number: int) -> Key:
    """Return the key of an item of a version: of its record or of the whole persona, by its ``prefix``."""
    return Key(history_partition(group_id, persona_id), f"{prefix}{number:09d}")


def number_of(sort_key: str) -> int:
    """Return the version at the end of a sort key."""
    return int(id_of(sort_key))


def id_of(sort_key: str) -> str:
    """Return the id at the end of a sort key."""
    return sort_key.rpartition("#")[2]


def stamp(prefix: str, moment: datetime) -> str:
    """Return a value of ``changed``: the prefix of its range, then the time in UTC with microseconds: so it sorts."""
    return f"{prefix}{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def moment_of(stamp: str) -> datetime:
    """Return the time in a value of ``changed``."""
    return datetime.fromisoformat(stamp.partition("#")[2])


def range_of(prefix: str, since: datetime | None) -> tuple[str, str]:
    """Return the first and the last value of ``changed`` for a read; None reads the whole range."""
    return (stamp(prefix, since) if since else prefix), f"{prefix}~"
