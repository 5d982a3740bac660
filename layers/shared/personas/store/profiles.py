"""Profiles and API keys."""

from collections.abc import Iterable, Mapping

from personas.domain.profile import ApiKey, Profile
from personas.store import keys
from personas.store.attributes import (
    NUMBER_END,
    Item,
    Value,
    each_readable,
    flag,
    integer,
    strings,
    text,
    text_or_none,
)
from personas.store.table import Table


class ProfileStore:
    """Profiles and keys of all groups. A caller's permissions follow from them, so nobody else reads them."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def read(self, digest: str | None, profile_ids: Iterable[str]) -> tuple[ApiKey | None, dict[str, Profile]]:
        """Read an API key by its digest and profiles by their ids, in one round trip.

        Items that do not exist or cannot be read are left out: they open nothing.
        """
        wanted = [keys.profile(profile_id) for profile_id in profile_ids]
        if digest is not None:
            wanted.append(keys.api_key(digest))
        items = self._table.get_many(wanted)
        api_key, profiles = None, {}
        for found in each_readable(
            items.values(), lambda item: (api_key_in if item["sk"] == "key" else _profile)(item)
        ):
            if isinstance(found, ApiKey):
                api_key = found
            else:
                profiles[found.id] = found
        return api_key, profiles


def _profile(item: Item) -> Profile:
    return Profile(
        id=text(item, "pk").removeprefix("profile#"),
        group_id=text(item, "group"),
        name=text(item, "name"),
        role=text(item, "role"),
        department_ids=frozenset(strings(item, "departments", NUMBER_END)),
    )


def api_key_in(item: Mapping[str, Value]) -> ApiKey:
    """Return the API key of an item."""
    return ApiKey(
        digest=text(item, "pk").removeprefix("key#"),
        group_id=text(item, "group"),
        profile_id=text_or_none(item, "profile"),
        label=text(item, "label"),
        created_at=integer(item, "created_at"),
        expires_at=None if item.get("valid_until") is None else integer(item, "valid_until"),
        revoked=flag(item, "revoked"),
    )
