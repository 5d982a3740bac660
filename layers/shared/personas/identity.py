"""Authentication: an API key, a bearer token, or both become a profile that the table vouches for."""

from __future__ import annotations

import hashlib
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final
from uuid import UUID

from personas.clock import Moment
from personas.domain.profile import ApiKey, Caller, Profile
from personas.domain.text import resource_id
from personas.errors import Unauthenticated
from personas.settings import Settings
from personas.store.profiles import ProfileStore

if TYPE_CHECKING:
    from personas.tokens import TokenVerifier

CACHE_LIFE: Final = timedelta(seconds=60)
"""The time for which a key or a profile is believed without reading it again: a revocation takes effect within it."""
_CACHE_MAX: Final = 1_000
CHALLENGE: Final = 'Bearer realm="personas", ApiKey realm="personas"'
"""The value of ``WWW-Authenticate`` in every 401."""

KEY_PREFIX: Final = "psk"
_SECRET_BYTES: Final = 32
_NO_PROFILE: Final = "group"
_CREDENTIAL_MAX: Final = 8_192
_TRUE_WORDS: Final = frozenset({"true", "1", "yes"})


class _TtlCache[T]:
    """Values that were read lately, by id, for ``CACHE_LIFE``; an absence is not remembered."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._entries: OrderedDict[str, tuple[Moment, T]] = OrderedDict()

    def get(self, key: str) -> T | None:
        read_at, value = self._entries.get(key, (None, None))
        return value if read_at and read_at.is_recent(CACHE_LIFE, self._clock()) else None

    def put(self, key: str, value: T, read_at: Moment) -> None:
        self._entries[key] = (read_at, value)
        self._entries.move_to_end(key)
        if len(self._entries) > _CACHE_MAX:
            self._entries.popitem(last=False)


class Authenticator:
    """The way from request headers to a caller; one round trip at most where the API key carries its profile's id."""

    def __init__(self, profiles: ProfileStore, settings: Settings, clock: Callable[[], datetime]) -> None:
        self._profiles = profiles
        self._settings = settings
        self._clock = clock
        self._recent_keys: _TtlCache[ApiKey] = _TtlCache(clock)
        self._recent_profiles: _TtlCache[Profile] = _TtlCache(clock)

    def authenticate(self, headers: Mapping[str, str]) -> Caller:
        """Return the caller that the headers name. ``headers`` has lower-case names.

        Raises:
            Unauthenticated: no profile is named, or a credential is unknown, expired, revoked or of another group.
            Unavailable: the store or the token's issuer cannot be asked.
        """
        key = headers.get("x-api-key", "").strip()
        bearer = headers.get("authorization", "").strip()
        if not key and not bearer:
            raise Unauthenticated("Send an API key in X-Api-Key, or a token in Authorization: Bearer.")
        subject, token_session = self._subject(bearer) if bearer else (None, "")
        if len(key) > _CREDENTIAL_MAX or not key.isascii():
            raise Unauthenticated("The API key is not one of ours.")
        digest = digest_of(key) if key else None

        api_key, profiles = self._look_up(digest, {each for each in (subject, profile_hint(key)) if each})
        if digest is not None and (api_key is None or not is_valid(api_key, self._clock().timestamp())):
            raise Unauthenticated("The API key is unknown, expired or revoked.")
        profile_id = subject or (api_key.profile_id if api_key else None)
        if profile_id is None:
            raise Unauthenticated("This API key names a group only: send a bearer token beside it.")
        profile = profiles.get(profile_id) or self._look_up(None, {profile_id})[1].get(profile_id)
        if profile is None or (api_key is not None and api_key.group_id != profile.group_id):
            raise Unauthenticated("The credentials name no profile of this group.")
        credential = token_session or digest or ""
        return Caller(
            group_id=profile.group_id,
            profile_id=profile.id,
            name=profile.name,
            role=profile.role,
            department_ids=profile.department_ids,
            session_id=resource_id(profile.group_id, "sessions", f"{profile.id}/{credential}"),
            mcp=headers.get("x-mcp", "").strip().lower() in _TRUE_WORDS,
        )

    def _look_up(self, digest: str | None, profile_ids: set[str]) -> tuple[ApiKey | None, dict[str, Profile]]:
        """Return the API key and the profiles, from memory where it is fresh and otherwise in one read."""
        api_key = self._recent_keys.get(digest) if digest else None
        held = {profile_id: self._recent_profiles.get(profile_id) for profile_id in profile_ids}
        profiles = {profile_id: profile for profile_id, profile in held.items() if profile}
        missing = profile_ids - profiles.keys()
        unread = digest if digest and api_key is None else None
        if unread or missing:
            read_at = Moment.at(self._clock())
            read_key, read_profiles = self._profiles.read(unread, missing)
            if read_key is not None:
                self._recent_keys.put(read_key.digest, read_key, read_at)
            for profile in read_profiles.values():
                self._recent_profiles.put(profile.id, profile, read_at)
            api_key, profiles = api_key or read_key, profiles | read_profiles
        return api_key, profiles

    def _subject(self, header: str) -> tuple[str, str]:
        """Return the profile that a bearer token names, and the name of its session."""
        scheme, _, token = header.partition(" ")
        sendable = token.strip() and token.isascii() and len(token) <= _CREDENTIAL_MAX
        if scheme.lower() != "bearer" or not sendable:
            raise Unauthenticated("Authorization must be: Bearer, a space, and a token.")
        if not self._settings.accepts_tokens:
            raise Unauthenticated("This deployment accepts no bearer tokens. Send an API key in X-Api-Key.")
        return self._tokens.subject(token.strip())

    @cached_property
    def _tokens(self) -> TokenVerifier:
        from personas.tokens import TokenVerifier

        return TokenVerifier(self._settings, self._clock)


def new_key(profile_id: str | None) -> str:
    """Return a new API key: 256 random bits, and the profile's id in clear so that one round trip can read both."""
    hint = urlsafe_b64encode(UUID(profile_id).bytes).decode().rstrip("=") if profile_id else _NO_PROFILE
    return f"{KEY_PREFIX}.{hint}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def digest_of(key: str) -> str:
    """Return the SHA-256 of an API key in hex, which is stored. A key is random: it needs no salt and no stretching."""
    return hashlib.sha256(key.encode()).hexdigest()


def profile_hint(key: str) -> str | None:
    """Return the profile that a key claims to name: a hint for the read, trusted for nothing."""
    match key.split("."):
        case [prefix, hint, _] if prefix == KEY_PREFIX and hint != _NO_PROFILE:
            try:
                return str(UUID(bytes=urlsafe_b64decode(hint + "==")))
            except ValueError:
                return None
    return None


def is_valid(key: ApiKey, now: float) -> bool:
    """Tell whether an API key is neither revoked nor past its time."""
    return not key.revoked and (key.expires_at is None or now < key.expires_at)
