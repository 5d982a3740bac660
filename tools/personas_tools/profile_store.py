"""Profiles and API keys, as the command line stores, lists and revokes them."""

from collections.abc import Collection, Set
from contextlib import suppress
from functools import partial
from typing import Final

from personas.domain.profile import ApiKey, Profile
from personas.store import keys
from personas.store.attempts import ConditionFailed
from personas.store.attributes import (
    NUMBER_END,
    Item,
    Value,
    each_readable,
    integer,
    mapping,
    readable,
    strings,
    text,
)
from personas.store.groups import GroupStore
from personas.store.persona_rows import PROFILES
from personas.store.profiles import ProfileStore, api_key_in
from personas.store.tombstones import tombstone_end
from personas.store.write_rule import RECENT_WRITES, Counted

_ATTEMPTS: Final = 3
"""The number of attempts at a write that loses the race against others."""


class ProfileWriter(ProfileStore):
    """Profiles and keys of all groups, to be written and listed."""

    def put_profile(self, profile: Profile, persona_ids: Collection[str], write_id: str) -> None:
        """Store a profile with the personas that are assigned to it, and count the assignment on each persona.

        The group is founded before: nobody calls for a group whose texts can get no ids. The rest is one transaction,
        so the counts are those of the profiles. A deleted persona's tombstone counts on, and lasts until no profile
        names it: when the persona comes back, its count is there.

        Raises:
            LookupError: a persona does not exist in the profile's group.
            ConditionFailed: the profile or one of the personas was written in between, every time.
            Unreadable: the profile that stands there, or a persona whose count changes, cannot be read.
        """
        GroupStore(self._table).ensure_secret(profile.group_id)
        with suppress(ConditionFailed):  # it is listed already
            mention = keys.listed_profile(profile.group_id, profile.id)
            self._table.put(mention, {"seq": 1, "version": 1}, write_id=write_id, based_on=None)
        read = partial(self._table.get, keys.profile(profile.id))
        write = partial(self._put_profile, profile, frozenset(persona_ids), write_id)
        self._table.retry_on_conflict(read(), read, write, _ATTEMPTS)

    def _put_profile(self, profile: Profile, after: Set[str], write_id: str, stored: Item | None) -> None:
        before = set(strings(stored, "personas", NUMBER_END)) if stored else set()
        changed = {persona_id: keys.persona(profile.group_id, persona_id) for persona_id in before ^ after}
        items = self._table.get_many(changed.values())
        body: dict[str, Value] = {
            "group": profile.group_id,
            "name": profile.name,
            "role": profile.role,
            "departments": sorted(profile.department_ids),
            "personas": sorted(after),
            "seq": integer(stored, "seq") + 1 if stored else 1,
            "version": 1,
            RECENT_WRITES: mapping(stored, RECENT_WRITES) if stored else {},
        }
        counted: list[Counted] = []
        for persona_id, persona_key in changed.items():
            item = items.get(persona_key)
            deleted = item is None or item.get("deleted") is True
            if deleted and persona_id in after:
                raise LookupError(f"there is no persona {persona_id} in the group")
            if item is not None:
                last = readable(item, _profiles_of) == 1 and deleted
                expires_at = tombstone_end(self._table.now()) if last else None
                counted.append(Counted(item, 1 if persona_id in after else -1, expires_at))
        self._table.put_and_count(
            keys.profile(profile.id),
            body,
            based_on=integer(stored, "seq") if stored else None,
            write_id=write_id,
            counted=counted,
            counter=PROFILES,
            prefix=keys.PERSONA_CHANGES,
        )

    def profiles_of(self, group_id: str) -> list[Profile]:
        """Return the group's profiles as they stand, by name.

        One that is listed and was never stored, because the command died between the two, is left out.
        """
        listed = self._table.partition(keys.profiles_partition(group_id))
        _, found = self.read(None, [keys.id_of(text(item, "sk")) for item in listed])
        return sorted(found.values(), key=lambda each: (each.name, each.id))

    def naming(self, group_id: str, persona_id: str) -> int:
        """Count the profiles of the group that name a persona, by reading all of them: for operators."""
        listed = self._table.partition(keys.profiles_partition(group_id))
        items = self._table.get_many(keys.profile(keys.id_of(text(item, "sk"))) for item in listed)

        def names(item: Item) -> bool:
            return text(item, "group") == group_id and persona_id in strings(item, "personas", NUMBER_END)

        return sum(each_readable(items.values(), names))

    def put_key(self, api_key: ApiKey, write_id: str) -> None:
        """Store a new API key and list it under its group.

        Raises:
            ConditionFailed: the key exists already.
        """
        body = {**_key_body(api_key), "seq": 1, "version": 1}
        self._table.put(keys.listed_key(api_key.group_id, api_key.digest), body, write_id=write_id, based_on=None)
        self._table.put(keys.api_key(api_key.digest), body, write_id=write_id, based_on=None)

    def keys_of(self, group_id: str) -> list[ApiKey]:
        """Return the group's keys as they stand, oldest first."""
        listed = self._table.partition(keys.keys_partition(group_id))
        items = self._table.get_many(keys.api_key(keys.id_of(text(item, "sk"))) for item in listed)
        return sorted(each_readable(items.values(), api_key_in), key=lambda each: each.created_at)

    def revoke(self, digest: str, write_id: str) -> ApiKey | None:
        """Revoke a key; return None if there is none. Callers that were known by it are refused within 60 s.

        Raises:
            ConditionFailed: it was written in between.
        """
        item = self._table.get(keys.api_key(digest))
        if item is None:
            return None
        seq = integer(item, "seq")
        self._table.put(
            keys.api_key(digest),
            {**{name: item[name] for name in item if name not in {"pk", "sk"}}, "revoked": True, "seq": seq + 1},
            write_id=write_id,
            based_on=seq,
        )
        return api_key_in({**item, "revoked": True})


def _profiles_of(item: Item) -> int:
    mapping(item, RECENT_WRITES)  # A change of the count leaves its id there.
    return integer(mapping(item, "row"), PROFILES)


def _key_body(api_key: ApiKey) -> dict[str, Value]:
    return {
        "group": api_key.group_id,
        "profile": api_key.profile_id,
        "label": api_key.label,
        "created_at": api_key.created_at,
        "valid_until": api_key.expires_at,
        "revoked": api_key.revoked,
    }
